package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan = "00f067aa0ba902b7"
)

// What one trace leaves behind at each server that had a part in it.
type left struct {
	Trace  string `json:"trace_id"`
	Span   string `json:"span_id"`
	Parent string `json:"parent_span_id"`
	Route  string `json:"route"`
	Sent   string `json:"message"` // a message of the outbox
	Custom struct {
		Parent string `json:"parent_span_id"`
	} `json:"custom"`
}

// A trace can be followed from the application through a sidecar that does not
// know the user yet to the server that has the directory: issue 5, part 6.
func TestATraceGoesAllTheWay(t *testing.T) {
	t.Parallel()
	shared := []string{"POSTERN_SECRET=" + strings.Repeat("s3cr3t", 8)}
	main := administered(t, install(t, append(shared, "POSTERN_LOG_LEVEL=debug", "POSTERN_DECISION_LOG=stdout", "POSTERN_WEBHOOK_ALLOW=127.0.0.1/32")...))
	sidecar := install(t, append(shared, "POSTERN_ONLY=decisions", "POSTERN_DECISION_LOG=stdout", "POSTERN_LOG_REQUESTS=true",
		"POSTERN_DIRECTORY_URL="+main.administration.base, "POSTERN_DIRECTORY_TOKEN="+main.replicate())...).serve(t)

	q, err := ask(strings.Fields("login:rosa service.view account:a-1001"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time everything is known
		x, err := sidecar.decisions.send(http.MethodPost, evaluation, q.json(),
			"traceparent: 00-"+traceID+"-"+callersSpan+"-01", "tracestate: vendor=1")
		if err != nil || !x.allows() {
			t.Fatalf("got %v\n%s\nwant it allowed", err, x)
		}
	}
	logged := traces(t, sidecar.stderr, 2, evaluation)
	if logged[0].Parent != callersSpan || logged[0].Span == logged[1].Span {
		t.Errorf("got %+v, want two spans of ours below that of the application", logged)
	}
	decided := traces(t, sidecar.stdout, 2, "")
	if decided[0].Span != logged[0].Span || decided[0].Custom.Parent != callersSpan {
		t.Errorf("got %+v in the decision log, want what the log has: %+v", decided[0], logged[0])
	}
	for _, read := range traces(t, main.stderr, 2, "/v1/feed/documents") { // the login, and whose it is
		if read.Parent != logged[0].Span {
			t.Errorf("got %+v of a read of the directory, want it below the first decision %+v", read, logged[0])
		}
	}
	wantExemplars(t, sidecar.ops, "postern_decision_duration_seconds", "postern_http_request_duration_seconds")
	portal := receive(t)
	main.does(http.StatusCreated, http.MethodPost, "/v1/organizations/acme/webhooks", fmt.Sprintf(`{"url":%q}`, portal.url))
	if g := portal.next(t); g.traceparent != "" {
		t.Errorf("got the traceparent %q of a request that had none", g.traceparent)
	}
	portal.status.Store(http.StatusServiceUnavailable)
	main.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME 2"}`, "traceparent: 00-"+traceID+"-"+callersSpan+"-01")
	managed := traces(t, main.stdout, 3, "") // whether the sidecar may read, twice, and whether the operator may change
	if managed[0].Custom.Parent != logged[0].Span || managed[2].Custom.Parent != callersSpan {
		t.Errorf("got %+v, want reads below the sidecar's span, and the change below that of who asked for it", managed)
	}
	wantTold(t, main, portal, managed[2].Span)
}

// wantTold wants a webhook, that is refused at first, to carry the trace at both
// attempts, each a span that a line of the log has.
func wantTold(t *testing.T, main office, portal *receiver, request string) {
	t.Helper()
	refused := portal.next(t)
	portal.status.Store(http.StatusNoContent)
	told := []telling{refused, portal.next(t)} // 5 s later
	for n, sent := range traces(t, main.stderr, 2, "") {
		if want := "00-" + traceID + "-" + sent.Span + "-01"; told[n].traceparent != want || sent.Sent != told[n].id {
			t.Errorf("attempt %d at %s carries %q, want %q of the line %+v", n+1, told[n].id, told[n].traceparent, want, sent)
		}
	}
	if told[0].traceparent == told[1].traceparent || strings.Contains(told[0].traceparent, request) {
		t.Errorf("got the spans %q and %q, want one for each attempt and not that of the request", told[0].traceparent, told[1].traceparent)
	}
}

// However decisions are asked for, each of them is found by its trace.
func TestEveryWayToAskCarriesTheTrace(t *testing.T) {
	t.Parallel()
	i := install(t, "POSTERN_DECISION_LOG=stdout")
	i.run(t, "import", acme(t))
	s := i.serve(t)
	q, err := ask(strings.Fields("login:rosa service.view account:a-1001"))
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{
		evaluation:                               q.json(),
		"/access/v1/evaluations":                 `{"evaluations":[` + q.json() + `]}`,
		"/v1/data/postern/access/decision":       `{"input":` + q.json() + `}`,
		"/v1/batch/data/postern/access/decision": `{"inputs":{"a":` + q.json() + `}}`,
	} {
		x, err := s.decisions.send(http.MethodPost, path, body, "traceparent: 00-"+traceID+"-"+callersSpan+"-00")
		if err != nil || x.status != http.StatusOK {
			t.Errorf("%s: got %v\n%s\nwant an answer", path, err, x)
		}
	}
	for _, decided := range traces(t, s.stdout, 4, "") {
		if decided.Custom.Parent != callersSpan {
			t.Errorf("got %+v, want it below the span of the application", decided)
		}
	}
	x, err := s.ops.send(http.MethodGet, "/metrics", "", "Accept: application/openmetrics-text; version=1.0.0")
	if err != nil || x.status != http.StatusOK || strings.Contains(x.body, "trace_id") {
		t.Errorf("got an exemplar of a trace that is not sampled, or %v", err)
	}
}

// traces waits for lines of the trace on a route, and returns them: as many as
// are wanted, and none else.
func traces(t *testing.T, r *record, want int, route string) (found []left) {
	t.Helper()
	r.await(nil, func(text string) bool {
		found = nil
		for line := range strings.Lines(text) {
			var l left
			if json.Unmarshal([]byte(line), &l) == nil && l.Trace == traceID && l.Route == route {
				found = append(found, l)
			}
		}
		return len(found) >= want
	})
	if len(found) != want {
		t.Fatalf("got %d lines of the trace on %q, want %d:\n%s", len(found), route, want, r)
	}
	return found
}

// wantExemplars wants the trace at an observation of each histogram, as a
// Prometheus that keeps exemplars asks for it.
func wantExemplars(t *testing.T, ops endpoint, histograms ...string) {
	t.Helper()
	x, err := ops.send(http.MethodGet, "/metrics", "", "Accept: application/openmetrics-text; version=1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range histograms {
		exemplar := regexp.MustCompile(fmt.Sprintf(`(?m)^%s_bucket\{.*\} \d+ # \{trace_id="%s"\} `, name, traceID))
		if !exemplar.MatchString(x.body) {
			t.Errorf("got no exemplar of %s:\n%.2000s", name, x.body)
		}
	}
}
