package httpserver

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postern-authz/postern/internal/trace"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
)

// traced answers what it knows of the trace, and fails or panics if it is told to.
func traced(app *fiber.App) {
	app.Get("/trace", func(c *fiber.Ctx) error {
		span := Trace(c)
		if span != trace.From(c.UserContext()) {
			return errors.New("the UserContext has another span")
		}
		return c.SendString(span.TraceID() + " " + span.ParentID() + " " + span.State())
	})
	app.Get("/fail", func(*fiber.Ctx) error { return errors.New("broken") })
	app.Get("/panic", func(*fiber.Ctx) error { panic("broken") })
}

func TestRequestsBelongToTheTraceOfTheirCaller(t *testing.T) {
	server := serve(t, Options{}, traced)
	for name, tt := range map[string]struct {
		header []string
		want   string
	}{
		"a trace":               {[]string{"traceparent", traceparent}, traceID + " 00f067aa0ba902b7 "},
		"a trace with a state":  {[]string{"traceparent", traceparent, "tracestate", "a=1", "tracestate", "b=2"}, traceID + " 00f067aa0ba902b7 a=1,b=2"},
		"no trace":              {nil, "  "},
		"a state without trace": {[]string{"tracestate", "a=1"}, "  "},
		"two traces":            {[]string{"traceparent", traceparent, "traceparent", traceparent}, "  "},
	} {
		if _, got := server.do(t, "GET", "/trace", "", tt.header...); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	if _, got := server.do(t, "GET", "/trace", "", "traceparent", "nonsense"); len(got) != 34 || strings.Contains(got, traceID) {
		t.Errorf("got %q of a traceparent that is none, want a new trace", got)
	}
}

func TestFailuresAreLoggedWithTheTrace(t *testing.T) {
	server := serve(t, Options{}, traced)
	for _, path := range []string{"/fail", "/panic"} {
		if resp, body := server.do(t, "GET", path, "", "traceparent", traceparent); resp.StatusCode != 500 || strings.Contains(body, traceID) {
			t.Errorf("%s: got %d %s, want 500, and no trace id for the caller", path, resp.StatusCode, body)
		}
	}
	if got := strings.Count(server.log.String(), `"trace_id":"`+traceID+`","span_id":"`); got != 2 {
		t.Errorf("got the trace in %d lines, want 2: %s", got, server.log)
	}
	log := len(server.log.String())
	server.do(t, "GET", "/fail", "")
	if got := server.log.String()[log:]; got == "" || strings.Contains(got, "trace_id") {
		t.Errorf("got %s of a request without a trace, want a line without one", got)
	}
}

func TestOnlySampledRequestsAreExemplars(t *testing.T) {
	server := serve(t, Options{}, traced)
	server.do(t, "GET", "/trace", "")
	server.do(t, "GET", "/trace", "", "traceparent", strings.TrimSuffix(traceparent, "1")+"0")
	if got := server.openMetrics(t); strings.Contains(got, "trace_id") {
		t.Errorf("got an exemplar of a request that is not sampled:\n%s", got)
	}
	server.do(t, "GET", "/trace", "", "traceparent", traceparent)
	if got := server.openMetrics(t); strings.Count(got, `# {trace_id="`+traceID+`"}`) != 1 {
		t.Errorf("got no exemplar, or several, want one of %s:\n%s", traceID, got)
	}
}

// openMetrics is the metrics page, as Prometheus asks for it.
func (r *running) openMetrics(t *testing.T) string {
	t.Helper()
	answer, ask := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	ask.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(answer, ask)
	return answer.Body.String()
}

func TestRequestsAreLoggedWhereThatIsWanted(t *testing.T) {
	for name, tt := range map[string]struct {
		level  slog.Level
		always bool
		want   string
	}{
		"at level info":            {slog.LevelInfo, false, ""},
		"at level debug":           {slog.LevelDebug, false, `"level":"DEBUG"`},
		"at level info, if wanted": {slog.LevelInfo, true, `"level":"INFO"`},
		"at level warn":            {slog.LevelWarn, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			o := Options{LogRequests: tt.always, Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: tt.level}))}
			server := serve(t, o, func(app *fiber.App) {
				app.Get("/users/:id", func(c *fiber.Ctx) error { stateOf(c.Context()).caller.ID = "portal"; return nil })
			})
			server.do(t, "GET", "/users/ann@example.com", "", "X-Request-ID", "r 1", "traceparent", traceparent)
			got := log.String()
			if tt.want == "" {
				if got != "" {
					t.Errorf("got %s, want nothing", got)
				}
				return
			}
			for _, want := range []string{tt.want, `"listener":"test","request_id":"r?1","trace_id":"` + traceID + `","span_id":"`,
				`"parent_span_id":"00f067aa0ba902b7","caller":"portal","method":"GET","route":"/users/:id","status":200,"seconds":0.`} {
				if !strings.Contains(got, want) {
					t.Errorf("got %s, want %s in it", got, want)
				}
			}
			if strings.Contains(got, "ann@example.com") {
				t.Errorf("got %s, want no path", got)
			}
		})
	}
}
