package history

import (
	"slices"
	"sort"
)

// A truth knows for each question the revisions at which its answer was set.
type truth map[string][]answer

type answer struct {
	since Revision
	allow bool
}

func newTruth(commits []Commit) truth {
	t := truth{}
	for _, c := range commits {
		for question, allow := range c.Answers {
			t[question] = append(t[question], answer{c.Revision, allow})
		}
	}
	return t
}

// at is the answer to a question at a revision.
func (t truth) at(question string, revision Revision) bool {
	answers := t[question]
	i := after(answers, revision)
	return i > 0 && answers[i-1].allow
}

// after is how many of the answers were set at a revision or before.
func after(answers []answer, revision Revision) int {
	return sort.Search(len(answers), func(i int) bool { return answers[i].since > revision })
}

// explains tells whether there is one revision, from the first to the last,
// at which all items that did not fail are true.
func (t truth) explains(items []Item, first, last Revision) bool {
	return slices.ContainsFunc(t.states(items, first, last), func(r Revision) bool {
		return !slices.ContainsFunc(items, func(i Item) bool {
			return !i.Failed && t.at(i.Question, r) != i.Allow
		})
	})
}

// states are the first revision and those after it, up to the last, at which the
// answer to a question of the items was set: between two of them nothing changes.
func (t truth) states(items []Item, first, last Revision) []Revision {
	if first > last {
		return nil
	}
	states := []Revision{first}
	for _, i := range items {
		answers := t[i.Question]
		for _, a := range answers[after(answers, first):after(answers, last)] {
			states = append(states, a.since)
		}
	}
	return states
}
