// Package outbox hands what was committed to whoever delivers it: at least once,
// and for a bounded time.
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/pap"
)

// A Store keeps the outbox. None of its methods makes a revision.
type Store interface {
	// ClaimMessages takes up to limit messages of a channel that are due: neither
	// delivered nor given up, available at now, and not claimed by another. They
	// come by revision and id, the oldest first. It claims them until now and
	// lock, and counts the attempt, so that Attempts is 1 the first time. Of the
	// messages of one webhook it only ever takes the oldest that waits, so that
	// none overtakes another.
	ClaimMessages(ctx context.Context, channel string, now time.Time, lock time.Duration, limit int) ([]pap.Message, error)
	// MessageDelivered ends a message well.
	MessageDelivered(ctx context.Context, id string, at time.Time) error
	// MessageFailed frees a message that is to be tried again from retryAt, or,
	// if final, gives it up as of retryAt.
	MessageFailed(ctx context.Context, id, reason string, retryAt time.Time, final bool) error
	// OutboxDepth is the backlog by channel; a channel without one may be missing.
	OutboxDepth(ctx context.Context) (map[string]pap.Backlog, error)
}

// A Trail hears of what an administrator wants to know of: it ends the message and
// tells the audit trail in one transaction. A message that has ended is not an
// error.
type Trail interface {
	// Delivered and Undelivered end the mail of an invitation.
	Delivered(ctx context.Context, message string, at time.Time) error
	Undelivered(ctx context.Context, message, reason string, at time.Time) error
	// DisableWebhook gives up a message to a webhook whose receiver is gone, and
	// keeps further events from that.
	DisableWebhook(ctx context.Context, message, reason string, at time.Time) error
}

// A Courier delivers messages of one channel. Any number of goroutines may use
// it at once. What it returns says what becomes of the message: nil, it was
// delivered; *Undeliverable or *Gone, it never will be; anything else, it is
// tried again later. It returns soon after ctx is done.
type Courier interface {
	Deliver(ctx context.Context, m pap.Message) error
}

// A Reason is why a message was not delivered, in one word of a closed list. It
// is shown to administrators and holds no address and no secret. What was tried
// until its time was over has gave-up- before the reason of the last attempt.
type Reason string

// The reasons of the worker. Couriers have more.
const (
	// ReasonObsolete: what the message was about is over, such as an invitation
	// that was revoked or sent again.
	ReasonObsolete Reason = "obsolete"
	// ReasonGone: the receiver of a webhook answered 410.
	ReasonGone        Reason = "gone"
	ReasonTimeout     Reason = "timeout"
	ReasonInterrupted Reason = "interrupted" // the server stopped
	ReasonInternal    Reason = "internal"
)

// An Undeliverable says that a message will never arrive.
type Undeliverable struct{ Reason Reason }

func (e *Undeliverable) Error() string { return "the message cannot be delivered: " + string(e.Reason) }

// A Gone says that nobody listens any more: the webhook is disabled.
type Gone struct{}

func (e *Gone) Error() string { return "the webhook is gone" }

// A Delay says that a message did not arrive this time.
type Delay struct {
	Reason Reason
	After  time.Duration // not before; 0: as the back-off has it
	Err    error         // for the log: it names no person and holds no secret; may be nil
}

func (e *Delay) Error() string {
	if e.Err == nil {
		return "the message was not delivered: " + string(e.Reason)
	}
	return "the message was not delivered: " + string(e.Reason) + ": " + e.Err.Error()
}

func (e *Delay) Unwrap() error { return e.Err }

// A Route is how messages of one channel travel.
type Route struct {
	// Courier may be nil: then messages wait, and a warning says so once.
	Courier Courier
	// Parallel is how many are delivered at a time; default 4.
	Parallel int
	Backoff  Backoff
}

// Options are what a Worker works with. Store and Trail are required.
type Options struct {
	Store      Store
	Trail      Trail
	Routes     map[string]Route // by channel
	Registerer prometheus.Registerer
	Log        *slog.Logger
	Now        func() time.Time
	// Poll is how often the outbox is looked at when nothing wakes the worker;
	// default 1s.
	Poll time.Duration
	// Lock is how long a message is nobody else's; default 2m. A delivery may
	// take half of it. After a crash that is how long a message waits.
	Lock time.Duration
	// Grace is how long deliveries may go on when the worker is told to stop;
	// default 10s.
	Grace time.Duration
}

// A Worker delivers the outbox of one directory. Any number of servers may run
// one each.
type Worker struct {
	Options
	channels []*channel
	metrics  *metrics
}

// New makes a worker and its metrics. It does nothing until Run.
func New(o Options) (*Worker, error) {
	if o.Store == nil || o.Trail == nil {
		return nil, errors.New("the outbox needs a store and a trail")
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	setDefault(&o.Poll, time.Second)
	setDefault(&o.Lock, 2*time.Minute)
	setDefault(&o.Grace, 10*time.Second)
	w := &Worker{Options: o, metrics: newMetrics(o.Registerer, o.Now)}
	for _, name := range channels {
		w.channels = append(w.channels, newChannel(w, name, o.Routes[name]))
	}
	return w, nil
}

func setDefault(d *time.Duration, unset time.Duration) {
	if *d <= 0 {
		*d = unset
	}
}

// Wake says that something was committed, so that it need not wait for the next
// poll. It never blocks.
func (w *Worker) Wake() {
	for _, c := range w.channels {
		c.rouse()
	}
}
