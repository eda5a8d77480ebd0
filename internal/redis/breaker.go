package redis

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// tolerance is how many calls in a row may fail at once before Redis counts as
// away. One that takes all the time it was given is enough: the next would too.
const tolerance = 3

// logEvery is how often it is logged that Redis fails.
const logEvery = time.Minute

// A breaker keeps requests from a Redis that does not answer. It is open until
// a probe has found Redis.
type breaker struct {
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time
	open    atomic.Bool
	opened  chan struct{} // asks for a probe

	mu     sync.Mutex // guards what follows
	failed int        // calls in a row
	logged map[string]time.Time
}

func newBreaker(m *metrics, log *slog.Logger, now func() time.Time) *breaker {
	b := &breaker{metrics: m, log: log, now: now, opened: make(chan struct{}, 1), logged: map[string]time.Time{}}
	b.set(true)
	b.opened <- struct{}{}
	return b
}

// closed tells whether Redis may be asked.
func (b *breaker) closed() bool { return !b.open.Load() }

func (b *breaker) set(open bool) {
	b.open.Store(open)
	b.metrics.opened(open)
}

// after takes note of how a call went. An answer that says no is an answer to a
// write, because a replica, or a server that is full, still reads.
func (b *breaker) after(operation string, err error) {
	var reply goredis.Error
	if err != nil {
		b.metrics.dependency.Failed(operation)
		b.warn("redis.failed", "Redis at POSTERN_REDIS_ADDRS fails; grants are read from the directory", "operation", operation, "err", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.failed = 0
		return
	case operation != opGet && errors.As(err, &reply):
		return
	}
	b.failed++
	if (b.failed >= tolerance || timedOut(err)) && b.closed() {
		b.set(true)
		select {
		case b.opened <- struct{}{}:
		default: // it is being probed already
		}
	}
}

// found says that Redis answers.
func (b *breaker) found() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = 0
	if b.open.Load() {
		b.set(false)
		b.log.Info("Redis answers")
	}
}

// warn logs one kind of message at most once a minute.
func (b *breaker) warn(kind, message string, args ...any) {
	now := b.now()
	b.mu.Lock()
	last, known := b.logged[kind]
	due := !known || now.Sub(last) >= logEvery
	if due {
		b.logged[kind] = now
	}
	b.mu.Unlock()
	if due {
		b.log.Warn(message, args...)
	}
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// pause waits, and tells whether ctx still runs.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
