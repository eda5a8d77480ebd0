package test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var cuts = flag.Int("cuts", 8, "how many servers TestF16PowerCutsOfAFleet kills on each engine")

// F16, F26: servers of every kind are killed at any moment while clients write
// and ask. Every change that was acknowledged is there afterwards, none is there
// in part, the trail is whole, and no answer was wrong.
func TestF16PowerCutsOfAFleet(t *testing.T) {
	for _, engine := range []string{onSQLite, onPostgreSQL} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			powerCuts(t, engine)
		})
	}
}

func powerCuts(t *testing.T, engine string) {
	c := newTopology(t, program(t), engine, portal(users, accounts))
	killing := slices.DeleteFunc(faults(), func(f fault) bool {
		return !strings.HasSuffix(f.name, "is killed") || engine == onSQLite && strings.Contains(f.name, "PostgreSQL")
	})
	w := newWorkload(c)
	w.run(16)
	r := rand.New(rand.NewPCG(16, 0))
	for n := range *cuts {
		time.Sleep(time.Duration(20+r.IntN(380)) * time.Millisecond)
		heal, err := killing[n%len(killing)].inject(c, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := heal(); err != nil {
			t.Fatal(err)
		}
	}
	w.stop()
	c.ready()
	h := w.history()
	for _, v := range h.Check(staleness) {
		t.Error(v)
	}
	t.Logf("%d cuts: %+v", *cuts, counted(h))
	if counted(h).acked == 0 {
		t.Error("nothing was acknowledged")
	}
}
