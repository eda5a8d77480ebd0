package trace

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	sampled = "00-" + traceID + "-" + spanID + "-01"
)

func TestTraceparentsThatAreTakenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		sent    string
		sampled bool
	}{
		"sampled":                         {sampled, true},
		"not sampled":                     {"00-" + traceID + "-" + spanID + "-00", false},
		"flags that version 00 has not":   {"00-" + traceID + "-" + spanID + "-fe", false},
		"those, and sampled":              {"00-" + traceID + "-" + spanID + "-ff", true},
		"a later version":                 {"01-" + traceID + "-" + spanID + "-01", true},
		"a later version that has more":   {"fe-" + traceID + "-" + spanID + "-01-what the future brings", true},
		"a later version that has an end": {"cc-" + traceID + "-" + spanID + "-01-", true},
		"ids that are nearly all zero":    {"00-00000000000000000000000000000001-0000000000000001-01", true},
	} {
		s := Parse([]byte(tt.sent), nil)
		if s.TraceID() != tt.sent[3:35] || s.ParentID() != tt.sent[36:52] || s.Sampled() != tt.sampled {
			t.Errorf("%s: got %s %s %t, want those of %s", name, s.TraceID(), s.ParentID(), s.Sampled(), tt.sent)
		}
		if s.SpanID() == s.ParentID() {
			t.Errorf("%s: got the caller's own span %s, want one of ours", name, s.SpanID())
		}
	}
}

func TestTraceparentsThatAreNotValidBeginATraceOfTheirOwn(t *testing.T) {
	for name, sent := range map[string]string{
		"empty":                        "",
		"too short":                    sampled[:54],
		"version 00 with more":         sampled + "-00",
		"version 00 with an end":       sampled + "-",
		"a later version cut short":    "01-" + traceID + "-" + spanID + "-0",
		"a later version that runs on": "01-" + traceID + "-" + spanID + "-01what",
		"version ff":                   "ff-" + traceID + "-" + spanID + "-01",
		"no version":                   "xx-" + traceID + "-" + spanID + "-01",
		"a version in upper case":      "0A-" + traceID + "-" + spanID + "-01",
		"a trace id of zeros":          "00-" + strings.Repeat("0", 32) + "-" + spanID + "-01",
		"a span id of zeros":           "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01",
		"a trace id in upper case":     "00-" + strings.ToUpper(traceID) + "-" + spanID + "-01",
		"a span id in upper case":      "00-" + traceID + "-" + strings.ToUpper(spanID) + "-01",
		"flags that are no number":     "00-" + traceID + "-" + spanID + "-0g",
		"flags in upper case":          "00-" + traceID + "-" + spanID + "-0A",
		"underscores":                  strings.ReplaceAll(sampled, "-", "_"),
		"a trace id that is too long":  "00-" + traceID + "0-" + spanID + "-1",
		"white space before":           " " + sampled[:54],
		"a byte that is no text":       "00-" + traceID[:31] + "\xff-" + spanID + "-01",
	} {
		s := Parse([]byte(sent), [][]byte{[]byte("vendor=1")})
		if !valid(s.TraceID(), 32) || !valid(s.SpanID(), 16) || s.TraceID() == traceID {
			t.Errorf("%s: got the trace %q and the span %q, want new ones", name, s.TraceID(), s.SpanID())
		}
		if s.ParentID() != "" || s.Sampled() || s.State() != "" {
			t.Errorf("%s: got parent %q, sampled %t, state %q, want nothing of what came", name, s.ParentID(), s.Sampled(), s.State())
		}
	}
}

func TestTracestateIsPassedOnAsItCame(t *testing.T) {
	long := "a=" + strings.Repeat("x", 250) // 252 bytes
	for name, tt := range map[string]struct {
		sent []string
		want string
	}{
		"none":                    {nil, ""},
		"empty":                   {[]string{""}, ""},
		"one":                     {[]string{"congo=t61rcWkgMzE"}, "congo=t61rcWkgMzE"},
		"two, and white space":    {[]string{"rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE"}, "rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE"},
		"a tenant":                {[]string{"fw529a3039@dt=FfAaBbCc"}, "fw529a3039@dt=FfAaBbCc"},
		"empty members":           {[]string{"a=1,,b=2"}, "a=1,,b=2"},
		"two headers":             {[]string{"a=1", "b=2"}, "a=1,b=2"},
		"as much as is passed on": {[]string{long + "," + long + ",b=1234"}, long + "," + long + ",b=1234"},
		"more than is passed on":  {[]string{long + "," + long + ",b=12345"}, long + "," + long},
		"a key in upper case":     {[]string{"A=1"}, ""},
		"no value":                {[]string{"a"}, ""},
		"an empty value":          {[]string{"a="}, ""},
		"two values":              {[]string{"a=1=2"}, ""},
		"no key":                  {[]string{"=1"}, ""},
		"a key too long":          {[]string{strings.Repeat("a", 257) + "=1"}, ""},
		"a value too long":        {[]string{"a=" + strings.Repeat("1", 257)}, ""},
		"a line break":            {[]string{"a=1\r\nX-Request-ID: 1"}, ""},
		"a byte that is no ASCII": {[]string{"a=\xff"}, ""},
		"32 members":              {[]string{strings.Repeat("a=1,", 32)}, strings.Repeat("a=1,", 32)},
		"33 members":              {[]string{strings.Repeat("a=1,", 33)}, ""},
	} {
		var sent [][]byte
		for _, s := range tt.sent {
			sent = append(sent, []byte(s))
		}
		if got := Parse([]byte(sampled), sent).State(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestWhatIsSentOnNamesOurSpanAsTheParent(t *testing.T) {
	s := Parse([]byte("01-"+traceID+"-"+spanID+"-ff-more"), [][]byte{[]byte("vendor=1")})
	h := http.Header{}
	s.Send(h)
	if got, want := h.Get("traceparent"), "00-"+traceID+"-"+s.SpanID()+"-01"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := h.Get("tracestate"); got != "vendor=1" {
		t.Errorf("got the tracestate %q, want vendor=1", got)
	}
	if next := Parse([]byte(s.String()), nil); next.TraceID() != traceID || next.ParentID() != s.SpanID() || !next.Sampled() {
		t.Errorf("got %s after %s, want its trace, and it as the parent", next, s)
	}
}

func TestNoTraceIsNothing(t *testing.T) {
	var none *Span
	h := http.Header{}
	none.Send(h)
	if len(h) > 0 || none.TraceID()+none.SpanID()+none.ParentID()+none.State()+none.String() != "" || none.Sampled() {
		t.Errorf("got something of no trace: %v %v", h, none)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", none.Attr())
	if strings.Contains(log.String(), "trace") || strings.Contains(log.String(), "{}") {
		t.Errorf("got %s, want no ids of a trace", &log)
	}
	if ctx := context.Background(); With(ctx, nil) != ctx || From(ctx) != nil {
		t.Error("got a context with no trace changed, or a trace from one that has none")
	}
}

func TestContextCarriesTheSpan(t *testing.T) {
	s := Parse([]byte(sampled), nil)
	ctx, stop := context.WithCancel(With(t.Context(), s))
	defer stop()
	if got := From(context.WithoutCancel(ctx)); got != s {
		t.Errorf("got %v, want %v", got, s)
	}
}

func TestLogLinesHaveTheIds(t *testing.T) {
	s := Parse([]byte(sampled), nil)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "request_id", "r", s.Attr(), "route", "/")
	if want := `"request_id":"r","trace_id":"` + traceID + `","span_id":"` + s.SpanID() + `","route":"/"`; !strings.Contains(log.String(), want) {
		t.Errorf("got %s, want %s in it", &log, want)
	}
}

func TestOnlySampledTracesAreExemplars(t *testing.T) {
	for sent, want := range map[string]string{sampled: traceID, "00-" + traceID + "-" + spanID + "-00": "", "": ""} {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x", Help: "x", Buckets: []float64{1}})
		s := Parse([]byte(sent), nil)
		if sent == "" {
			s = nil
		}
		s.Observe(h, 0.5)
		if got := exemplar(t, h); got != want {
			t.Errorf("%q: got the exemplar %q, want %q", sent, got, want)
		}
	}
}

// exemplar is the trace of the one observation of a histogram, or empty.
func exemplar(t *testing.T, h prometheus.Histogram) string {
	t.Helper()
	registry, answer := prometheus.NewRegistry(), httptest.NewRecorder()
	registry.MustRegister(h)
	ask := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	ask.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(answer, ask)
	line, rest, _ := strings.Cut(answer.Body.String(), "x_bucket{le=\"1.0\"} 1")
	if line == "" || rest == "" {
		t.Errorf("got %s, want one observation", answer.Body)
	}
	_, rest, _ = strings.Cut(strings.SplitN(rest, "\n", 2)[0], `# {trace_id="`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// valid says whether text is an id of so many digits.
func valid(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == "" && strings.Trim(text, "0") != ""
}
