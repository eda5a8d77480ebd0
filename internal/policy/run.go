package policy

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// A runner gives answers at the deadline even when an evaluation is stuck: some
// builtins, and some values, look at no deadline (security.md D4).
//
// Its workers live on from run to run: an evaluation needs a deep stack, and to
// grow one costs more than most evaluations do.
type runner struct {
	stuck atomic.Int64
	limit int64
	jobs  chan *job // to workers that have nothing to do
}

// A job is one call of run.
type job struct {
	ctx   context.Context
	fn    func(context.Context)
	done  chan error
	ended atomic.Bool // by the worker or by the caller, whoever comes first
}

// idle is how long a worker waits for another job.
const idle = 100 * time.Millisecond

func newRunner() *runner {
	return &runner{limit: int64(2 * runtime.GOMAXPROCS(0)), jobs: make(chan *job)}
}

// run calls fn on another goroutine and returns nil when fn has. If ctx ends
// first it returns an error of kind authz.ErrUnavailable, and fn is left behind:
// what fn writes the caller may read only after nil, or by atomics. A panic of
// fn is an error of kind ErrEvaluation.
//
// While more are left behind than twice GOMAXPROCS, nothing is started and the
// error comes at once: what is stuck holds a processor each.
func (r *runner) run(ctx context.Context, fn func(context.Context)) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("no time is left to evaluate the policy: %w: %w", authz.ErrUnavailable, context.Cause(ctx))
	}
	if n := r.stuck.Load(); n > r.limit {
		return fmt.Errorf("%d evaluations are stuck: %w", n, authz.ErrUnavailable)
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case r.jobs <- j:
	default:
		go r.work(j)
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	r.stuck.Add(1)
	if !j.ended.CompareAndSwap(false, true) {
		r.stuck.Add(-1)
		return <-j.done
	}
	return fmt.Errorf("the policy gave no answer in time: %w: %w", authz.ErrUnavailable, context.Cause(ctx))
}

// work does a job, and others that come while it is not idle for long.
func (r *runner) work(j *job) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		err := guarded(j.ctx, j.fn)
		if !j.ended.CompareAndSwap(false, true) {
			r.stuck.Add(-1)
		}
		j.done <- err
		timer.Reset(idle)
		select {
		case j = <-r.jobs:
		case <-timer.C:
			return
		}
	}
}

func guarded(ctx context.Context, fn func(context.Context)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v", ErrEvaluation, p)
		}
	}()
	fn(ctx)
	return nil
}
