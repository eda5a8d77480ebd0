package history

import (
	"fmt"
	"slices"
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
	c := checker{truth: newTruth(h.Commits), revisions: map[string]Revision{}, bound: bound}
	c.commits(h)
	c.writes(h)
	c.acked, c.begun = newAcked(h.Writes, c.revisions), newBegun(h)
	for _, r := range h.Readings {
		c.reading(r)
	}
	return c.found
}

type checker struct {
	truth     truth
	revisions map[string]Revision // of writes that are in the log, by ID
	acked     steps
	begun     steps
	bound     time.Duration
	found     []Violation
}

func (c *checker) report(rule, format string, args ...any) {
	c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
}

// commits checks that the log goes upwards and has each write once (R0).
func (c *checker) commits(h History) {
	last := Revision(0)
	for _, commit := range h.Commits {
		if commit.Revision <= last {
			c.report(LostWrite, "the log goes from revision %d to %d", last, commit.Revision)
		}
		last = commit.Revision
		if commit.Write == "" {
			continue
		}
		if first, ok := c.revisions[commit.Write]; ok {
			c.report(LostWrite, "%s is in the log twice, at %d and %d", commit.Write, first, commit.Revision)
		}
		c.revisions[commit.Write] = commit.Revision
	}
}

// writes checks that what was acknowledged is there and did what it was to do
// (R0).
func (c *checker) writes(h History) {
	for _, w := range h.Writes {
		at, ok := c.revisions[w.ID]
		switch {
		case !w.Acked:
			continue
		case !ok:
			c.report(LostWrite, "%s was acknowledged at %s and is not in the log", w.ID, w.Done.Round(time.Millisecond))
			continue
		}
		for question, want := range w.Wants {
			if got := c.truth.at(question, at); got != want {
				c.report(LostWrite, "%s was acknowledged and is revision %d: %s is %s there, want %s", w.ID, at, question, word(got), word(want))
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
	token := c.revisions[r.Token] // one that was lost was reported
	if !c.names(r, token, oldest, newest) {
		return // what follows would say it again
	}
	if c.truth.explains(r.Items, max(oldest, token), newest) {
		return
	}
	switch {
	case token > oldest && c.truth.explains(r.Items, oldest, newest):
		c.report(BrokenToken, "%s: no revision from that of the token explains it", r)
	case c.separately(r.Items, max(oldest, token), newest):
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
func (c *checker) names(r Reading, token, oldest, newest Revision) bool {
	switch {
	case r.Names == 0:
		return true
	case r.Names < token:
		c.report(BrokenToken, "%s: its token is of revision %d", r, token)
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
	return fmt.Sprintf("%s, asked at %s until %s, token %q, of revision %d: %s", r.Replica,
		r.Sent.Round(time.Millisecond), r.Done.Round(time.Millisecond), r.Token, r.Names, strings.Join(answers, ", "))
}

func word(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
