package decisionlog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/trace"
)

func TestMain(m *testing.M) {
	// lumberjack removes old files in a goroutine that it never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// raw is a JSON text as the policy engine writes an input.
type raw string

func (r raw) AppendJSON(b []byte) []byte { return append(b, r...) }

func TestEventHasTheShapeOfOPA(t *testing.T) {
	span := trace.Parse([]byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), nil)
	events := []Event{
		{
			ID: "d1", BatchID: "b1", RequestID: "r1", Trace: span, Caller: "portal", API: "evaluations", Path: "postern/access/decision",
			Policy: "7f3a", Data: 42, Stale: true, Time: time.Date(2026, 11, 21, 23, 0, 0, 5000, time.FixedZone("CET", 3600)), Elapsed: 21 * time.Microsecond,
			Input: raw(`{"subject":{"type":"user","id":"usr_1","properties":{"email":"ann@example.com"}},"facts":{"place":[]}}`),
			Decision: authz.Decision{Allow: true, Context: json.RawMessage(`{"reasons": [{"rule":"access.role"}]}`),
				Rules: []string{"access.role"}},
		},
		{
			ID: "d2", API: "evaluation", Path: "postern/access/decision", Policy: "7f3a", Time: time.Unix(0, 0),
			Err: fmt.Errorf("gather facts of login ann: %w", authz.ErrUnavailable),
		},
	}
	want := `{"labels":{"id":"host-1"},"decision_id":"d1","batch_decision_id":"b1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"` + span.SpanID() + `","bundles":{"core":{"revision":"7f3a"}},"path":"postern/access/decision",` +
		`"input":{"subject":{"type":"user","id":"usr_1","properties":{}},"facts":{"place":[]}},"erased":["/input/subject/properties/email"],` +
		`"result":{"decision":true,"context":{"reasons":[{"rule":"access.role"}]}},"timestamp":"2026-11-21T22:00:00.000005Z",` +
		`"metrics":{"timer_rego_query_eval_ns":21000},"custom":{"api":"evaluations","data_revision":42,"sequence":1,"stale":true,"caller":"portal","request_id":"r1","parent_span_id":"00f067aa0ba902b7","rules":["access.role"]}}` + "\n" +
		`{"labels":{"id":"host-1"},"decision_id":"d2","bundles":{"core":{"revision":"7f3a"}},"path":"postern/access/decision",` +
		`"error":{"code":"unavailable","message":"gather facts of login ann: unavailable"},"timestamp":"1970-01-01T00:00:00Z",` +
		`"metrics":{"timer_rego_query_eval_ns":0},"custom":{"api":"evaluation","data_revision":0,"sequence":2}}` + "\n"

	var out bytes.Buffer
	l := New(Options{Sink: Stdout(&out), Labels: map[string]string{"id": "host-1"}, Log: discard()})
	for _, e := range events {
		l.Record(e)
	}
	closeLog(t, l)
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// T18: whatever applications send, an event is one line of JSON.
func TestEveryLineIsOneEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(drawEvent), 1, 40).Draw(t, "events")
		var out bytes.Buffer
		l := New(Options{Sink: Stdout(&out), Queue: len(events), Log: discard()})
		for _, e := range events {
			l.Record(e)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(out.Bytes(), []byte("\n"))
		if got := len(lines) - 1; got != len(events) {
			t.Fatalf("got %d lines, want %d", got, len(events))
		}
		for i, e := range events {
			checkLine(t, lines[i], e, i+1)
		}
	})
}

func drawEvent(t *rapid.T) Event {
	odd := rapid.StringOf(rapid.RuneFrom([]rune("ab\"\\\n\r\u2028\x00\x7fé{}")))
	e := Event{
		ID: odd.Draw(t, "id"), RequestID: odd.Draw(t, "request id"), Caller: odd.Draw(t, "caller"), API: "evaluation",
		Policy: odd.Draw(t, "policy"), Data: authz.Revision(rapid.Uint64().Draw(t, "data")),
	}
	if rapid.Bool().Draw(t, "failed") {
		e.Err = errors.New(odd.Draw(t, "error"))
		return e
	}
	input, _ := json.MarshalIndent(map[string]any{"subject": map[string]any{odd.Draw(t, "name"): odd.Draw(t, "value")}}, "", " ")
	e.Input = raw(input)
	e.Decision = authz.Decision{Allow: rapid.Bool().Draw(t, "allow"), Rules: rapid.SliceOf(odd).Draw(t, "rules")}
	return e
}

func checkLine(t *rapid.T, line []byte, e Event, sequence int) {
	var got struct {
		ID     string `json:"decision_id"`
		Input  any
		Result *struct{ Decision bool }
		Error  *struct{ Message string }
		Custom struct {
			Request  string         `json:"request_id"`
			Data     authz.Revision `json:"data_revision"`
			Sequence int
			Rules    []string
		}
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatalf("got %v in %q", err, line)
	}
	if got.ID != e.ID || got.Custom.Request != e.RequestID || got.Custom.Data != e.Data || got.Custom.Sequence != sequence {
		t.Fatalf("got %+v, want %+v as number %d", got, e, sequence)
	}
	if (got.Error != nil) != (e.Err != nil) || (got.Result != nil) != (e.Err == nil) || e.Err == nil && got.Result.Decision != e.Decision.Allow {
		t.Fatalf("got %s, want %+v", line, e)
	}
}

func TestConcurrentEventsDoNotInterleave(t *testing.T) {
	var out bytes.Buffer
	const writers, each = 8, 200
	l := New(Options{Sink: Stdout(&out), Queue: writers * each, Log: discard()})
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				l.Record(Event{ID: fmt.Sprint(i), Caller: fmt.Sprint(w)})
			}
		})
	}
	all.Wait()
	closeLog(t, l)
	next := map[string]int{}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var got struct {
			ID     string `json:"decision_id"`
			Custom struct{ Caller string }
		}
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint(next[got.Custom.Caller]); got.ID != want {
			t.Fatalf("writer %s: got event %s, want %s", got.Custom.Caller, got.ID, want)
		}
		next[got.Custom.Caller]++
	}
	for w := range writers {
		if got := next[fmt.Sprint(w)]; got != each {
			t.Errorf("writer %d: got %d events, want %d", w, got, each)
		}
	}
}

// F34: a sink that is stuck never makes a decision wait.
func TestStuckSinkKeepsFewLargeInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &gate{open: make(chan struct{})}
		l := New(Options{Sink: Stdout(stuck), Log: discard()})
		l.Record(Event{ID: "0"})
		synctest.Wait() // the writer is stuck with the first one
		for range 10 {
			l.Record(Event{Size: maxBuffered / 4})
		}
		l.Record(Event{ID: "small"})
		if got := len(l.queue); got != 5 {
			t.Errorf("got %d events in the queue, want the 4 that fit and a small one", got)
		}
		close(stuck.open)
		synctest.Wait()
		if got := l.buffered.Load(); got != 0 {
			t.Errorf("got %d bytes buffered when all is written, want 0", got)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestStuckSinkBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &gate{open: make(chan struct{})}
		registry := prometheus.NewPedanticRegistry()
		logged := &logLines{}
		l := New(Options{Sink: Stdout(stuck), Queue: 10, Log: logged.logger(), Registerer: registry})
		l.Record(Event{ID: "0"})
		synctest.Wait() // the writer is stuck with the first one
		for i := range 110 {
			l.Record(Event{ID: fmt.Sprint(i + 1)})
		}
		want := `
# HELP postern_decision_log_buffered_events Decision log events that wait to be written.
# TYPE postern_decision_log_buffered_events gauge
postern_decision_log_buffered_events{sink="stdout"} 10
# HELP postern_decision_log_events_total Decision log events by sink and by what became of them: written, dropped because the sink was too slow, or failed because it refused them.
# TYPE postern_decision_log_events_total counter
postern_decision_log_events_total{result="dropped",sink="stdout"} 100
postern_decision_log_events_total{result="failed",sink="stdout"} 0
postern_decision_log_events_total{result="written",sink="stdout"} 0
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		if got := logged.count(); got < 1 || got > 2 {
			t.Errorf("got %d lines about 100 events lost in one moment, want one at once, and one a minute later if some came after it", got)
		}
		for range 600 { // ten minutes of losses
			l.Record(Event{})
			time.Sleep(time.Second)
		}
		if got := logged.count(); got < 11 || got > 13 {
			t.Errorf("got %d lines after 10 minutes of losses, want one a minute", got)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Close(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close while stuck: got %v, want a deadline", err)
		}
		l.Record(Event{}) // dropped: no panic
		close(stuck.open)
		if err := l.Close(t.Context()); err != nil {
			t.Errorf("close again: got %v", err)
		}
		if got := strings.Count(stuck.String(), "\n"); got != 11 {
			t.Errorf("got %d lines, want the 11 that waited", got)
		}
	})
}

func TestSinkThatFailsRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &broken{}
		registry := prometheus.NewRegistry()
		logged := &logLines{}
		l := New(Options{Sink: Stdout(sink), Log: logged.logger(), Registerer: registry})
		record := func(id string) {
			l.Record(Event{ID: id})
			synctest.Wait()
		}
		record("a")
		sink.room = 20 // the disk is full in the middle of a line
		record("b")
		sink.room = 0 // and then altogether
		record("c")
		sink.room = -1
		record("d")
		closeLog(t, l)
		lines := strings.Split(strings.TrimSpace(sink.String()), "\n")
		if len(lines) != 3 || !json.Valid([]byte(lines[0])) || json.Valid([]byte(lines[1])) || !strings.Contains(lines[2], `"decision_id":"d"`) || !json.Valid([]byte(lines[2])) {
			t.Errorf("got %q, want a, a broken line, d", lines)
		}
		if got := testutil.ToFloat64(l.metrics.failed); got != 2 {
			t.Errorf("got %v failed, want 2", got)
		}
		if got := testutil.ToFloat64(l.metrics.written); got != 2 {
			t.Errorf("got %v written, want 2", got)
		}
		if !strings.Contains(logged.String(), "no space") {
			t.Errorf("got log %q, want the reason", logged)
		}
	})
}

func TestFileIsKeptWithinItsSizeAndNumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "decisions.ndjson")
	sink, err := File(path, 1<<20, 2)
	if err != nil {
		t.Fatal(err)
	}
	l := New(Options{Sink: sink, Queue: 5000, Log: discard()})
	long := raw(`{"x":"` + strings.Repeat("x", 1000) + `"}`)
	for range 4000 {
		l.Record(Event{ID: "d", Input: long})
	}
	closeLog(t, l)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 1<<20 {
			t.Errorf("%s: got %v and %d bytes (%v), want 0600 and at most 1 MiB", file, info.Mode(), info.Size(), err)
		}
	}
	if len(files) < 2 {
		t.Errorf("got %v, want files put aside", files)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got directory %v (%v), want 0700", info, err)
	}
}

func TestFileGoesOnAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.ndjson")
	if err := os.WriteFile(path, []byte("{\"decision_id\":\"old\"}\n{\"decis"), 0o600); err != nil {
		t.Fatal(err)
	}
	sink, err := File(path, 1<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := New(Options{Sink: sink, Log: discard()})
	l.Record(Event{ID: "new"})
	closeLog(t, l)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 || !strings.Contains(lines[2], `"decision_id":"new"`) || !json.Valid([]byte(lines[2])) {
		t.Errorf("got %q, want the new event on a line of its own", lines)
	}
}

func TestFileThatCannotBeWrittenIsRefusedAtOnce(t *testing.T) {
	if _, err := File(t.TempDir(), 1<<20, 1); err == nil {
		t.Error("a directory: got no error")
	}
}

func TestMetricsAreClean(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	l := New(Options{Sink: Stdout(io.Discard), Log: discard(), Registerer: registry})
	closeLog(t, l)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("got %v (%v), want no problems", problems, err)
	}
}

func BenchmarkRecord(b *testing.B) {
	l := New(Options{Sink: Stdout(io.Discard), Log: discard()})
	input := raw(`{"subject":{"type":"user","id":"usr_1"},"action":{"name":"invoice.view"},"resource":{"type":"invoice","id":"i1","properties":{"account":"a1"}},"facts":{"user":{"id":"usr_1","kind":"personal"},"place":["account:a1","company:acme-south","organization:acme","realm:customer"]}}`)
	e := Event{ID: "d", Path: "postern/access/decision", Input: input, Decision: authz.Decision{Context: json.RawMessage(`{"reasons":[{"rule":"access.role"}]}`)}}
	for b.Loop() {
		l.Record(e)
	}
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkEncode(b *testing.B) {
	n := newEncoder(nil)
	input := raw(`{"subject":{"type":"user","id":"usr_1"},"action":{"name":"invoice.view"},"resource":{"type":"invoice","id":"i1","properties":{"account":"a1"}},"facts":{"user":{"id":"usr_1","kind":"personal"},"place":["account:a1","company:acme-south","organization:acme","realm:customer"]}}`)
	e := entry{Event: Event{ID: "d", Path: "postern/access/decision", Input: input, Decision: authz.Decision{Context: json.RawMessage(`{"reasons":[{"rule":"access.role"}]}`)}}}
	var line []byte
	for b.Loop() {
		line = n.append(line[:0], e)
	}
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// gate lets nothing through until it is open.
type gate struct {
	open chan struct{}
	bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(b)
}

// broken has room for so many bytes; -1 is room without an end.
type broken struct {
	room int
	bytes.Buffer
}

func (s *broken) Write(b []byte) (int, error) {
	if s.room < 0 || s.Len() == 0 {
		return s.Buffer.Write(b)
	}
	n, _ := s.Buffer.Write(b[:min(s.room, len(b))])
	s.room -= n
	if n < len(b) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// logLines is what an operator sees.
type logLines struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logLines) Write(b []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.Buffer.Write(b)
}

func (l *logLines) count() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Count(l.Buffer.String(), "\n")
}
