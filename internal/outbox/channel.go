package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/trace"
)

// A channel delivers the messages of one kind.
type channel struct {
	Route
	*Worker
	name   string
	log    *slog.Logger
	wake   chan struct{}
	free   chan struct{} // one for each delivery that may begin
	broken bool          // the store did not answer the last time
}

func newChannel(w *Worker, name string, r Route) *channel {
	if r.Parallel <= 0 {
		r.Parallel = 4
	}
	if r.Backoff == (Backoff{}) {
		r.Backoff = MailBackoff(time.Minute)
		if name == pap.ChannelWebhook {
			r.Backoff = webhookBackoff()
		}
	}
	c := &channel{Route: r, Worker: w, name: name, log: w.Log.With("channel", name),
		wake: make(chan struct{}, 1), free: make(chan struct{}, r.Parallel)}
	c.release(r.Parallel)
	return c
}

func (c *channel) rouse() {
	select {
	case c.wake <- struct{}{}:
	default: // it is awake
	}
}

func (c *channel) release(n int) {
	for range n {
		c.free <- struct{}{}
	}
}

// run claims as many messages as may be delivered at once, so that none is
// claimed and then waits.
func (c *channel) run(ctx, deliveries context.Context) {
	var busy sync.WaitGroup
	defer busy.Wait()
	for {
		slots := c.reserve(ctx)
		claimed := c.claim(ctx, slots)
		c.release(slots - len(claimed))
		for _, m := range claimed {
			busy.Go(func() {
				c.deliver(deliveries, m)
				c.release(1)
				c.rouse() // what had to wait for this one need not any more
			})
		}
		if full := slots > 0 && len(claimed) == slots; !full && !pause(ctx, c.wake, c.Poll) {
			return
		}
	}
}

// reserve waits for one slot and takes all that are free; 0: ctx is done.
func (c *channel) reserve(ctx context.Context) (slots int) {
	select {
	case <-ctx.Done():
		return 0
	case <-c.free:
	}
	for slots = 1; ; slots++ {
		select {
		case <-c.free:
		default:
			return slots
		}
	}
}

func (c *channel) claim(ctx context.Context, limit int) []pap.Message {
	if limit == 0 || ctx.Err() != nil {
		return nil
	}
	messages, err := c.Store.ClaimMessages(ctx, c.name, c.Now(), c.Lock, limit)
	switch {
	case err != nil && !c.broken && ctx.Err() == nil:
		c.log.ErrorContext(ctx, "the outbox cannot be read; it is tried again", "error", err)
	case err == nil && c.broken:
		c.log.InfoContext(ctx, "the outbox can be read again")
	}
	c.broken = err != nil
	return messages
}

// deliver makes one attempt, which is a span of its own in the trace of the
// request that caused the message, if that belonged to one.
func (c *channel) deliver(ctx context.Context, m pap.Message) {
	if m.Traceparent != "" {
		ctx = trace.With(ctx, trace.Parse([]byte(m.Traceparent), nil))
	}
	attempt, cancel := context.WithTimeout(ctx, c.Lock/2)
	err := c.Courier.Deliver(attempt, m)
	if err != nil && ctx.Err() != nil {
		err = &Delay{Reason: ReasonInterrupted}
	} else if errors.Is(err, context.DeadlineExceeded) && attempt.Err() != nil {
		err = &Delay{Reason: ReasonTimeout}
	}
	cancel()
	c.settle(context.WithoutCancel(ctx), m, err)
}

// recordWithin is how long the store may take to learn what came of a delivery.
const recordWithin = 10 * time.Second

// settle records what came of an attempt. If that fails the message is delivered
// once more when its claim ends.
func (c *channel) settle(ctx context.Context, m pap.Message, err error) {
	ctx, cancel := context.WithTimeout(ctx, recordWithin)
	defer cancel()
	o := c.outcome(m, err)
	c.metrics.count(c.name, o.result)
	log := c.log.With("message", m.ID, trace.From(ctx).Attr())
	o.tell(ctx, log.With("type", m.Type, "attempt", m.Attempts))
	if err := c.record(ctx, m, o); err != nil {
		log.ErrorContext(ctx, "what came of a message cannot be recorded; it is delivered again later", "error", err)
	}
}

func (c *channel) record(ctx context.Context, m pap.Message, o outcome) error {
	invites := m.Channel == pap.ChannelMail && m.Type == pap.MailInvitation
	switch {
	case o.gone:
		return c.Trail.DisableWebhook(ctx, m.ID, string(o.reason), o.at)
	case o.result == delivered && invites:
		return c.Trail.Delivered(ctx, m.ID, o.at)
	case o.result == delivered:
		return c.Store.MessageDelivered(ctx, m.ID, o.at)
	case o.result == failed && invites:
		return c.Trail.Undelivered(ctx, m.ID, string(o.reason), o.at)
	}
	return c.Store.MessageFailed(ctx, m.ID, string(o.reason), o.at, o.result != retried)
}
