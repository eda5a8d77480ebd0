package grant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/grant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs f in virtual time with a PIP that follows a source.
func bubble(t *testing.T, o grant.Options, f func(t *testing.T, s *source, p *grant.PIP)) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(carrier())
		o.Source = s
		p := grant.New(o)
		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() {
			if err := p.Follow(ctx); err != nil {
				t.Errorf("Follow: got %v, want nil", err)
			}
		})
		synctest.Wait()
		f(t, s, p)
		stop()
		following.Wait()
		time.Sleep(time.Minute) // loads outlive those who asked, but not by that
	})
}

// rita asks about the account that she was granted.
var rita = []authz.Request{ask("user", "u-regular", resource("account", "a1", nil))}

// mustGather gathers and returns the facts of the first request.
func mustGather(t *testing.T, p *grant.PIP, requests []authz.Request, atLeast authz.Revision) (object, authz.Revision) {
	t.Helper()
	values, asOf, err := p.Gather(t.Context(), requests, atLeast)
	if err != nil || asOf.Stale {
		t.Fatalf("Gather: %+v, %v", asOf, err)
	}
	return plain(values[0]), asOf.Revision
}

func wantError(t *testing.T, err, kind error, words string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(fmt.Sprint(err), words) {
		t.Errorf("got error %v, want one of kind %v with %q", err, kind, words)
	}
}

// demoted is the carrier after a user lost everything.
func demoted(id string) model {
	m := carrier()
	m.users[id] = user{kind: "personal"}
	return m
}

func TestNothingIsServedBeforeTheFirstLook(t *testing.T) {
	p := grant.New(grant.Options{Source: newSource(carrier())})
	_, _, err := p.Gather(t.Context(), rita, 0)
	wantError(t, err, authz.ErrUnavailable, "has not been read yet")
	wantError(t, p.Fresh(), authz.ErrUnavailable, "has not been read yet")
}

func TestAChangeCountsWithinTheInterval(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		s.write(demoted("u-regular"))
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		facts, revision := mustGather(t, p, rita, 0)
		if revision != 1 || text(facts["grants"]) != "[]" {
			t.Errorf("got grants %s at revision %d, want none at 1", text(facts["grants"]), revision)
		}
	})
}

func TestATokenIsNotKeptWaiting(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		token := s.write(demoted("u-regular"))
		begin := time.Now()
		facts, revision := mustGather(t, p, rita, token)
		if revision != token || text(facts["grants"]) != "[]" || time.Since(begin) != 0 {
			t.Errorf("got grants %s at revision %d after %s, want none at %d at once", text(facts["grants"]), revision, time.Since(begin), token)
		}
	})
}

func TestATokenAheadOfTheDirectoryIsRefused(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		begin := time.Now()
		_, _, err := p.Gather(t.Context(), rita, 7)
		wantError(t, err, authz.ErrAhead, "revision 7 is asked for and the directory is at 0")
		if waited := time.Since(begin); waited > 250*time.Millisecond {
			t.Errorf("waited %s, want at most 250ms", waited)
		}
	})
}

func TestATokenAheadOfTheDirectoryIsToldApartWithinADeadline(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := p.Gather(ctx, rita, 7)
		wantError(t, err, authz.ErrAhead, "revision 7 is asked for and the directory is at 0")
	})
}

func TestATokenIsUnavailableWhileTheDirectoryIsAway(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		token := s.write(demoted("u-regular"))
		s.set(func() { s.changesErr = errCut })
		_, _, err := p.Gather(t.Context(), rita, token)
		wantError(t, err, authz.ErrUnavailable, "could not be asked")

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, _, err = p.Gather(ctx, rita, token)
		wantError(t, err, authz.ErrUnavailable, "wait for revision 1")
		wantError(t, err, context.Canceled, "")
	})
}

func TestATokenWaitsForADirectoryThatLags(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		time.AfterFunc(100*time.Millisecond, func() { s.write(demoted("u-regular")) })
		if _, revision := mustGather(t, p, rita, 1); revision != 1 {
			t.Errorf("got revision %d, want 1", revision)
		}
	})
}

func TestACutConnectionEndsAtTheBound(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		s.set(func() { s.hang = true })
		s.write(demoted("u-regular"))
		time.Sleep(4 * time.Second)
		mustGather(t, p, rita, 0) // still within the bound
		time.Sleep(1100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := p.Gather(ctx, rita, 0)
		wantError(t, err, authz.ErrUnavailable, "was last read 5.1s ago, longer than POSTERN_MAX_STALENESS=5s")
		wantError(t, p.Fresh(), authz.ErrUnavailable, "POSTERN_MAX_STALENESS=5s")

		s.set(func() { s.hang = false })
		time.Sleep(6 * time.Second)
		if err := p.Fresh(); err != nil {
			t.Errorf("Fresh after the connection came back: %v", err)
		}
		if facts, _ := mustGather(t, p, rita, 0); text(facts["grants"]) != "[]" {
			t.Errorf("got grants %s, want none", text(facts["grants"]))
		}
	})
}

func TestALockedDirectoryHoldsNoAnswerUp(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		s.set(func() { s.locked = true })
		time.Sleep(6 * time.Second)
		for range 3 {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, _, err := p.Gather(ctx, rita, 0)
			cancel()
			wantError(t, err, authz.ErrUnavailable, "longer than POSTERN_MAX_STALENESS=5s")
			if waited := time.Since(begin); waited > 100*time.Millisecond {
				t.Errorf("waited %s, want the 100ms there were", waited)
			}
		}
	})
}

func TestAStaleCacheIsReadThrough(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		s.set(func() { s.changesErr = errCut })
		s.write(demoted("u-regular"))
		time.Sleep(6 * time.Second)
		byLogin := []authz.Request{ask("login", "rita", resource("account", "a1", nil))}
		facts, revision := mustGather(t, p, byLogin, 1)
		if want := text(demoted("u-regular").naive(byLogin[0], time.Now())); revision != 1 || text(facts) != want {
			t.Errorf("got %s at revision %d, want %s at 1", text(facts), revision, want)
		}
		_, _, err := p.Gather(t.Context(), rita, 2)
		wantError(t, err, authz.ErrAhead, "revision 2 is asked for and the directory is at 1")
	})
}

func TestADirectoryThatWentBackwardsIsBelievedFromThenOn(t *testing.T) {
	registry := prometheus.NewRegistry()
	bubble(t, grant.Options{Registerer: registry}, func(t *testing.T, s *source, p *grant.PIP) {
		s.write(demoted("u-regular"))
		s.write(demoted("u-primary"))
		_, revision := mustGather(t, p, rita, 2)
		s.restore(0)
		time.Sleep(300 * time.Millisecond)
		facts, after := mustGather(t, p, rita, 0)
		if revision != 2 || after != 0 || text(facts) != text(carrier().naive(rita[0], time.Now())) {
			t.Errorf("got %s at revision %d, before at %d, want the directory as it was at 0", text(facts), after, revision)
		}
		_, _, err := p.Gather(t.Context(), rita, 2)
		wantError(t, err, authz.ErrAhead, "")
		if n := count(t, registry, "postern_revision_regressions_total"); n != 1 {
			t.Errorf("got %v regressions counted, want 1", n)
		}
	})
}

// What was read before the directory went backwards must not count after it,
// even if it arrives later and the new history has come as far.
func TestWhatWasReadBeforeARestoreIsDropped(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		s.write(demoted("u-primary"))
		s.write(demoted("u-regular"))
		time.Sleep(time.Second)
		s.set(func() { s.telling = 2 * time.Second })
		var asking sync.WaitGroup
		asking.Go(func() { p.Gather(t.Context(), rita, 0) })
		time.Sleep(time.Second) // the documents are read at revision 2, and on their way
		s.restore(0)
		s.set(func() { s.telling = 0 })
		time.Sleep(500 * time.Millisecond)
		for range 3 {
			s.write(carrier()) // the new history, in which rita keeps her grants
		}
		asking.Wait()
		time.Sleep(time.Second)
		facts, revision := mustGather(t, p, rita, 0)
		if want := text(carrier().naive(rita[0], time.Now())); revision != 3 || text(facts) != want {
			t.Errorf("got %s at revision %d, want %s at 3", text(facts), revision, want)
		}
	})
}

// A document read ahead of the follower, of a state the directory then loses,
// shows that it went backwards though the follower never saw that state.
func TestALostStateThatOnlyAReadSawIsNoticed(t *testing.T) {
	registry := prometheus.NewRegistry()
	bubble(t, grant.Options{Registerer: registry, PollInterval: time.Hour}, func(t *testing.T, s *source, p *grant.PIP) {
		s.write(demoted("u-regular"))
		s.set(func() { s.onRead = func() { s.onRead = nil; s.restore(0) } })
		p.Gather(t.Context(), rita, 0)
		if facts, _ := mustGather(t, p, rita, 0); text(facts) != text(carrier().naive(rita[0], time.Now())) {
			t.Errorf("got %s, want the directory as it is", text(facts))
		}
		if n := count(t, registry, "postern_revision_regressions_total"); n != 1 {
			t.Errorf("got %v regressions counted, want 1", n)
		}
	})
}

// A read that finds less than the follower has seen is not mixed with what is
// cached, but shows the follower what happened.
func TestAReadOfALesserRevisionIsNotMixedIn(t *testing.T) {
	bubble(t, grant.Options{PollInterval: time.Hour, MaxStaleness: time.Hour}, func(t *testing.T, s *source, p *grant.PIP) {
		s.write(demoted("u-primary"))
		mustGather(t, p, []authz.Request{ask("user", "u-primary", authz.Resource{})}, s.write(demoted("u-primary")))
		s.restore(0)
		s.write(demoted("u-regular"))
		s.set(func() { s.before = 100 * time.Millisecond })
		one := []authz.Request{ask("user", "u-regular", authz.Resource{})}
		var both sync.WaitGroup
		for _, after := range []time.Duration{0, 150 * time.Millisecond} { // the second while the follower looks
			both.Go(func() {
				time.Sleep(after)
				facts, revision := mustGather(t, p, one, 0)
				if want := text(demoted("u-regular").naive(one[0], time.Now())); revision != 1 || text(facts) != want {
					t.Errorf("after %s: got %s at revision %d, want %s at 1", after, text(facts), revision, want)
				}
			})
		}
		both.Wait()
	})
}

func TestALesserRevisionIsNotReadThrough(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, s.write(demoted("u-regular")))
		s.set(func() { s.changesErr = errCut })
		time.Sleep(6 * time.Second)
		s.restore(0)
		_, _, err := p.Gather(t.Context(), rita, 0)
		wantError(t, err, authz.ErrUnavailable, "the directory is at revision 0 and was at 1 before")
	})
}

func TestAResetDropsEverything(t *testing.T) {
	registry := prometheus.NewRegistry()
	bubble(t, grant.Options{Registerer: registry}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		s.write(demoted("u-regular"))
		s.set(func() { s.oldest = 1 })
		time.Sleep(time.Second)
		if facts, _ := mustGather(t, p, rita, 0); text(facts["grants"]) != "[]" {
			t.Errorf("got grants %s, want none", text(facts["grants"]))
		}
		if n := count(t, registry, "postern_grants_invalidations_total", "reset"); n != 4 {
			t.Errorf("got %v entries dropped by a reset, want 4: a user and three accounts", n)
		}
	})
}

func TestAHerdReadsOnce(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		s.set(func() { s.before = 50 * time.Millisecond })
		var herd sync.WaitGroup
		for range 500 {
			herd.Go(func() {
				mustGather(t, p, []authz.Request{ask("user", "u-regular", resource("company", "acme-south", nil))}, 0)
			})
		}
		herd.Wait()
		if n := s.count(); n != 1 {
			t.Errorf("got %d reads for 500 requests, want 1", n)
		}
	})
}

func TestAReadOutlivesTheRequestThatBeganIt(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		s.set(func() { s.before = 3 * time.Second })
		huge := []authz.Request{ask("user", "u-regular", resource("company", "acme-south", nil))}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := p.Gather(ctx, huge, 0)
		wantError(t, err, authz.ErrUnavailable, "deadline exceeded")
		time.Sleep(4 * time.Second)
		s.set(func() { s.before = 0 })
		mustGather(t, p, huge, 0)
		if n := s.count(); n != 1 {
			t.Errorf("got %d reads, want the one of the request that gave up", n)
		}
	})
}

func TestWhatIsUnknownIsRememberedUntilItComesIntoBeing(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		stranger := []authz.Request{ask("user", "u-new", resource("invoice", "i", nil))}
		for range 3 {
			if facts, _ := mustGather(t, p, stranger, 0); facts["user"] != nil {
				t.Fatalf("got user %s, want none", text(facts["user"]))
			}
		}
		if n := s.count(); n != 1 {
			t.Errorf("got %d reads, want 1", n)
		}
		if facts, _ := mustGather(t, p, stranger, s.write(demoted("u-new"))); facts["user"] == nil {
			t.Error("got no user after it came into being")
		}
	})
}

func TestTooManyReadsAreRefused(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		s.set(func() { s.hang = true })
		var failed sync.WaitGroup
		for i := range 1100 {
			failed.Go(func() {
				_, _, err := p.Gather(t.Context(), []authz.Request{ask("user", fmt.Sprint("u", i), authz.Resource{})}, 0)
				wantError(t, err, authz.ErrUnavailable, "")
			})
		}
		synctest.Wait()
		_, _, err := p.Gather(t.Context(), rita, 0)
		wantError(t, err, authz.ErrUnavailable, "1024 reads of the directory are under way already")
		if n := s.count(); n != 32 {
			t.Errorf("got %d reads at once, want 32", n)
		}
		failed.Wait()
	})
}

// A badSource is a source whose reads are not what was agreed.
type badSource struct {
	*source
	docs []authz.Document
}

func (s badSource) Read(context.Context, []authz.Key) ([]authz.Document, authz.Point, error) {
	if s.docs == nil {
		panic("no driver")
	}
	return s.docs, authz.Point{}, nil
}

func TestABadSourceIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		docs  []authz.Document
		words string
	}{
		"one that panics":                 {nil, "panicked: no driver"},
		"one that answers something else": {make([]authz.Document, 7), "7 documents for 2 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			p, stop := follow(t, grant.Options{Source: badSource{newSource(carrier()), c.docs}})
			defer stop()
			_, _, err := p.Gather(t.Context(), rita, 0)
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got error %v, want one with %q", err, c.words)
			}
		})
	}
}

func TestAWriterThatNeverRestsIsReadThrough(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		n := 0
		s.set(func() {
			s.onRead = func() { // rita changes whenever she has just been read
				n++
				m := demoted("u-regular")
				m.users["u-regular"] = user{kind: "personal", mfa: n%2 == 0}
				s.write(m)
			}
		})
		_, revision := mustGather(t, p, rita, 0)
		if revision == 0 || int(revision) >= n {
			t.Errorf("got revision %d of %d, want one of the last reading", revision, n)
		}
	})
}

func TestGrantsEndWhenTheyExpire(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		m := carrier()
		end := time.Now().Add(time.Minute)
		m.users["u-regular"] = user{kind: "personal", members: []membership{{organization: "acme", affiliation: "customer", state: "active", role: "regular",
			grants: map[authz.Scope]time.Time{"account:a1": end}, tools: map[string]tool{"wan_analysis": {[]string{"a1"}, end}}}}}
		s.write(m)
		time.Sleep(time.Minute - time.Millisecond)
		facts, _ := mustGather(t, p, rita, 1)
		if got := text(facts["grants"]) + text(facts["user"].(object)["tools"]); got != `[{"role":"regular","scope":"account:a1"},{"scope":"account:a1","tool":"wan_analysis"}]{"wan_analysis":1}` {
			t.Errorf("a millisecond before: got %s", got)
		}
		time.Sleep(time.Millisecond)
		facts, _ = mustGather(t, p, rita, 1)
		if got := text(facts["grants"]) + text(facts["user"].(object)["tools"]); got != "[]{}" {
			t.Errorf("at the end: got %s, want []{}", got)
		}
	})
}

// count is the value of a series, given by the values of its labels.
func count(t *testing.T, registry *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			have := ""
			for _, l := range m.GetLabel() {
				have += l.GetValue() + " "
			}
			if family.GetName() == name && strings.TrimSpace(have) == strings.Join(labels, " ") {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	begin, err := testutil.GatherAndCount(registry)
	if err != nil || begin != 0 {
		t.Fatalf("got %d series, error %v", begin, err)
	}
	bubble(t, grant.Options{Registerer: registry}, func(t *testing.T, s *source, p *grant.PIP) {
		first, err := testutil.GatherAndCount(registry)
		if err != nil {
			t.Fatal(err)
		}
		mustGather(t, p, rita, 0)
		mustGather(t, p, rita, 0)
		mustGather(t, p, []authz.Request{ask("user", "nobody", authz.Resource{})}, s.write(demoted("u-regular")))
		s.set(func() { s.changesErr, s.readErr = errCut, errCut })
		time.Sleep(10 * time.Second)
		p.Gather(t.Context(), rita, 0)

		for name, want := range map[string]float64{
			"postern_grants_cache_requests_total stale memory": 1,
			"postern_grants_cache_requests_total hit store":    4,
			"postern_grants_cache_requests_total miss store":   1,
			"postern_grants_cache_requests_total error store":  2,
			"postern_grants_cache_entries memory":              4,
			"postern_grants_invalidations_total token":         1,
			"postern_directory_revision":                       1,
			"postern_revision_regressions_total":               0,
			"postern_decision_grants_age_seconds":              3,
			"postern_grants_staleness_seconds":                 10,
		} {
			fields := strings.Fields(name)
			if got := count(t, registry, fields[0], fields[1:]...); got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		last, err := testutil.GatherAndCount(registry)
		if err != nil || last != first {
			t.Errorf("got %d series after use and %d before, error %v; want the same", last, first, err)
		}
		problems, err := testutil.GatherAndLint(registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("promlint: %v, error %v", problems, err)
		}
	})
}

// patiently gathers again while that is unavailable: on a machine with much to
// do a look at the change log takes longer than a request waits.
func patiently(t *testing.T, p *grant.PIP, requests []authz.Request, atLeast authz.Revision) (values []ast.Value, revision authz.Revision, err error) {
	for range 100 {
		var asOf authz.AsOf
		values, asOf, err = p.Gather(t.Context(), requests, atLeast)
		revision = asOf.Revision
		if !errors.Is(err, authz.ErrUnavailable) {
			break
		}
	}
	return values, revision, err
}

// TestReadersAndWriters has them run side by side in real time: whoever read
// what it wrote sees it, and every answer is true at its revision.
func TestReadersAndWriters(t *testing.T) {
	s := newSource(carrier())
	p, stop := follow(t, grant.Options{Source: s, PollInterval: time.Millisecond, CacheBytes: 12_000, Now: clock})
	defer stop()
	var mu sync.Mutex
	models := []model{carrier()}
	write := func(m model) authz.Revision {
		mu.Lock()
		defer mu.Unlock()
		models = append(models, m)
		return s.write(m)
	}
	asked := []authz.Request{rita[0], ask("login", "rita", resource("service", "a1", nil)), ask("user", "u-end", resource("invoice", "i", authz.Properties{"account": "a1"}))}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 100 {
				var token authz.Revision
				if n < 2 {
					m := carrier()
					m.groups["east"] = group{"acme", []string{"a1", "k1"}[:i%3%2+n]}
					m.users["u-regular"] = user{kind: fmt.Sprint(n, " ", i)}
					token = write(m)
				}
				values, revision, err := patiently(t, p, asked, token)
				if err != nil || revision < token {
					t.Errorf("got revision %d, error %v, want at least %d", revision, err, token)
					return
				}
				mu.Lock()
				m := models[revision]
				mu.Unlock()
				for j, r := range asked {
					if got, want := text(plain(values[j])), text(m.naive(r, today)); got != want {
						t.Errorf("%+v at revision %d:\n got %s\nwant %s", r, revision, got, want)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// An application could fill the cache with ids of its own making, and a sidecar's
// request to the directory beyond what that takes.
func TestAnIDThatIsLongerThanAnyIsNotRead(t *testing.T) {
	bubble(t, grant.Options{}, func(t *testing.T, s *source, p *grant.PIP) {
		mustGather(t, p, rita, 0)
		reads, long := s.count(), strings.Repeat("a", 1000)
		mustGather(t, p, []authz.Request{ask("user", "u-regular", resource("account", long, nil)), ask("login", long, resource("account", "a1", nil))}, 0)
		if s.count() != reads {
			t.Errorf("got %d more reads, want none", s.count()-reads)
		}
	})
}
