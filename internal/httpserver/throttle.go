package httpserver

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// recordsPerSecond is what a throttled log passes on.
const recordsPerSecond = 10

// Throttled is log for what requests can cause by the thousand, such as failures
// while the database is away: of each second it passes on the first records, and
// with the next one it says how many it has dropped since.
func Throttled(log *slog.Logger) *slog.Logger {
	return slog.New(throttled{log.Handler(), &quota{}})
}

type throttled struct {
	slog.Handler
	quota *quota
}

// Handle implements slog.Handler.
func (t throttled) Handle(ctx context.Context, r slog.Record) error {
	dropped, ok := t.quota.take(r.Time)
	if !ok {
		return nil
	}
	if dropped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("dropped", dropped))
	}
	return t.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (t throttled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return throttled{t.Handler.WithAttrs(attrs), t.quota}
}

// WithGroup implements slog.Handler.
func (t throttled) WithGroup(name string) slog.Handler {
	return throttled{t.Handler.WithGroup(name), t.quota}
}

// A quota counts the records of the present second.
type quota struct {
	mu      sync.Mutex
	second  time.Time
	passed  int
	dropped int // since the last one that was passed on
}

// take reports whether a record may be passed on, and how many before it were
// not.
func (q *quota) take(at time.Time) (dropped int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if second := at.Truncate(time.Second); second != q.second {
		q.second, q.passed = second, 0
	}
	if q.passed++; q.passed > recordsPerSecond {
		q.dropped++
		return 0, false
	}
	dropped, q.dropped = q.dropped, 0
	return dropped, true
}
