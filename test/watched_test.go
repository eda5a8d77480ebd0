package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// A watched fleet is one in which every series of Postern exists, under a light
// load: a server of all roles with Redis, a decision log and mail, and a sidecar
// with TLS that reads its directory. Two Prometheus scrape it every second and
// evaluate our rules: one takes native histograms, the other takes those with buckets.
type watched struct {
	*prometheus
	native *prometheus
	office
	t       *testing.T
	redis   *fleet.Redis
	i       installation // of the server
	sidecar *server
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	redis, err := fleet.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Stop)
	w := &watched{t: t, redis: redis}
	overlay, err := filepath.Abs("../bundles/proxy")
	if err != nil {
		t.Fatal(err)
	}
	shared := []string{"POSTERN_SECRET=" + strings.Repeat("s3cr3t", 8), "POSTERN_REDIS_ADDRS=" + redis.Addr(), "POSTERN_METRICS_NATIVE_HISTOGRAMS=true"}
	i := install(t, append(shared, "POSTERN_DECISIONS_AUTH=none", "POSTERN_OVERLAYS="+overlay,
		"POSTERN_TRUSTED_PROXIES=127.0.0.0/8", "POSTERN_PROXY_SUBJECT_HEADER=Remote-User")...)
	i.env = append(i.env, "POSTERN_DECISION_LOG="+filepath.Join(i.dir, "decisions.ndjson"), "POSTERN_MAIL=file://"+t.TempDir(),
		"POSTERN_MAIL_FROM=portal@acme.example", "POSTERN_PORTAL_URLS=https://portal.example")
	w.i = i
	w.office = administered(t, i)
	w.sidecar = w.beside(t, shared)
	w.load()
	config := w.configuration()
	w.prometheus, w.native = newPrometheus(t, config), newPrometheus(t, config, nativeHistograms)
	return w
}

// beside starts the sidecar.
func (w *watched) beside(t *testing.T, shared []string) *server {
	t.Helper()
	x := w.does(http.StatusCreated, http.MethodPost, "/v1/service-tokens",
		fmt.Sprintf(`{"name":"sidecar","scopes":["replicate"],"expires_at":%q}`, time.Now().Add(30*24*time.Hour).UTC().Format(time.RFC3339)))
	i := install(t, append(shared, "POSTERN_DIRECTORY_URL="+w.administration.base, "POSTERN_DIRECTORY_TOKEN="+x.read("secret"))...)
	cert, key := newAuthority(t, "ours").issue(t, "pdp")
	i.env = append(i.env, "POSTERN_DECISIONS_TLS_CERT="+i.file(t, "server.pem", cert), "POSTERN_DECISIONS_TLS_KEY="+i.file(t, "server.key", key))
	s, err := start(i.binary, i.dir, i.env, "--only=decisions")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	return s
}

// configuration has Prometheus scrape both with the rules that it is given to
// see within seconds.
func (w *watched) configuration() string {
	text, err := os.ReadFile("../deploy/prometheus/postern.rules.yml")
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.t.TempDir(), "postern.rules.yml")
	if err := os.WriteFile(path, []byte(hastened(string(text))), 0o600); err != nil {
		w.t.Fatal(err)
	}
	host := func(s *server) string { return strings.TrimPrefix(s.ops.base, "http://") }
	return fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: postern
    static_configs: [{targets: [%q, %q]}]
`, path, host(w.office.server), host(w.sidecar))
}

// window is what hastened rules and panels look back on.
const window = "15s"

// hastened has rules look back on seconds where they look back on hours.
func hastened(rules string) string {
	for pattern, short := range map[string]string{
		`(?m)^(\s+for:) .*$`:  "${1} 2s",
		`\[[0-9]+[smhd]\]`:    "[" + window + "]",
		`offset [0-9]+[smhd]`: "offset 1s",
	} {
		rules = regexp.MustCompile(pattern).ReplaceAllString(rules, short)
	}
	return rules
}

// load has the server asked until the test ends.
func (w *watched) load() {
	stop, done := make(chan struct{}), make(chan struct{})
	w.t.Cleanup(sync.OnceFunc(func() { close(stop); <-done }))
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				w.asked(n)
			}
		}
	}()
}

// asked sends one request: what each comes to is looked at in the metrics.
func (w *watched) asked(n int) {
	one := func(subject, action, resource string) string {
		q, _ := ask([]string{subject, action, resource}) // three words are a question
		return q.json()
	}
	const services = "/accounts/a-1001/services"
	decisions := []struct {
		path, body string
		headers    []string // of a proxy
	}{
		{path: evaluation, body: one("login:rosa", "service.view", "account:a-1001")},
		{path: evaluation, body: one("login:paula", "service.view", "account:a-1001")},
		{path: evaluation, body: one("login:sam", "payment.make", "account:b-1001")},
		{path: evaluation, body: one("login:nobody", "service.view", "account:a-1001")},
		{path: evaluation, body: one("login:rosa", "nobody.knows", "account:a-1001")},
		{path: evaluation, body: `{"subject":`},
		{path: "/v1/data/postern/access/decision", body: `{"input":` + one("login:rosa", "service.view", "account:a-1001") + `}`},
		{path: "/v1/batch/data/postern/access/decision", body: `{"inputs":{"a":` + one("login:rosa", "service.view", "account:a-1001") + `}}`},
		{path: "/authz/forward-auth", headers: []string{"X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: portal", "X-Forwarded-Uri: " + services, "Remote-User: rosa"}},
		{path: "/authz/auth-request", headers: []string{"X-Original-Method: GET", "X-Original-URL: https://portal" + services, "Remote-User: rosa"}},
		{path: "/authz/ext-authz" + services, headers: []string{"Remote-User: rosa"}},
		{path: "/access/v1/evaluations", body: `{"subject":{"type":"login","id":"rosa"},"action":{"name":"service.view"},
			"evaluations":[{"resource":{"type":"account","id":"a-1001"}},{"resource":{"type":"account","id":"g-3001"}}]}`},
		{path: "/nowhere", body: "{}"},
	}
	d := decisions[n%len(decisions)]
	_, _ = w.decisions.send(http.MethodPost, d.path, d.body, d.headers...)
	if n%len(decisions) != 0 {
		return
	}
	for _, r := range [][3]string{
		{http.MethodPatch, "/v1/organizations/acme", fmt.Sprintf(`{"name":"ACME %d"}`, n)},
		{http.MethodGet, "/v1/organizations/acme/members", ""},
		{http.MethodGet, "/v1/organizations/nowhere", ""},
	} {
		_, _ = w.asks(r[0], r[1], r[2])
	}
}
