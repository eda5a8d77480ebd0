package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// channels are all there are; each has a loop of its own, so that a mail server
// that hangs holds up no webhook.
var channels = []string{pap.ChannelMail, pap.ChannelWebhook}

// depthEvery is how many polls pass between two looks at the backlog.
const depthEvery = 5

// Run delivers until ctx is done. Then it takes nothing more, lets what is under
// way end within Grace, says what came of it, and returns.
func (w *Worker) Run(ctx context.Context) {
	deliveries, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var loops sync.WaitGroup
	for _, c := range w.channels {
		if c.Courier != nil {
			loops.Go(func() { c.run(ctx, deliveries) })
		}
	}
	loops.Go(func() { w.measure(ctx) })
	<-ctx.Done()
	defer time.AfterFunc(w.Grace, stop).Stop()
	loops.Wait()
}

// measure keeps the gauges current, and warns of what nobody will deliver.
func (w *Worker) measure(ctx context.Context) {
	warned := map[string]bool{}
	for ok := true; ok; ok = pause(ctx, nil, depthEvery*w.Poll) {
		depth, err := w.Store.OutboxDepth(ctx)
		if err != nil {
			continue // whoever claims says so
		}
		for _, c := range w.channels {
			b := depth[c.name]
			w.metrics.backlog[c.name].Store(&b)
			if c.Courier == nil && b.Waiting > 0 && !warned[c.name] {
				warned[c.name] = true
				w.Log.WarnContext(ctx, "messages wait, for nothing is set up to deliver them", "channel", c.name, "waiting", b.Waiting)
			}
		}
	}
}

// pause waits for so long or for a wake-up; it is false once ctx is done.
func pause(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return ctx.Err() == nil
}
