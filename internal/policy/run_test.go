package policy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/authz"
)

// What looks at no deadline is left behind, and counted until it comes back
// (D4, F22).
func TestAStuckEvaluationStillAnswers(t *testing.T) {
	registry := prometheus.NewRegistry()
	e := loaded(t, Options{Core: CoreAt(house().dir(t, "core")), Registerer: registry})
	release, gone := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	err := e.Run(ctx, func(context.Context) {
		defer close(gone)
		stop()
		<-release
	})
	if !errors.Is(err, authz.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v by cancellation", err, authz.ErrUnavailable)
	}
	if n := e.runner.stuck.Load(); n != 1 {
		t.Errorf("got %d stuck, want 1", n)
	}
	close(release)
	<-gone
	wait(t, "the stuck one to be counted out", func() bool { return e.runner.stuck.Load() == 0 })
	if n, err := testutil.GatherAndCount(registry, "postern_policy_stuck_evaluations"); n != 1 || err != nil {
		t.Errorf("got %d gauges, %v, want one", n, err)
	}
}

func TestTooManyStuckEvaluationsShedLoad(t *testing.T) {
	r := newRunner()
	release := make(chan struct{})
	var left sync.WaitGroup
	for range r.limit + 1 {
		ctx, stop := context.WithCancel(t.Context())
		left.Add(1)
		_ = r.run(ctx, func(context.Context) {
			defer left.Done()
			stop()
			<-release
		})
	}
	ran := false
	if err := r.run(t.Context(), func(context.Context) { ran = true }); !errors.Is(err, authz.ErrUnavailable) || ran {
		t.Errorf("got %v, ran %v, want %v at once", err, ran, authz.ErrUnavailable)
	}
	close(release)
	left.Wait()
	wait(t, "all to come back", func() bool { return r.stuck.Load() == 0 })
	if err := r.run(t.Context(), func(context.Context) { ran = true }); err != nil || !ran {
		t.Errorf("got %v, ran %v, want it to run again", err, ran)
	}
}

func TestAPanicIsAnErrorAndNothingStartsTooLate(t *testing.T) {
	r := newRunner()
	if err := r.run(t.Context(), func(context.Context) { panic("no") }); !errors.Is(err, ErrEvaluation) {
		t.Errorf("got %v, want %v", err, ErrEvaluation)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := r.run(ctx, func(context.Context) { t.Error("it ran") })
	if !errors.Is(err, authz.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, authz.ErrUnavailable)
	}
}

// A real policy that cannot be stopped: a value of a million strings by
// doubling, written out by one builtin. It comes back in its own time.
func TestAPolicyThatCannotBeStoppedIsLeftBehind(t *testing.T) {
	e := own(t, core(decisionOf+`{"decision": count(json.marshal(big)) > 0}
big := j if {
	a := [input.subject.id, input.subject.id, input.subject.id, input.subject.id]
	b := [a, a, a, a]; c := [b, b, b, b]; d := [c, c, c, c]; f := [d, d, d, d]
	g := [f, f, f, f]; h := [g, g, g, g]; i := [h, h, h, h]; j := [i, i, i, i]
}`))
	ctx, stop := context.WithCancel(t.Context())
	var decided error
	over := make(chan struct{})
	err := e.Run(ctx, func(ctx context.Context) {
		defer close(over)
		time.AfterFunc(time.Millisecond, stop) // well into the evaluation, mostly
		_, _, decided = e.Live().Decide(ctx, ask("u", "a", "r"), nil)
	})
	<-over
	if !errors.Is(err, authz.ErrUnavailable) && (err != nil || decided != nil) {
		t.Errorf("got %v, decided %v, want an answer or %v", err, decided, authz.ErrUnavailable)
	}
	wait(t, "the evaluation to be counted out", func() bool { return e.runner.stuck.Load() == 0 })
}

// Each answer is wholly of one generation, whatever is swapped meanwhile.
func TestSwapUnderLoad(t *testing.T) {
	sources := map[bool]Source{true: CoreAt(room("true").dir(t, "core")), false: CoreAt(room("false").dir(t, "core"))}
	e := loaded(t, Options{Core: sources[true]})
	said := map[string]bool{e.Live().Revision(): true}
	if err := e.Offer(t.Context(), sources[false]); err != nil {
		t.Fatal(err)
	}
	said[e.Live().Revision()] = false
	ctx, stop := context.WithCancel(t.Context())
	var askers sync.WaitGroup
	var answers atomic.Int64
	for range 4 {
		askers.Go(func() {
			for ctx.Err() == nil {
				g := e.Live()
				d, _, err := g.Decide(t.Context(), ask("u", "a", "r"), nil)
				rule := map[bool]string{true: "says.true", false: "says.false"}[d.Allow]
				if err != nil || said[g.Revision()] != d.Allow || len(d.Reasons) != 1 || d.Reasons[0].Rule != rule {
					t.Errorf("got %v %v %v at %s, want one generation's answer", d.Allow, d.Reasons, err, g.Revision())
				}
				answers.Add(1)
			}
		})
	}
	for i := range 50 {
		if err := e.Offer(t.Context(), sources[i%2 == 0]); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	askers.Wait()
	if answers.Load() == 0 {
		t.Error("nothing was answered meanwhile")
	}
}
