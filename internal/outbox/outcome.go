package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// An outcome is what an attempt means for its message.
type outcome struct {
	result result
	reason Reason
	at     time.Time // when it ended, or when it is tried again
	gone   bool      // the webhook is to be disabled
	detail error     // for the log
}

func (c *channel) outcome(m pap.Message, err error) outcome {
	now := c.Now()
	var never *Undeliverable
	switch {
	case err == nil:
		return outcome{result: delivered, at: now}
	case errors.As(err, new(*Gone)):
		return outcome{result: failed, reason: ReasonGone, at: now, gone: true}
	case !errors.As(err, &never):
		return c.again(m, now, delay(err))
	case never.Reason == ReasonObsolete:
		return outcome{result: obsolete, reason: ReasonObsolete, at: now}
	}
	return outcome{result: failed, reason: never.Reason, at: now}
}

// delay takes what a courier does not explain for a fault of its own.
func delay(err error) *Delay {
	if d := new(Delay); errors.As(err, &d) {
		return d
	}
	return &Delay{Reason: ReasonInternal}
}

func (c *channel) again(m pap.Message, now time.Time, d *Delay) outcome {
	if d.Reason == ReasonInterrupted {
		return outcome{result: retried, reason: d.Reason, at: now}
	}
	at, ok := c.Backoff.next(m.CreatedAt, now, m.Attempts, d.After)
	if !ok {
		return outcome{result: failed, reason: "gave-up-" + d.Reason, at: now, detail: d.Err}
	}
	return outcome{result: retried, reason: d.Reason, at: at, detail: d.Err}
}

// tell logs what an operator may want to look into. It names the message, never
// whom it is for.
func (o outcome) tell(ctx context.Context, log *slog.Logger) {
	switch o.result {
	case delivered, obsolete:
		log.DebugContext(ctx, "message "+string(o.result))
	case retried:
		log.InfoContext(ctx, "a message was not delivered; it is tried again", "reason", string(o.reason), "at", o.at, "error", o.detail)
	case failed:
		log.WarnContext(ctx, "a message was given up", "reason", string(o.reason), "error", o.detail)
	}
}
