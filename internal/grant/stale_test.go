package grant_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/grant"
)

// cutOff has what rita asks about in the cache, and then nothing of the directory
// for so long.
func cutOff(t *testing.T, s *source, p *grant.PIP, since time.Duration) {
	t.Helper()
	mustGather(t, p, rita, 0)
	s.set(func() { s.readErr, s.changesErr = errCut, errCut })
	time.Sleep(since)
}

var servesStale = grant.Options{MaxStaleness: bound, ServeStale: time.Hour}

func TestStaleFactsAreServedAndMarkedWhereThatIsAllowed(t *testing.T) {
	bubble(t, servesStale, func(t *testing.T, s *source, p *grant.PIP) {
		cutOff(t, s, p, bound-time.Second)
		want, _ := mustGather(t, p, rita, 0) // still within the bound, and not marked
		for _, since := range []time.Duration{2 * time.Second, time.Minute, 58 * time.Minute} {
			time.Sleep(since)
			values, asOf, err := p.Gather(t.Context(), rita, 0)
			if err != nil || asOf != (authz.AsOf{Stale: true}) || text(plain(values[0])) != text(want) {
				t.Errorf("got %v as of %+v, %v, want %s, stale", values, asOf, err, text(want))
			}
			if err := p.Fresh(); err != nil {
				t.Errorf("got %v, want it ready while it serves", err)
			}
			if age, stale := p.Stale(); !stale || age <= bound {
				t.Errorf("got age %s, stale %v, want it said", age, stale)
			}
		}
		time.Sleep(2 * time.Minute)
		_, _, err := p.Gather(t.Context(), rita, 0)
		wantError(t, err, authz.ErrUnavailable, "longer than POSTERN_MAX_STALENESS=3s and POSTERN_SERVE_STALE_FOR=1h0m0s together")
		wantError(t, p.Fresh(), authz.ErrUnavailable, "POSTERN_SERVE_STALE_FOR")
	})
}

func TestStaleFactsAreNotServedByDefault(t *testing.T) {
	bubble(t, grant.Options{MaxStaleness: bound}, func(t *testing.T, s *source, p *grant.PIP) {
		cutOff(t, s, p, bound+time.Second)
		_, _, err := p.Gather(t.Context(), rita, 0)
		wantError(t, err, authz.ErrUnavailable, "longer than POSTERN_MAX_STALENESS=3s: ")
	})
}

func TestStaleFactsAreWholeAndNotOlderThanTheToken(t *testing.T) {
	bubble(t, servesStale, func(t *testing.T, s *source, p *grant.PIP) {
		cutOff(t, s, p, bound+time.Second)
		_, _, err := p.Gather(t.Context(), rita, 1)
		wantError(t, err, authz.ErrUnavailable, "last read")
		other := []authz.Request{rita[0], ask("user", "u-primary", rita[0].Resource)}
		_, _, err = p.Gather(t.Context(), other, 0)
		wantError(t, err, authz.ErrUnavailable, "last read")
	})
}

// A directory that hangs takes half of the time, and the answer comes within it.
func TestAHungDirectoryLeavesTimeForStaleFacts(t *testing.T) {
	for name, hang := range map[string]func(*source){
		"and looks at deadlines": func(s *source) { s.hang = true }, "and does not": func(s *source) { s.locked = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, servesStale, func(t *testing.T, s *source, p *grant.PIP) {
				mustGather(t, p, rita, 0)
				s.set(func() { hang(s) })
				time.Sleep(bound + 4*time.Second)
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				_, asOf, err := p.Gather(ctx, rita, 0)
				if took := time.Since(begin); err != nil || !asOf.Stale || took != 50*time.Millisecond {
					t.Errorf("got %+v, %v after %s, want a stale answer after 50ms", asOf, err, took)
				}
				s.set(func() { s.hang, s.locked = false, false })
				time.Sleep(10 * time.Second)
			})
		})
	}
}

func TestADirectoryThatAnswersIsAskedBeforeStaleFactsAreServed(t *testing.T) {
	bubble(t, servesStale, func(t *testing.T, s *source, p *grant.PIP) {
		cutOff(t, s, p, bound+time.Second)
		s.write(demoted("u-regular"))
		s.set(func() { s.readErr = nil }) // the change log cannot be read yet
		if facts, revision := mustGather(t, p, rita, 0); revision != 1 || text(facts["grants"]) != "[]" {
			t.Errorf("got grants %s at revision %d, want none at 1", text(facts["grants"]), revision)
		}
	})
}

// A directory that can be read and is at less than before has lost what it knew:
// the cache may be of what it lost.
func TestStaleFactsAreNotServedOverALesserRevision(t *testing.T) {
	bubble(t, servesStale, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, s.write(demoted("u-primary")))
		cutOff(t, s, p, bound+time.Second)
		s.restore(0)
		s.set(func() { s.readErr = nil })
		_, _, err := p.Gather(t.Context(), rita, 0)
		wantError(t, err, authz.ErrUnavailable, "is at revision 0 and was at 1 before")
	})
}

// While the directory is waited for, the change log is read again: what it tells
// counts, and nothing is stale.
func TestWhatIsHeardWhileWaitingCounts(t *testing.T) {
	bubble(t, servesStale, func(t *testing.T, s *source, p *grant.PIP) {
		cutOff(t, s, p, bound+time.Second)
		s.set(func() { s.readErr, s.hang = nil, true })
		time.AfterFunc(100*time.Millisecond, func() { s.set(func() { s.changesErr, s.hang = nil, false }); p.Wake(grant.CauseNotify) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, asOf, err := p.Gather(ctx, rita, 0); err != nil || asOf.Stale {
			t.Errorf("got %+v, %v, want an answer that is not stale", asOf, err)
		}
	})
}

// A token that was revoked is no directory that is away: who was shut out serves
// nothing.
func TestStaleFactsAreNotServedToWhoMayNotReadTheDirectoryAnyMore(t *testing.T) {
	for _, kind := range []error{authz.ErrUnauthenticated, authz.ErrForbidden} {
		bubble(t, servesStale, func(t *testing.T, s *source, p *grant.PIP) {
			cutOff(t, s, p, bound+time.Second)
			s.set(func() { s.readErr = kind })
			_, _, err := p.Gather(t.Context(), rita, 0)
			wantError(t, err, authz.ErrUnavailable, "last read")
			_, _, held := p.Held(t.Context(), rita[0].Subject, 0)
			wantError(t, held, authz.ErrUnavailable, "last read")
			if errors.Is(err, kind) || errors.Is(held, kind) {
				t.Errorf("got %v, which sounds as if it were the asker who is not known", err)
			}
		})
	}
}
