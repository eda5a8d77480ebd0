package proxyauth

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/jwt"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// engine has the example's overlay in force.
var engine = sync.OnceValues(func() (*policy.Engine, error) { return load(policy.OverlayAt("../../bundles/proxy")) })

func load(overlays ...policy.Source) (*policy.Engine, error) {
	e, err := policy.New(policy.Options{Core: policy.Embedded(policies.FS), Overlays: overlays})
	if err != nil {
		return nil, err
	}
	return e, e.Load(context.Background())
}

// decider permits rosa and usr_rosa what ends in .view, and remembers what it was
// asked.
type decider struct {
	mu    sync.Mutex
	asked []pdp.Query
}

func (d *decider) Evaluate(_ context.Context, q pdp.Query) (pdp.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, q)
	r := q.Items[0].Request
	o := pdp.Outcome{ID: "dec-1"}
	switch {
	case r.Resource.ID == "broken":
		o.Err = policy.ErrEvaluation
	case r.Resource.ID == "away":
		return pdp.Result{}, authz.ErrUnavailable
	case r.Resource.ID == "foreign":
		o.Err = authz.ErrForbidden
	case r.Resource.ID == "dutiful":
		o.Decision = authz.Decision{Allow: true, Context: []byte(`{"obligations":[{"id":"redact","what":"Geld für €"}]}`)}
	case r.Resource.ID == "recorded":
		o.Decision = authz.Decision{Allow: true, Context: []byte(`{"obligations":[{"id":"redact"},{"id":"record"}]}`)}
	case strings.HasSuffix(r.Action.Name, ".view") && strings.HasSuffix(r.Subject.ID, "rosa"):
		o.Decision = authz.Decision{
			Allow: true, Context: []byte(`{"reasons":[{"rule":"access.role","role":"regular"}]}`),
			Reasons: []authz.Reason{{Rule: "access.role", Role: "regular"}},
		}
	default:
		o.Decision = authz.Decision{Context: []byte(`{"reasons":[{"rule":"access.out_of_scope","text":"No role counts"}]}`)}
	}
	o.Stale = r.Resource.ID == "old"
	return pdp.Result{ID: "dec-1", Outcomes: []pdp.Outcome{o}}, nil
}

func (d *decider) last() (pdp.Query, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.asked) == 0 {
		return pdp.Query{}, false
	}
	return d.asked[len(d.asked)-1], true
}

// tokens believes jwt-NAME.
type tokens struct{}

func (tokens) Verify(_ context.Context, text string) (jwt.User, error) {
	name, good := strings.CutPrefix(text, "jwt-")
	switch {
	case text == "later":
		return jwt.User{}, authz.ErrUnavailable
	case !good:
		return jwt.User{}, jwt.BadSignature
	}
	return jwt.User{Name: name, ByID: strings.HasPrefix(name, "usr_")}, nil
}

// logged is a log that several goroutines write.
type logged struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A caller asks a listener as a proxy does.
type caller struct {
	network, address string
	decider          *decider
	log              *logged
}

func listen(t *testing.T, o Options) *caller {
	t.Helper()
	return listenOn(t, "127.0.0.1:0", o)
}

func listenOn(t *testing.T, address string, o Options) *caller {
	t.Helper()
	c := &caller{decider: &decider{}, log: &logged{}}
	o.PDP, o.Log = c.decider, slog.New(slog.NewTextHandler(c.log, nil))
	if o.Policies == nil {
		e, err := engine()
		if err != nil {
			t.Fatal(err)
		}
		o.Policies = e
	}
	server := httpserver.New(httpserver.Options{Name: "decisions", Forbid: Paths, Timeout: 5 * time.Second, Log: o.Log, Metrics: prometheus.NewRegistry()})
	Register(server.App, o)
	ln, err := httpserver.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c.network, c.address = ln.Addr().Network(), ln.Addr().String()
	return c
}

// An answer is what a proxy gets.
type answer struct {
	*http.Response
	body string
}

// send sends a request as it is written, line by line.
func (c *caller) send(t *testing.T, lines ...string) answer {
	t.Helper()
	conn, err := net.Dial(c.network, c.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = errors.Join(conn.SetDeadline(time.Now().Add(10*time.Second)), write(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(lines[0])[0]})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, lines, resp, body)
	return answer{resp, string(body)}
}

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// forward asks as Traefik, Caddy and HAProxy do.
func (c *caller) forward(t *testing.T, method, uri string, more ...string) answer {
	t.Helper()
	return c.send(t, append([]string{
		"GET " + PathForwardAuth + " HTTP/1.1", "Host: postern", "X-Forwarded-Method: " + method, "X-Forwarded-Proto: https",
		"X-Forwarded-Host: Portal.Example:8443", "X-Forwarded-Uri: " + uri,
	}, more...)...)
}

func (a answer) wants(t *testing.T, status int, said string) answer {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, said) {
		t.Errorf("got %d %s, want %d with %q", a.StatusCode, a.body, status, said)
	}
	if status == http.StatusOK && (a.body != "" || a.ContentLength > 0) {
		t.Errorf("got the body %q, want none", a.body)
	}
	if challenge := a.Header.Get("WWW-Authenticate"); (challenge != "") != (status == http.StatusUnauthorized) {
		t.Errorf("got WWW-Authenticate %q with %d", challenge, status)
	}
	if status != http.StatusOK {
		a.problem(t)
	}
	return a
}

func (a answer) problem(t *testing.T) (reason string) {
	t.Helper()
	var p struct{ Type, Title, Reason string }
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Title == "" || p.Type != "urn:postern:problem:"+p.Reason {
		t.Errorf("got %q, %v, want a problem", a.body, err)
	}
	return p.Reason
}

func trust(t *testing.T, list ...string) Trust {
	t.Helper()
	trusted, err := NewTrust(list)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}
