package history

import (
	"sort"
	"time"
)

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
func newAcked(writes []Write, revisions map[string]Revision) (s steps) {
	for _, w := range writes {
		if w.Acked {
			s = append(s, step{w.Done, revisions[w.ID]})
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
