package trace

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzParse compares Parse with the grammar as the specification writes it
// (§3.2.2), and wants what is sent on to be valid whatever came.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{sampled, "cc-" + traceID + "-" + spanID + "-01-x", "ff-" + traceID + "-" + spanID + "-00", "", strings.ToUpper(sampled)} {
		f.Add([]byte(seed), []byte("rojo=1,congo=2"))
	}
	grammar := regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(?s:.*))?)$`)
	f.Fuzz(func(t *testing.T, traceparent, tracestate []byte) {
		before := string(traceparent) + string(tracestate)
		s := Parse(traceparent, [][]byte{tracestate})
		if string(traceparent)+string(tracestate) != before {
			t.Fatalf("Parse changed what it was given: %q", before)
		}
		sent := string(traceparent)
		want := grammar.MatchString(sent) && !strings.HasPrefix(sent, "ff") && (sent[:2] != "00" || len(sent) == length) &&
			strings.Trim(sent[3:35], "0") != "" && strings.Trim(sent[36:52], "0") != ""
		if got := s.ParentID() != ""; got != want {
			t.Fatalf("Parse(%q): got it taken up %t, want %t", sent, got, want)
		}
		if want && s.TraceID() != sent[3:35] {
			t.Fatalf("Parse(%q): got the trace %s", sent, s.TraceID())
		}
		if next := Parse([]byte(s.String()), [][]byte{[]byte(s.State())}); next.ParentID() != s.SpanID() || next.State() != s.State() {
			t.Fatalf("%q %q became %q %q, which is not valid", traceparent, tracestate, s, s.State())
		}
		if len(s.State()) > maxState || strings.ContainsAny(s.State(), "\r\n\x00") || !strings.Contains(string(tracestate), s.State()) {
			t.Fatalf("got the tracestate %q of %q", s.State(), tracestate)
		}
	})
}

// However long the way, everybody on it is in one trace, each below the one
// before, and nobody's id is another's.
func TestTheWayIsOneTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flags := rapid.SampledFrom([]string{"00", "01"}).Draw(t, "flags")
		state := rapid.StringMatching(`([a-z][a-z0-9_]{0,20}=[a-z0-9]{1,20},){0,30}z=1`).Draw(t, "state")
		text, seen := "00-"+traceID+"-"+spanID+"-"+flags, map[string]bool{spanID: true}
		for parent := spanID; len(seen) < rapid.IntRange(2, 20).Draw(t, "servers"); {
			s := Parse([]byte(text), [][]byte{[]byte(state)})
			if s.TraceID() != traceID || s.ParentID() != parent || s.Sampled() != (flags == "01") || seen[s.SpanID()] {
				t.Fatalf("got %s below %s of %s", s, parent, text)
			}
			if len(state) <= maxState && s.State() != state || !strings.HasPrefix(state, s.State()) || len(state) > maxState && len(s.State()) < maxState-42 {
				t.Fatalf("got the tracestate %q of %q", s.State(), state)
			}
			text, parent, state = s.String(), s.SpanID(), s.State()
			seen[parent] = true
		}
	})
}

// A request is read without making garbage but for what is kept of it.
func TestParseMakesOnlyWhatIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		parent string
		state  []string
		want   float64
	}{
		"a trace":              {sampled, nil, 1},
		"a trace with a state": {sampled, []string{"congo=t61rcWkgMzE"}, 2},
		"no valid trace":       {sampled[:54], []string{"congo=t61rcWkgMzE"}, 2},
	} {
		parent, state := []byte(tt.parent), [][]byte{}
		for _, s := range tt.state {
			state = append(state, []byte(s))
		}
		if got := testing.AllocsPerRun(100, func() { Parse(parent, state) }); got > tt.want {
			t.Errorf("%s: got %v allocations, want %v", name, got, tt.want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parse([]byte(sampled), nil)
	}
}
