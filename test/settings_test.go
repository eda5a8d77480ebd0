package test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// A setting that is read and then forgotten is noticed by nobody: these are some
// that no other test of the whole program turns.
func TestSettingsTakeEffect(t *testing.T) {
	t.Parallel()
	redis, err := fleet.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Stop)
	if said, err := redis.Do("ACL", "SETUSER", "postern", "on", ">password", "~*", "&*", "+@all"); err != nil {
		t.Fatal(said, err)
	}
	logs := t.TempDir()
	o := administered(t, install(t, "POSTERN_CREDENTIALS=external", "POSTERN_MANAGEMENT_MAX_BODY=512KiB", "POSTERN_MANAGEMENT_MAX_CONNECTIONS=4",
		"POSTERN_DECISIONS_MAX_BODY=64KiB", "POSTERN_DECISIONS_MAX_BATCH=1", "POSTERN_DECISIONS_MAX_CONNECTIONS_PER_IP=4",
		"POSTERN_DECISION_LOG="+filepath.Join(logs, "decisions.ndjson"), "POSTERN_DECISION_LOG_MAX_SIZE=1MiB", "POSTERN_DECISION_LOG_FILES=1",
		"POSTERN_SECRET="+strings.Repeat("s", 32), "POSTERN_REDIS_ADDRS="+redis.Addr(), "POSTERN_REDIS_DB=2", "POSTERN_REDIS_TTL=2m", "POSTERN_REDIS_USERNAME=postern", "POSTERN_REDIS_PASSWORD=password",
		"POSTERN_OVERLAYS="+tenants(t), "POSTERN_TRUSTED_PROXIES=127.0.0.0/8", "POSTERN_PROXY_HEADERS=X-Tenant"))
	requestsAreBounded(o)
	connectionsAreBounded(t, o.decisions, 4)
	connectionsAreBounded(t, o.administration, 4)
	filesAreBounded(t, o.server, logs)
	if said, err := redis.Do("EVAL", "redis.call('SELECT', 2) return redis.call('TTL', redis.call('RANDOMKEY'))", "0"); err != nil || !strings.Contains("120 119 118 117 116 115 114 113 112 111 110", said) {
		t.Errorf("got %q, %v of a key in database 2, want some seconds less than 2m", said, err)
	}
	if said, err := redis.Do("CLIENT", "LIST"); err != nil || !strings.Contains(said, "user=postern") {
		t.Errorf("got the clients %q, %v, want one as postern", said, err)
	}
}

// tenants is an overlay in which everybody may do everything for one tenant.
func tenants(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		".manifest": `{"roots": ["custom"], "rego_version": 1}`,
		"x.rego":    "package custom.proxy\n\nimport rego.v2\n\n# METADATA\n# entrypoint: true\nrequest := {\"public\": true} if input.http.headers[\"x-tenant\"] == \"acme\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// decided is a question with so many bytes of context.
func decided(size int) string {
	return fmt.Sprintf(`{"subject":{"type":"login","id":"rosa"},"action":{"name":"service.view"},"resource":{"type":"account","id":"a-1001"},"context":{"note":%q}}`, strings.Repeat("x", size))
}

func requestsAreBounded(o office) {
	operator, from := []string{"Authorization: Bearer " + o.key}, []string{"X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: h", "X-Forwarded-Uri: /"}
	for _, tt := range []struct {
		setting      string
		at           endpoint
		method, path string
		body         string
		headers      []string
		status       int
	}{
		{"CREDENTIALS", o.administration, http.MethodPost, "/v1/credentials/verify", `{"username":"rosa","password":"p"}`, operator, http.StatusNotFound},
		{"MANAGEMENT_MAX_BODY", o.administration, http.MethodPost, "/v1/organizations", strings.Repeat(" ", 513<<10), operator, http.StatusRequestEntityTooLarge},
		{"DECISIONS_MAX_BODY", o.decisions, http.MethodPost, evaluation, decided(64 << 10), nil, http.StatusRequestEntityTooLarge},
		{"DECISIONS_MAX_BATCH", o.decisions, http.MethodPost, "/access/v1/evaluations", fmt.Sprintf(`{"evaluations":[%s,%s]}`, decided(1), decided(1)), nil, http.StatusBadRequest},
		{"PROXY_HEADERS", o.decisions, http.MethodGet, "/authz/forward-auth", "", append(from, "X-Tenant: acme"), http.StatusOK},
		{"no PROXY_HEADERS", o.decisions, http.MethodGet, "/authz/forward-auth", "", append(from, "X-Tenant: bright"), http.StatusUnauthorized},
	} {
		x, err := tt.at.send(tt.method, tt.path, tt.body, tt.headers...)
		if err != nil || x.status != tt.status {
			o.t.Errorf("%s: got %v, %d %s, want %d", tt.setting, err, x.status, x.body, tt.status)
		}
	}
}

// connectionsAreBounded wants one of the connections to be closed at once when
// there is one more than there may be.
func connectionsAreBounded(t *testing.T, e endpoint, most int) {
	t.Helper()
	closed := make(chan error, most+1)
	for range most + 1 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(e.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			_, err := conn.Read(make([]byte, 1)) // nothing is asked, and so nothing answered
			closed <- err
		}()
	}
	select {
	case <-closed:
	case <-time.After(patience):
		t.Errorf("%s: got %d connections, want %d", e.base, most+1, most)
	}
}

// filesAreBounded asks until the decision log has been put aside several times.
func filesAreBounded(t *testing.T, s *server, dir string) {
	t.Helper()
	const many = 80 // of 60 KiB each
	for range many {
		if x, err := s.decisions.send(http.MethodPost, evaluation, decided(60<<10)); err != nil || x.status != http.StatusOK {
			t.Fatalf("got %v, %d %.300s", err, x.status, x.body)
		}
	}
	for enough := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		page, err := s.ops.send(http.MethodGet, "/metrics", "")
		if err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		written := sum(page.body, `postern_decision_log_events_total{result="written"}`)
		if err == nil && len(files) == 2 && written >= many {
			return
		}
		if time.Now().After(enough) {
			t.Fatalf("got %v decisions in the files %v, %v, want %d in that of now and one before", written, files, err, many)
		}
	}
}
