package history_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/history"
)

var histories = flag.Int("histories", 8, "how many histories are simulated for each bug")

// TestSimulatedFleets: a fleet that does everything right breaks no rule, and
// each thing that it may do wrong is found, by the rules that say so.
func TestSimulatedFleets(t *testing.T) {
	for b, rules := range map[bug]string{
		none:             "",
		ignoreToken:      "R1",
		trustRedis:       "R4",
		extendAge:        "R2",
		loseInvalidation: "R4",
		tornBatch:        "R3 R2 R1",
		lostAck:          "R0",
		fillRace:         "R4",
		errorAllows:      "R5",
	} {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			found := 0
			for seed := range *histories {
				violations := simulate(uint64(seed), b).Check(bound)
				if len(violations) > 0 {
					found++
				}
				for _, v := range violations {
					if !strings.Contains(rules, v.Rule) && b != lostAck {
						t.Fatalf("history %d: got %s, want one of %q", seed, v, rules)
					}
				}
			}
			if b == none && found > 0 || b != none && found < *histories/4 {
				t.Errorf("found in %d of %d histories", found, *histories)
			}
			t.Logf("found in %d of %d histories", found, *histories)
		})
	}
}

// A directory in which q is allowed from revision 2 to 3.
func small() history.History {
	s := time.Second
	return history.History{
		Commits: []history.Commit{
			{Revision: 1},
			{Revision: 2, Write: "grant", Answers: map[string]bool{"q": true, "p": true}},
			{Revision: 4, Write: "revoke", Answers: map[string]bool{"q": false}},
			{Revision: 5, Write: "unanswered", Answers: map[string]bool{"p": false}},
		},
		Writes: []history.Write{
			{ID: "grant", Sent: 1 * s, Done: 2 * s, Acked: true, Wants: map[string]bool{"q": true}},
			{ID: "revoke", Sent: 10 * s, Done: 11 * s, Acked: true, Wants: map[string]bool{"q": false}},
			{ID: "unanswered", Sent: 20 * s, Done: 21 * s},
			{ID: "refused", Sent: 20 * s, Done: 21 * s},
		},
	}
}

func TestOneReading(t *testing.T) {
	s := time.Second
	one := func(question string, allow bool) []history.Item {
		return []history.Item{{Question: question, Allow: allow}}
	}
	for name, c := range map[string]struct {
		reading history.Reading
		want    string
	}{
		"before anything":                       {history.Reading{Sent: 0, Done: s / 2, Items: one("q", false)}, ""},
		"allowed before it was asked for":       {history.Reading{Sent: 0, Done: s / 2, Items: one("q", true)}, "R2"},
		"allowed before it was acknowledged":    {history.Reading{Sent: s, Done: 3 * s / 2, Items: one("q", true)}, ""},
		"denied within the bound":               {history.Reading{Sent: 6 * s, Done: 7 * s, Items: one("q", false)}, ""},
		"denied beyond the bound":               {history.Reading{Sent: 8 * s, Done: 9 * s, Items: one("q", false)}, "R2"},
		"allowed within the bound of revoking":  {history.Reading{Sent: 15 * s, Done: 16 * s, Items: one("q", true)}, ""},
		"allowed beyond it":                     {history.Reading{Sent: 17 * s, Done: 18 * s, Items: one("q", true)}, "R2"},
		"allowed with the token":                {history.Reading{Sent: 12 * s, Done: 12 * s, Token: "revoke", Items: one("q", true)}, "R1"},
		"named before the token":                {history.Reading{Sent: 12 * s, Done: 12 * s, Token: "revoke", Names: 3, Items: one("q", true)}, "R1"},
		"named beyond the bound":                {history.Reading{Sent: 17 * s, Done: 18 * s, Names: 3, Items: one("q", false)}, "R2"},
		"named and denied there":                {history.Reading{Sent: 12 * s, Done: 12 * s, Names: 4, Items: one("q", true)}, "R4"},
		"named before anybody wrote it":         {history.Reading{Sent: 12 * s, Done: 12 * s, Names: 5, Items: one("q", false)}, "R4"},
		"of a write that was never answered":    {history.Reading{Sent: 40 * s, Done: 40 * s, Items: one("p", false)}, ""},
		"before a write that was not answered":  {history.Reading{Sent: 40 * s, Done: 40 * s, Items: one("p", true)}, ""},
		"two of one state":                      {history.Reading{Sent: 22 * s, Done: 22 * s, Items: append(one("p", true), one("q", false)...)}, ""},
		"two of two states":                     {history.Reading{Sent: 12 * s, Done: 22 * s, Items: append(one("p", false), one("q", true)...)}, "R3"},
		"an error":                              {history.Reading{Sent: 40 * s, Done: 40 * s, Failed: true}, ""},
		"an error that allows":                  {history.Reading{Sent: 12 * s, Done: 12 * s, Failed: true, Items: one("q", true)}, "R5"},
		"one that failed among others":          {history.Reading{Sent: 17 * s, Done: 18 * s, Items: append(one("p", true), history.Item{Question: "q", Failed: true})}, ""},
		"one that failed and allows":            {history.Reading{Sent: 12 * s, Done: 12 * s, Items: []history.Item{{Question: "q", Allow: true, Failed: true}}}, "R5"},
		"a question that nobody ever allows":    {history.Reading{Sent: 40 * s, Done: 40 * s, Items: one("x", false)}, ""},
		"a question that nobody allows allowed": {history.Reading{Sent: 40 * s, Done: 40 * s, Items: one("x", true)}, "R2"},
	} {
		t.Run(name, func(t *testing.T) {
			h := small()
			h.Readings = []history.Reading{c.reading}
			wantViolations(t, h, c.want)
		})
	}
}

func wantViolations(t *testing.T, h history.History, want string) {
	t.Helper()
	var got []string
	for _, v := range h.Check(5 * time.Second) {
		got = append(got, v.Rule)
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %q", h.Check(5*time.Second), want)
	}
}

func TestOneWrite(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *history.History)
		want   string
	}{
		"as they were": {func(*history.History) {}, ""},
		"lost":         {func(h *history.History) { h.Commits = append(h.Commits[:2], h.Commits[3:]...) }, "R0"},
		"kept twice":   {func(h *history.History) { h.Commits[3].Write = "grant" }, "R0 R0"},
		"kept in part": {func(h *history.History) { h.Writes[0].Wants = map[string]bool{"q": true, "x": true} }, "R0"},
		"not in order": {func(h *history.History) { h.Commits[3].Revision = 4 }, "R0"},
		"never kept":   {func(h *history.History) { h.Writes[3].Acked = true }, "R0"},
	} {
		t.Run(name, func(t *testing.T) {
			h := small()
			c.change(&h)
			wantViolations(t, h, c.want)
		})
	}
}
