package policy

import (
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/policies"
)

// Each step comes a second after the one before, and is looked at once.
func TestItIsToldWhenFilesWereLastGood(t *testing.T) {
	clock := time.Unix(1000, 0)
	coreDir, dir := house().dir(t, "core"), custom(`forbids := set()`).dir(t, "overlay")
	e := loaded(t, Options{
		Core: CoreAt(coreDir), Overlays: []Source{OverlayAt(dir)},
		Now: func() time.Time { return clock }, Registerer: prometheus.NewRegistry(),
	})
	edit := func(allowed string) func() { return func() { custom(allowed).write(t, dir) } }
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := 1000.0
	for _, step := range []struct {
		name string
		do   func()
		good bool
	}{
		{"nothing happens", func() {}, true},
		{"nothing happens again", func() {}, true},
		{"an edit is broken", edit(`forbids contains`), false},
		{"it stays so", func() {}, false},
		{"the core changes beside it", func() {
			tree{"house/data.yaml": "keys: {ann: [attic], bob: [], eve: [attic]}\n"}.write(t, coreDir)
		}, false},
		{"another is broken", edit(`forbids contains 1 + "a"`), false},
		{"it is taken back", edit(`forbids := set()`), true},
		{"the same is written again", edit(`forbids := set()`), true},
		{"the folder vanishes", move(dir, dir+".away"), false},
		{"it stays away", func() {}, false},
		{"it comes back", move(dir+".away", dir), true},
		{"it is edited", edit(`forbids contains "x" if false`), true},
	} {
		step.do()
		clock = clock.Add(time.Second)
		e.look(t.Context())
		if step.good {
			last = seconds(clock)
		}
		if got := testutil.ToFloat64(e.metrics.good.WithLabelValues("overlay")); got != last {
			t.Errorf("%s: got files that were good at %v, want %v", step.name, got, last)
		}
		if got := testutil.ToFloat64(e.metrics.good.WithLabelValues(Core)); got != seconds(clock) {
			t.Errorf("%s: got a core that was good at %v, want %v", step.name, got, seconds(clock))
		}
	}
}

func TestWhatIsEmbeddedIsNeverLookedAt(t *testing.T) {
	e := loaded(t, Options{Core: Embedded(policies.FS), Registerer: prometheus.NewRegistry()})
	e.look(t.Context())
	if n := testutil.CollectAndCount(e.metrics.good); n != 0 {
		t.Errorf("got %d series, want none", n)
	}
}
