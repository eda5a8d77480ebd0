package test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/history"
)

var (
	histories = flag.Int("histories", 5, "how many histories TestHistories records")
	length    = flag.Duration("length", 6*time.Second, "how long each history is")
	firstSeed = flag.Uint64("seed", 1, "the first history's seed")
)

// staleness is the bound that the fleets of histories promise.
const staleness = time.Second

// TestHistories lets clients change grants and ask three sidecars while a
// nemesis breaks the fleet, and proves every answer against the trail: rules R0
// to R5 of package history.
func TestHistories(t *testing.T) {
	for n := range *histories {
		seed := *firstSeed + uint64(n)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			for longer := range time.Duration(3) { // a busy machine may be at its faults all the time
				violations, c := observe(t, program(t), seed, (1+longer)**length, faults())
				if len(violations) > 0 {
					t.Errorf("%d rules are broken, such as\n%s", len(violations), strings.Join(violations[:min(20, len(violations))], "\n"))
				}
				if c.acked > 0 && c.allowed > 0 && c.failed < c.readings {
					return
				}
			}
			t.Error("nothing was tested")
		})
	}
}

// observe runs one history and checks it.
func observe(t *testing.T, binary string, seed uint64, length time.Duration, from []fault) (violations []string, n counts) {
	t.Helper()
	c := newTopology(t, binary, onPostgreSQL, portal(users, accounts))
	w := newWorkload(c)
	w.run(seed)
	done := c.plague(rand.New(rand.NewPCG(seed, 1)), length, from)
	w.stop()
	c.ready()
	h := w.history()
	for _, v := range h.Check(staleness) {
		violations = append(violations, v.String())
	}
	n = counted(h)
	t.Logf("seed %d: %+v\n%s", seed, n, strings.Join(done, ", "))
	return violations, n
}

// Counts are how much happened in a history.
type counts struct{ writes, acked, commits, readings, failed, allowed, tokens int }

func counted(h history.History) counts {
	n := counts{writes: len(h.Writes), commits: len(h.Commits) - 1, readings: len(h.Readings)}
	for _, w := range h.Writes {
		if w.Acked {
			n.acked++
		}
	}
	for _, r := range h.Readings {
		if r.Failed {
			n.failed++
		}
		if r.Token != "" && !r.Failed {
			n.tokens++
		}
		for _, i := range r.Items {
			if i.Allow {
				n.allowed++
			}
		}
	}
	return n
}
