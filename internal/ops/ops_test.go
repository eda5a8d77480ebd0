package ops

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProbesSayWhatIsWrong(t *testing.T) {
	well := Check{Name: "policy", Probe: func() error { return nil }}
	ill := Check{Name: "grants", Probe: func() error { return errors.New("the last poll is 7s old;\nmore than 5s") }}
	odd := Check{Name: "grants", Probe: well.Probe, Note: func() string { return "but old" }}
	cases := []struct {
		name, path string
		options    Options
		status     int
		body       string
	}{
		{"all is well", "/readyz", Options{Ready: []Check{well}}, 200, "ok\n"},
		{"all is well, and which", "/readyz?verbose", Options{Ready: []Check{well}}, 200, "[+]draining ok\n[+]policy ok\nreadyz check passed\n"},
		{"all is well, and yet", "/readyz?verbose", Options{Ready: []Check{odd}}, 200, "[+]draining ok\n[+]grants ok, but old\nreadyz check passed\n"},
		{"one is not", "/readyz", Options{Ready: []Check{ill, well}}, 503, "[+]draining ok\n[-]grants failed: the last poll is 7s old; more than 5s\n[+]policy ok\nreadyz check failed\n"},
		{"the alias says the same", "/healthz", Options{Ready: []Check{ill}}, 503, "[+]draining ok\n[-]grants failed: the last poll is 7s old; more than 5s\nhealthz check failed\n"},
		{"readiness does not restart anything", "/livez", Options{Ready: []Check{ill}}, 200, "ok\n"},
		{"a start takes its time", "/startupz", Options{Startup: []Check{ill}}, 503, "[-]grants failed: the last poll is 7s old; more than 5s\nstartupz check failed\n"},
		{"nothing is to be checked", "/livez?verbose", Options{}, 200, "livez check passed\n"},
		{"nothing else is there", "/", Options{}, 404, "404 page not found\n"},
		{"profiles are not there unless asked for", "/debug/pprof/", Options{}, 404, "404 page not found\n"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			res := get(newServer(tc.options), http.MethodGet, tc.path)
			if res.Code != tc.status || res.Body.String() != tc.body {
				t.Errorf("got %d %q, want %d %q", res.Code, res.Body, tc.status, tc.body)
			}
		})
	}
}

// F25: a server that stops says so at once, and goes on living.
func TestDrainMakesUnreadyAtOnce(t *testing.T) {
	s := newServer(Options{})
	if res := get(s, http.MethodGet, "/readyz"); res.Code != 200 {
		t.Fatalf("got %d before, want 200", res.Code)
	}
	s.Drain()
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 503, "/livez": 200, "/startupz": 200, "/metrics": 200} {
		if res := get(s, http.MethodGet, path); res.Code != want {
			t.Errorf("%s: got %d, want %d", path, res.Code, want)
		}
	}
}

func TestNothingCanBePosted(t *testing.T) {
	s := newServer(Options{Pprof: true})
	for _, path := range []string{"/metrics", "/livez", "/readyz", "/startupz", "/healthz", "/version", "/debug/pprof/"} {
		if res := get(s, http.MethodPost, path); res.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: got %d, want 405", path, res.Code)
		}
		if res := get(s, http.MethodHead, path); res.Code != http.StatusOK {
			t.Errorf("%s: got %d for HEAD, want 200", path, res.Code)
		}
	}
}

func TestMetricsAreServedAndClean(t *testing.T) {
	registry := NewRegistry(Build{Version: "v1.2.3", Revision: "abc"})
	s := newServer(Options{Registry: registry})
	text := get(s, http.MethodGet, "/metrics").Body.String()
	for _, want := range []string{"go_goroutines ", "process_start_time_seconds ", `postern_build_info{`, `revision="abc"`, `version="v1.2.3"`, "promhttp_metric_handler_errors_total"} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %s in the metrics", want)
		}
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("got %v (%v), want no problems", problems, err)
	}
}

func TestVersionTellsWhatRuns(t *testing.T) {
	want := Build{Version: "v1.2.3", Revision: "abc", Go: "go1.26", OPA: "v1.22.2"}
	res := get(newServer(Options{Build: want}), http.MethodGet, "/version")
	var got Build
	if err := json.Unmarshal(res.Body.Bytes(), &got); err != nil || got != want {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if b := ReadBuild(); b.Version == "" || b.Go == "" {
		t.Errorf("got %+v, want a version and a Go version", b)
	}
}

func TestServerServesUntilItIsShutDown(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(Options{})
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + listener.Addr().String() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "ok\n" {
		t.Errorf("got %q (%v), want ok", body, err)
	}
	_ = res.Body.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("got %v, want no error of a server that was shut down", err)
	}
}

// F25: nobody keeps the process from ending by connecting and saying nothing.
func TestF25SilentConnectionsDoNotHoldTheEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, done := newServer(Options{}), make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	silent, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	if err := errors.Join(s.Shutdown(t.Context()), <-done); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*shutdownTimeout {
		t.Errorf("got %v until the end, want %v", took, shutdownTimeout)
	}
}

func newServer(o Options) *Server {
	if o.Registry == nil {
		o.Registry = NewRegistry(o.Build)
	}
	o.Log = slog.New(slog.DiscardHandler)
	return New(o)
}

func get(s *Server, method, path string) *httptest.ResponseRecorder {
	res := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(res, httptest.NewRequest(method, path, nil))
	return res
}
