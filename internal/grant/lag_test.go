package grant_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/grant"
)

const lag = "postern_grants_invalidation_lag_seconds"

// lags are how many lags were observed, by what the look came about by, and
// their sum in seconds.
func lags(t *testing.T, registry *prometheus.Registry) (observed map[string]uint64, total float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	observed = map[string]uint64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == lag {
				observed[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
				total += m.GetHistogram().GetSampleSum()
			}
		}
	}
	return observed, total
}

// wantLag wants one observation, by one cause; none at all if that is empty.
func wantLag(t *testing.T, registry *prometheus.Registry, by string, want time.Duration) {
	t.Helper()
	observed, total := lags(t, registry)
	if len(observed) != 6 {
		t.Errorf("got the sources %v, want all six from the start", observed)
	}
	for source, n := range observed {
		if (n == 1) != (source == by) || n > 1 {
			t.Errorf("got %d lags by %s, want one by %q alone", n, source, by)
		}
	}
	if total != want.Seconds() {
		t.Errorf("got a lag of %v s, want %v", total, want)
	}
}

func TestTheLagOfAChangeIsObservedByWhatTheLookCameAboutBy(t *testing.T) {
	const after = 100 * time.Millisecond
	for _, tt := range []struct {
		by   string
		wait time.Duration
		hear func(*testing.T, *source, *grant.PIP)
		want time.Duration
	}{
		{by: "poll", want: 250 * time.Millisecond, hear: func(*testing.T, *source, *grant.PIP) { time.Sleep(time.Second) }},
		{by: "write", want: after, hear: func(_ *testing.T, _ *source, p *grant.PIP) { p.Wake(grant.CauseWrite) }},
		{by: "notify", want: after, hear: func(_ *testing.T, _ *source, p *grant.PIP) { p.Wake(grant.CauseNotify); p.Wake(grant.CauseWrite) }},
		{by: "redis", want: after, hear: func(_ *testing.T, _ *source, p *grant.PIP) { p.Wake(grant.CauseRedis) }},
		{by: "token", want: after, hear: func(t *testing.T, s *source, p *grant.PIP) { mustGather(t, p, rita, s.head()) }},
		{by: "feed", wait: time.Second, want: 10 * time.Millisecond, hear: func(*testing.T, *source, *grant.PIP) {}},
	} {
		t.Run(tt.by, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			bubble(t, grant.Options{Registerer: registry, Wait: tt.wait}, func(t *testing.T, s *source, p *grant.PIP) {
				s.write(demoted("u-regular"))
				time.Sleep(after)
				tt.hear(t, s, p)
				synctest.Wait()
				wantLag(t, registry, tt.by, tt.want)
			})
		})
	}
}

// A look that the source lets wait is begun again when a request cannot.
func TestTheLagOfALookThatWasCutShortIsThatOfTheRequest(t *testing.T) {
	registry := prometheus.NewRegistry()
	bubble(t, grant.Options{Registerer: registry, Wait: time.Second}, func(t *testing.T, s *source, p *grant.PIP) {
		s.set(func() { s.before = 300 * time.Millisecond })
		time.Sleep(200 * time.Millisecond) // a look has begun
		at := s.write(demoted("u-regular"))
		s.set(func() { s.before = 0 })
		mustGather(t, p, rita, at)
		wantLag(t, registry, "token", 10*time.Millisecond)
	})
}

func TestTheLagIsThatOfTheOldestChangeOfALook(t *testing.T) {
	registry := prometheus.NewRegistry()
	bubble(t, grant.Options{Registerer: registry}, func(t *testing.T, s *source, p *grant.PIP) {
		s.write(demoted("u-regular"))
		time.Sleep(200 * time.Millisecond)
		s.write(carrier())
		time.Sleep(200 * time.Millisecond)
		wantLag(t, registry, "poll", 250*time.Millisecond)
	})
}

func TestTheLagIsNeverNegative(t *testing.T) {
	for name, tt := range map[string]struct{ ahead, want time.Duration }{
		"the clock of who wrote it is ahead": {time.Hour, 0},
		"the clock of who wrote it is back":  {-time.Hour, time.Hour + 100*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			bubble(t, grant.Options{Registerer: registry}, func(t *testing.T, s *source, p *grant.PIP) {
				at := s.write(demoted("u-regular"))
				s.set(func() { s.committed[at] = s.committed[at].Add(tt.ahead) })
				time.Sleep(100 * time.Millisecond)
				p.Wake(grant.CauseWrite)
				synctest.Wait()
				wantLag(t, registry, "write", tt.want)
			})
		})
	}
}

func TestWhatHasNoLagIsNotObserved(t *testing.T) {
	for name, change := range map[string]func(*source){
		"a server that starts":                         func(*source) {},
		"a log that does not reach back":               func(s *source) { s.write(demoted("u-regular")); s.set(func() { s.oldest = 2 }) },
		"a directory that was restored":                func(s *source) { s.restore(0) },
		"a change of a Postern that does not say when": func(s *source) { at := s.write(demoted("u-regular")); s.set(func() { s.committed[at] = time.Time{} }) },
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			synctest.Test(t, func(t *testing.T) {
				s := newSource(carrier())
				s.write(demoted("u-end"))
				time.Sleep(time.Hour)
				p, stop := follow(t, grant.Options{Source: s, Registerer: registry})
				defer stop()
				if p.Head() != 1 {
					t.Fatalf("got revision %d, want 1", p.Head())
				}
				change(s)
				time.Sleep(time.Second)
				if want := s.head(); p.Head() != want {
					t.Errorf("got revision %d, want %d", p.Head(), want)
				}
				wantLag(t, registry, "", 0)
			})
		})
	}
}
