package policy

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/postern-authz/postern/internal/authz"
)

// A runner gives answers at the deadline even when an evaluation is stuck: some
// builtins, and some values, look at no deadline (security.md D4).
type runner struct {
	stuck atomic.Int64
	limit int64
}

func newRunner() *runner { return &runner{limit: int64(2 * runtime.GOMAXPROCS(0))} }

// run calls fn on a goroutine of its own and returns nil when fn has. If ctx
// ends first it returns an error of kind authz.ErrUnavailable, and fn is left
// behind: what fn writes the caller may read only after nil, or by atomics. A
// panic of fn is an error of kind ErrEvaluation.
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
	done := make(chan error, 1)
	var ended atomic.Bool // by fn or by the caller, whoever comes first
	go func() {
		err := guarded(ctx, fn)
		if !ended.CompareAndSwap(false, true) {
			r.stuck.Add(-1)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	r.stuck.Add(1)
	if !ended.CompareAndSwap(false, true) {
		r.stuck.Add(-1)
		return <-done
	}
	return fmt.Errorf("the policy gave no answer in time: %w: %w", authz.ErrUnavailable, context.Cause(ctx))
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
