package redis

import (
	"context"
	"time"
)

// The waits between probes: the first is short, for one slow answer is not yet
// a Redis that hangs.
const (
	probeFirst = 100 * time.Millisecond
	probeEvery = time.Second
)

// checkEvery is how often it is checked that Redis is there, for a server that
// nobody asks, and that all servers have the same secret.
const checkEvery = 5 * time.Second

// probe looks for Redis while the breaker is open, and whether it is still there
// and for other secrets while it is not.
func (t *Tier) probe(ctx context.Context) {
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	wait := time.Duration(0) // at the start nothing has failed yet
	for {
		select {
		case <-t.breaker.opened:
			t.search(ctx, wait)
			wait = probeFirst
		case <-check.C:
			t.check(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// check pings once, or until it is sure that Redis is away.
func (t *Tier) check(ctx context.Context) {
	for range tolerance {
		if !t.breaker.closed() {
			return
		}
		err := t.ping(ctx)
		t.breaker.after(opProbe, err)
		if err == nil || !pause(ctx, probeFirst) {
			return
		}
	}
}

// search probes until Redis answers or ctx is done.
func (t *Tier) search(ctx context.Context, wait time.Duration) {
	for !t.breaker.closed() && pause(ctx, wait) {
		if err := t.ping(ctx); err == nil {
			t.breaker.found()
		} else if ctx.Err() == nil {
			t.breaker.after(opProbe, err)
		}
		wait = probeEvery
	}
}

// ping asks Redis which secret is in use, and says so if it is another: names
// are made with the secret, so nothing else would tell (F37). It has time to
// connect first.
func (t *Tier) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	name, own := t.sealer.prefix+"secret", string(t.sealer.id[:])
	held, err := t.client.GetRange(ctx, name, 0, int64(len(own))).Result()
	if err != nil {
		return err
	}
	if held != "" && held != own {
		t.metrics.forged.Inc()
		t.breaker.warn("redis.secret", "another server of this directory uses Redis with another POSTERN_SECRET: they share nothing")
		return nil
	}
	_ = t.client.Set(ctx, name, own, t.ttl).Err() // a replica, which refuses, still reads
	return nil
}
