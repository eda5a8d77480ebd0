package outbox

import (
	"math/rand/v2"
	"time"
)

// A Backoff is when a message is tried again: after First, then after twice as
// long each time up to Most, each a fifth sooner or later by chance, so that
// what failed together does not return together. What has not arrived For after
// it was made is given up.
type Backoff struct{ First, Most, For time.Duration }

// MailBackoff outlasts greylisting and a mail server's bad weekend.
func MailBackoff(first time.Duration) Backoff {
	return Backoff{First: first, Most: 6 * time.Hour, For: 7 * 24 * time.Hour}
}

// webhookBackoff outlasts the bad weekend of a webhook's receiver.
func webhookBackoff() Backoff {
	return Backoff{First: 5 * time.Second, Most: 6 * time.Hour, For: 3 * 24 * time.Hour}
}

// next is when to try again after so many attempts; not ok: give it up.
func (b Backoff) next(made, now time.Time, attempts int, notBefore time.Duration) (at time.Time, ok bool) {
	wait := max(jitter(b.after(attempts)), notBefore)
	at = now.Add(wait)
	return at, at.Before(made.Add(b.For))
}

func (b Backoff) after(attempts int) time.Duration {
	wait := b.First
	for range attempts - 1 {
		if wait *= 2; wait >= b.Most {
			return b.Most
		}
	}
	return wait
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
