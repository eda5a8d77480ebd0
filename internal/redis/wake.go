package redis

import (
	"context"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/postern-authz/postern/internal/authz"
)

const (
	// wakeEvery is the shortest time between two wakes.
	wakeEvery = 10 * time.Millisecond
	// burst is how many messages are read in that time. Redis drops who reads
	// more slowly than others write.
	burst = 64
	// The waits before listening again after a failure.
	listenAgain     = 100 * time.Millisecond
	listenAgainMost = 5 * time.Second
)

// Announce tells those who Listen that the directory has come to a revision. It
// returns at once; that nobody hears it costs them only time.
func (t *Tier) Announce(revision authz.Revision) {
	t.announced.Store(uint64(revision))
	select {
	case t.news <- struct{}{}:
	default: // whoever publishes has not read the last one yet
	}
}

func (t *Tier) publish(ctx context.Context) {
	for {
		select {
		case <-t.news:
		case <-ctx.Done():
			return
		}
		if !t.breaker.closed() {
			continue
		}
		within, cancel := context.WithTimeout(ctx, t.timeout)
		err := t.client.Publish(within, t.channel(), strconv.FormatUint(t.announced.Load(), 10)).Err()
		cancel()
		if ctx.Err() == nil {
			t.breaker.after(opPublish, err)
		}
	}
}

func (t *Tier) channel() string { return t.sealer.prefix + "wake" }

// Listen calls wake whenever a revision is announced, and when announcements may
// have been missed, until ctx is done. Many at once are one, and wake is called
// once at a time. What a message says is not looked at: anyone may have sent it.
func (t *Tier) Listen(ctx context.Context, wake func()) {
	heard := make(chan struct{}, 1)
	go t.wakes(ctx, heard, wake)
	wait := listenAgain
	for ctx.Err() == nil {
		if t.subscribe(ctx, heard) {
			wait = listenAgain
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, listenAgainMost)
	}
}

func (t *Tier) wakes(ctx context.Context, heard <-chan struct{}, wake func()) {
	for {
		select {
		case <-heard:
		case <-ctx.Done():
			return
		}
		t.metrics.wakes.Inc()
		wake()
		if !pause(ctx, wakeEvery) {
			return
		}
	}
}

// subscribe hears messages until the connection fails, and tells whether it
// heard anything.
func (t *Tier) subscribe(ctx context.Context, heard chan<- struct{}) (any bool) {
	defer func() {
		if r := recover(); r != nil { // who owns Redis must not end this process
			t.breaker.warn("redis.panicked", "reading Redis' messages panicked", "err", r)
		}
	}()
	messages := t.client.Subscribe(ctx) // connects with the first channel
	defer messages.Close()
	defer context.AfterFunc(ctx, func() { _ = messages.Close() })()
	err := messages.Subscribe(ctx, t.channel())
	for n := 1; err == nil; n++ {
		if err = hear(ctx, messages, t.listenFor); err == nil {
			any = true
			select {
			case heard <- struct{}{}:
			default: // it is about to wake
			}
		}
		if n%burst == 0 && !pause(ctx, wakeEvery) {
			return any
		}
	}
	if ctx.Err() == nil {
		t.breaker.after(opSubscribe, err) // nothing else tells a server that nobody asks
	}
	return any
}

// hear waits for a message: an announcement, or that the subscription has begun
// and some may have been missed before. If nothing comes for as long as most
// Redis is asked whether it is there: a partition gives no other sign (D7).
func hear(ctx context.Context, messages *goredis.PubSub, most time.Duration) error {
	asked := false
	for {
		message, err := messages.ReceiveTimeout(ctx, most)
		switch message.(type) {
		case *goredis.Message, *goredis.Subscription:
			return nil
		case *goredis.Pong:
			asked = false
			continue
		}
		switch {
		case err == nil:
			return errAnswer
		case asked || !timedOut(err):
			return err
		}
		asked = true
		if err := messages.Ping(ctx); err != nil {
			return err
		}
	}
}
