package history

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// The rules, as a Violation names them.
const (
	LostWrite     = "R0" // what was acknowledged is in the log
	BrokenToken   = "R1" // an answer is of the token's revision or a later one
	Stale         = "R2" // an answer is of a state that was the newest one no longer than the bound before it was asked for
	TornBatch     = "R3" // one revision explains all answers of a request
	WrongRevision = "R4" // the revision that a response names explains it
	ErrorAllows   = "R5" // what failed allows nothing
)

// A Violation is a rule that was broken, and how.
type Violation struct {
	Rule string
	Text string
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }

// Check returns what is wrong with a history whose replicas promise that bound
// on staleness.
func (h History) Check(bound time.Duration) []Violation {
	c := checker{truth: newTruth(h.Commits), acked: newAcked(h.Writes), begun: newBegun(h), bound: bound}
	c.writes(h)
	for _, r := range h.Readings {
		c.reading(r)
	}
	return c.found
}

type checker struct {
	truth truth
	acked steps
	begun steps
	bound time.Duration
	found []Violation
}

func (c *checker) report(rule, format string, args ...any) {
	c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
}

// writes checks R0: each is in the log once, where its client was told, and
// the directory was then as the client wished.
func (c *checker) writes(h History) {
	in := map[string][]Revision{}
	for i, commit := range h.Commits {
		if i > 0 && commit.Revision <= h.Commits[i-1].Revision {
			c.report(LostWrite, "the log goes from revision %d to %d", h.Commits[i-1].Revision, commit.Revision)
		}
		if commit.Write != "" {
			in[commit.Write] = append(in[commit.Write], commit.Revision)
		}
	}
	for _, w := range h.Writes {
		at := in[w.ID]
		if len(at) > 1 {
			c.report(LostWrite, "%s is in the log %d times: %v", w.ID, len(at), at)
		}
		if !w.Acked {
			continue
		}
		if len(at) == 1 && at[0] != w.At {
			c.report(LostWrite, "%s was acknowledged as of revision %d and is in the log at %d", w.ID, w.At, at[0])
		}
		for question, want := range w.Wants {
			if got := c.truth.at(question, w.At); got != want {
				c.report(LostWrite, "%s was acknowledged as of revision %d: %s is %s there, want %s", w.ID, w.At, question, word(got), word(want))
			}
		}
	}
}

// reading checks R1 to R5. A state that could have been seen is one between
// oldest and newest.
func (c *checker) reading(r Reading) {
	if c.fails(r) || r.Failed {
		return
	}
	oldest, newest := c.acked.at(r.Sent-c.bound), c.begun.at(r.Done)
	if !c.names(r, oldest, newest) {
		return // what follows would say it again
	}
	if c.truth.explains(r.Items, max(oldest, r.AtLeast), newest) {
		return
	}
	switch {
	case r.AtLeast > oldest && c.truth.explains(r.Items, oldest, newest):
		c.report(BrokenToken, "%s: no revision from that of the token explains it", r)
	case c.separately(r.Items, max(oldest, r.AtLeast), newest):
		c.report(TornBatch, "%s: each answer is explained by a revision of %d to %d, all of them by none", r, oldest, newest)
	default:
		c.report(Stale, "%s: no revision of %d to %d explains it", r, oldest, newest)
	}
}

// fails checks R5.
func (c *checker) fails(r Reading) bool {
	for _, i := range r.Items {
		if i.Allow && (r.Failed || i.Failed) {
			c.report(ErrorAllows, "%s: an error allows %s", r, i.Question)
			return true
		}
	}
	return false
}

// names checks the revision that a response names.
func (c *checker) names(r Reading, oldest, newest Revision) bool {
	switch {
	case r.Names == 0:
		return true
	case r.Names < r.AtLeast:
		c.report(BrokenToken, "%s: it is of an earlier revision than its token", r)
	case r.Names < oldest:
		c.report(Stale, "%s: revision %d had been acknowledged %s before it was asked for", r, oldest, c.bound)
	case r.Names > newest:
		c.report(WrongRevision, "%s: nobody had begun to write more than revision %d", r, newest)
	case !c.truth.explains(r.Items, r.Names, r.Names):
		c.report(WrongRevision, "%s: the directory says otherwise at that revision", r)
	default:
		return true
	}
	return false
}

func (c *checker) separately(items []Item, from, to Revision) bool {
	return len(items) > 1 && !slices.ContainsFunc(items, func(i Item) bool {
		return !c.truth.explains([]Item{i}, from, to)
	})
}

func (r Reading) String() string {
	var answers []string
	for _, i := range r.Items {
		answers = append(answers, i.Question+" "+word(i.Allow))
	}
	return fmt.Sprintf("%s, asked at %s until %s, token %d, of revision %d: %s", r.Replica,
		r.Sent.Round(time.Millisecond), r.Done.Round(time.Millisecond), r.AtLeast, r.Names, strings.Join(answers, ", "))
}

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// Steps are a revision that grows in time.
type steps []step

type step struct {
	at       time.Duration
	revision Revision
}

// at is the revision at a time; 0 before the first step.
func (s steps) at(t time.Duration) Revision {
	i := sort.Search(len(s), func(i int) bool { return s[i].at > t })
	if i == 0 {
		return 0
	}
	return s[i-1].revision
}

// newAcked is the newest revision that was surely committed at a time.
func newAcked(writes []Write) (s steps) {
	for _, w := range writes {
		if w.Acked {
			s = append(s, step{w.Done, w.At})
		}
	}
	sort.Slice(s, func(i, j int) bool { return s[i].at < s[j].at })
	for i := 1; i < len(s); i++ {
		s[i].revision = max(s[i].revision, s[i-1].revision)
	}
	return s
}

// newBegun is the newest revision that can have been committed at a time: its
// write and all before it were sent. What nobody recorded was there before.
func newBegun(h History) (s steps) {
	sent := map[string]time.Duration{}
	for _, w := range h.Writes {
		sent[w.ID] = w.Sent
	}
	latest := time.Duration(0)
	for _, commit := range h.Commits {
		latest = max(latest, sent[commit.Write])
		s = append(s, step{latest, commit.Revision})
	}
	return s
}
