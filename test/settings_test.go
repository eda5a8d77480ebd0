package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
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
		"POSTERN_OVERLAYS="+tenants(t), "POSTERN_POLICY_BUILTINS=io.jwt.decode", "POSTERN_TRUSTED_PROXIES=127.0.0.0/8", "POSTERN_PROXY_HEADERS=X-Tenant"))
	requestsAreBounded(o)
	filesAreBounded(t, o.server, logs)
	keysEnd(o, redis)
	if said, err := redis.Do("CLIENT", "LIST"); err != nil || !strings.Contains(said, "user=postern") {
		t.Errorf("got the clients %q, %v, want one as postern", said, err)
	}
	// Last: what these closed may count for a moment longer.
	connectionsAreBounded(t, o.server, o.decisions, 4, "per_ip")
	connectionsAreBounded(t, o.server, o.administration, 4, "total")
}

// keysEnd wants keys in database 2 that end within 2 minutes, which is less than
// what nobody sets.
func keysEnd(o office, redis *fleet.Redis) {
	o.t.Helper()
	said := ""
	for n, enough := 0, time.Now().Add(patience); time.Now().Before(enough); n++ {
		if _, err := o.decisions.send(http.MethodPost, evaluation, unknown(fmt.Sprint("timed", n))); err != nil {
			o.t.Fatal(err)
		}
		said, _ = redis.Do("EVAL", "redis.call('SELECT', 2) return redis.call('TTL', redis.call('RANDOMKEY') or '')", "0")
		if left, err := strconv.Atoi(said); err == nil && 0 < left && left <= 120 {
			return
		}
	}
	o.t.Errorf("got %q seconds of a key in database 2, want up to 120", said)
}

func TestMessagesAreTextIfTheyAreToBe(t *testing.T) {
	t.Parallel()
	const text = `level=INFO msg="serving decisions"`
	wantSaid(t, install(t, "POSTERN_LOG_FORMAT=text"), text, func(said string) bool { return strings.Contains(said, text) })
}

// tenants is an overlay in which everybody may do everything for one tenant, with
// a builtin that policies do not have unless it is allowed.
func tenants(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		".manifest": `{"roots": ["custom"], "rego_version": 1}`,
		"x.rego":    "package custom.proxy\n\nimport rego.v2\n\n# METADATA\n# entrypoint: true\nrequest := {\"public\": true} if {\n\tinput.http.headers[\"x-tenant\"] == \"acme\"\n\tio.jwt.decode(\"eyJhbGciOiJIUzI1NiJ9.e30.c2ln\")\n}\n",
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

// connectionsAreBounded wants the connection that is one too many to be closed at
// once, for that reason, while those before it go on to be served.
func connectionsAreBounded(t *testing.T, s *server, e endpoint, most int, reason string) {
	t.Helper()
	e.client.CloseIdleConnections()
	var open []net.Conn
	for range most {
		open = append(open, admitted(t, e))
	}
	refused := fmt.Sprintf("postern_http_connections_refused_total{reason=%q}", reason)
	before := s.metric(t, refused)
	if err := served(connect(t, e)); err == nil {
		t.Errorf("%s: got %d connections served, want %d", e.base, most+1, most)
	}
	if got := s.metric(t, refused); got <= before {
		t.Errorf("%s is %v, want more", refused, got)
	}
	for _, conn := range open {
		if err := served(conn); err != nil {
			t.Errorf("%s: got %v, want the connections before one too many to be served", e.base, err)
		}
		_ = conn.Close()
	}
}

// admitted is a connection on which something was answered. Those that were closed
// just before may still count.
func admitted(t *testing.T, e endpoint) net.Conn {
	t.Helper()
	for enough := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn := connect(t, e)
		err := served(conn)
		if err == nil {
			return conn
		}
		if time.Now().After(enough) {
			t.Fatalf("%s: got %v, want connections to be served up to the limit", e.base, err)
		}
	}
}

// connect opens a connection that ends with the test.
func connect(t *testing.T, e endpoint) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// served asks something on a connection and reads the answer, whatever it is.
func served(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
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
