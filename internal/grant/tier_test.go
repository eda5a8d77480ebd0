package grant_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/grant"
)

// A shelf is a tier that never forgets: it answers with any document that was
// ever put for a key, and sometimes with none. That is the worst that somebody
// can do who holds Redis and not the secret.
type shelf struct {
	mu   sync.Mutex
	docs map[authz.Key][]authz.Kept
	pick func(n int) int // which of n; n itself: none. Nil: the newest
}

func newShelf(pick func(int) int) *shelf {
	return &shelf{docs: map[authz.Key][]authz.Kept{}, pick: pick}
}

func (s *shelf) Put(keys []authz.Key, docs []authz.Document, asOf authz.Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, key := range keys {
		s.docs[key] = append(s.docs[key], authz.Kept{Document: docs[i], AsOf: asOf, OK: true})
	}
}

func (s *shelf) Get(_ context.Context, keys []authz.Key) []authz.Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := make([]authz.Kept, len(keys))
	for i, key := range keys {
		have := s.docs[key]
		n := len(have) - 1
		if s.pick != nil {
			n = s.pick(len(have))
		}
		if n >= 0 && n < len(have) {
			kept[i] = have[n]
		}
	}
	return kept
}

func TestWhatTheTierHoldsIsNotReadAgain(t *testing.T) {
	tier := newShelf(nil)
	bubble(t, grant.Options{Tier: tier}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		reads := s.count()
		another, stop := follow(t, grant.Options{Source: s, Tier: tier})
		defer stop()
		facts, _ := mustGather(t, another, rita, 0)
		if want := text(carrier().naive(rita[0], time.Now())); s.count() != reads || text(facts) != want {
			t.Errorf("got %s with %d more reads, want %s with none", text(facts), s.count()-reads, want)
		}
	})
}

func TestAServerThatStartsUsesWhatWasReadBeforeIfNothingChanged(t *testing.T) {
	tier := newShelf(nil)
	bubble(t, grant.Options{Tier: tier}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		s.write(demoted("u-primary"))
		another, stop := follow(t, grant.Options{Source: s, Tier: tier})
		defer stop()
		reads := s.count()
		if mustGather(t, another, rita, 0); s.count() != reads {
			t.Errorf("got %d more reads, want none: only somebody else changed", s.count()-reads)
		}
	})
}

// An entry that was true is replayed after a revocation (F06).
func TestWhatTheTierHoldsFromBeforeAChangeIsNotUsed(t *testing.T) {
	registry := prometheus.NewRegistry()
	tier := newShelf(func(n int) int { return 0 })
	bubble(t, grant.Options{Tier: tier, Registerer: registry}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		facts, _ := mustGather(t, p, rita, s.write(demoted("u-regular")))
		if text(facts["grants"]) != "[]" {
			t.Errorf("got grants %s, want none", text(facts["grants"]))
		}
		if n := count(t, registry, "postern_grants_cache_requests_total", "stale", "redis"); n == 0 {
			t.Error("the replayed document was not counted")
		}
	})
}

// The directory loses revisions 2 and 3 and writes others in their place: what
// the tier holds as of the lost ones was never true in this history (F13).
func TestWhatTheTierHoldsOfALostHistoryIsNotUsed(t *testing.T) {
	for name, restart := range map[string]bool{"by a server that saw it": false, "by a server that starts": true} {
		t.Run(name, func(t *testing.T) {
			tier := newShelf(nil)
			bubble(t, grant.Options{Tier: tier}, func(t *testing.T, s *source, p *grant.PIP) {
				s.write(demoted("u-regular"))
				mustGather(t, p, rita, s.write(carrier())) // granted again, as of a revision that will be lost
				s.restore(1)
				for range 3 {
					s.write(demoted("u-regular"))
				}
				if restart {
					another, stop := follow(t, grant.Options{Source: s, Tier: tier})
					defer stop()
					p = another
				}
				time.Sleep(time.Second)
				if facts, _ := mustGather(t, p, rita, 0); text(facts["grants"]) != "[]" {
					t.Errorf("got grants %s, want none", text(facts["grants"]))
				}
			})
		})
	}
}

// Between two looks the directory loses what it knew and is written past its old
// head: no revision goes backwards, and what is cached is still noticed to be of
// another history (F13).
func TestAHistoryThatWasRewrittenPastItsHeadIsNoticed(t *testing.T) {
	registry := prometheus.NewRegistry()
	bubble(t, grant.Options{Registerer: registry}, func(t *testing.T, s *source, p *grant.PIP) {
		s.write(demoted("u-regular"))
		mustGather(t, p, rita, s.write(carrier()))
		s.restore(1)
		for range 3 {
			s.write(demoted("u-primary"))
		}
		time.Sleep(time.Second)
		facts, revision := mustGather(t, p, rita, 0)
		if want := text(demoted("u-primary").naive(rita[0], time.Now())); revision != 4 || text(facts) != want {
			t.Errorf("got %s at revision %d, want %s at 4", text(facts), revision, want)
		}
		if n := count(t, registry, "postern_revision_regressions_total"); n != 1 {
			t.Errorf("got %v regressions counted, want 1", n)
		}
	})
}

// anyOf picks any of n, or none.
func anyOf(n int) int { return rand.IntN(n + 1) }
