package decisionapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pdp"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// fixture is a small decision point: who may read which record, and a few
// resources that something is the matter with. It remembers what it was asked.
type fixture struct {
	mu    sync.Mutex
	asked []pdp.Query // guarded by mu
	err   error       // what Evaluate returns, if not nil
	cut   int         // outcomes that are left out
}

// errCause must never reach a caller.
var errCause = errors.New("dial tcp 10.0.0.7:5432: password hunter2")

func (f *fixture) Evaluate(_ context.Context, q pdp.Query) (pdp.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, q)
	result := pdp.Result{ID: fmt.Sprintf("dec-%d", len(f.asked)), Policy: "policy-7", Data: 42}
	if f.err != nil {
		return result, f.err
	}
	for _, item := range q.Items {
		o := pdp.Outcome{Err: item.Err}
		if o.Err == nil {
			o.Decision, o.Err = decide(item.Request)
		}
		result.Outcomes = append(result.Outcomes, o)
		allowed := o.Err == nil && o.Decision.Allow
		if q.Semantic == pdp.DenyOnFirstDeny && !allowed || q.Semantic == pdp.PermitOnFirstPermit && allowed {
			break
		}
	}
	result.Outcomes = result.Outcomes[f.cut:]
	return result, nil
}

func decide(r authz.Request) (authz.Decision, error) {
	failures := map[string]error{
		"broken":  fmt.Errorf("%w: %w", errCause, authz.ErrUnavailable),
		"bug":     errCause,
		"gone":    fmt.Errorf("record gone is not known: %w", authz.ErrNotFound),
		"foreign": fmt.Errorf("record foreign is not yours: %w", authz.ErrForbidden),
		"moved":   fmt.Errorf("%w: %w", errCause, authz.ErrConflict),
	}
	if err := failures[r.Resource.ID]; err != nil {
		return authz.Decision{Allow: true}, err // the error wins
	}
	d := authz.Decision{Allow: r.Subject.Type == "user" && r.Resource.Type == "record" && r.Action.Name == "read" && mayRead(r)}
	if r.Resource.ID == "explained" {
		d.Context = json.RawMessage(`{"zebra":1, "reasons":[{"rule":"access.role","text":"<b>"}]}`)
	}
	return d, nil
}

func mayRead(r authz.Request) bool {
	return r.Subject.ID == "alice" && strings.HasPrefix(r.Resource.ID, "1") || r.Subject.ID == "bob" && r.Resource.ID == "101" ||
		r.Subject.Properties["role"] == "auditor" || r.Resource.Properties["public"] == true || r.Action.Properties["dry"] == true
}

func (f *fixture) last(t testing.TB) pdp.Query {
	t.Helper()
	asked := f.all()
	if len(asked) == 0 {
		t.Fatal("nothing was asked")
	}
	return asked[len(asked)-1]
}

func (f *fixture) count() int { return len(f.all()) }

func (f *fixture) all() []pdp.Query {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// plainTokens are readable, which real ones are not.
type plainTokens struct{}

func (plainTokens) Issue(r authz.Revision) string { return fmt.Sprintf("token-%d", r) }

func (plainTokens) Read(s string) (r authz.Revision, err error) {
	if _, err := fmt.Sscanf(s, "token-%d", &r); err != nil {
		return 0, fmt.Errorf("the consistency token is not one: %w", authz.ErrInvalid)
	}
	return r, nil
}

// A listener is a decision listener over real TCP.
type listener struct {
	*fixture
	base   string
	client *http.Client
	log    logged
}

// logged collects a log that several goroutines write.
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

func listen(t testing.TB, o Options) *listener {
	t.Helper()
	l := &listener{fixture: &fixture{}, client: &http.Client{Timeout: 10 * time.Second, Transport: checked(t, &http.Transport{DisableCompression: true})}}
	if o.PDP == nil {
		o.PDP = l.fixture
	}
	o.Tokens, o.Log = plainTokens{}, slog.New(slog.NewJSONHandler(&l.log, nil))
	server := httpserver.New(httpserver.Options{Name: "decisions", Timeout: 5 * time.Second, Log: o.Log})
	if err := Register(server.App, o); err != nil {
		t.Fatal(err)
	}
	ln, err := httpserver.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.base = "http://" + ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		l.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// An answer is what came back, with its body read.
type answer struct {
	*http.Response
	body string
}

// ask posts a body. The header comes in pairs; Content-Type is application/json
// unless it is among them.
func (l *listener) ask(t testing.TB, path, body string, header ...string) answer {
	t.Helper()
	return l.send(t, "POST", path, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

func (l *listener) send(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, l.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := l.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(got)}
}

// wants fails the test unless the answer has a status and, where want is not
// empty, a body: all of it, or for an error a part of its detail.
func (a answer) wants(t testing.TB, status int, want string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("got %d %s, want %d %s", a.StatusCode, a.body, status, want)
	}
	if status == fiber.StatusOK && want != "" && a.body != want {
		t.Errorf("got %s, want %s", a.body, want)
	}
	if status != fiber.StatusOK && !strings.Contains(a.detail(t), want) {
		t.Errorf("got %s, want %q in its detail", a.body, want)
	}
}

// detail checks that an error is a problem, and returns what it says.
func (a answer) detail(t testing.TB) string {
	t.Helper()
	var problem struct {
		Type, Title, Detail string
		Status              int
		RequestID           string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	if !strings.HasPrefix(problem.Type, "urn:postern:problem:") || problem.Status != a.StatusCode ||
		problem.RequestID != a.Header.Get("X-Request-ID") || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %s with %v, want a problem", a.body, a.Header)
	}
	return problem.Detail
}
