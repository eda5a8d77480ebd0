package managementapi

import (
	"cmp"
	"container/list"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/time/rate"

	"github.com/postern-authz/postern/internal/httpserver"
)

// Limits bound how often somebody may ask (C14). Limits by invitation, recipient
// and organization are the PAP's.
type Limits struct {
	StrangerPerMinute   float64 // requests of one address that shows no credential; 10
	CredentialPerSecond float64 // requests of one credential; 50
	CredentialBurst     int     // of them at once; 100
}

func (l Limits) withDefaults() Limits {
	l.StrangerPerMinute = cmp.Or(l.StrangerPerMinute, 10)
	l.CredentialPerSecond = cmp.Or(l.CredentialPerSecond, 50)
	l.CredentialBurst = cmp.Or(l.CredentialBurst, 100)
	return l
}

// maxBuckets is how many callers a limiter knows apart. Beyond it the one that
// asked longest ago is forgotten.
const maxBuckets = 10_000

// A limiter counts what each caller asks.
type limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu     sync.Mutex
	recent *list.List               // guarded by mu; of *bucket, who asked last at the front
	known  map[string]*list.Element // guarded by mu
}

type bucket struct {
	key     string
	allowed *rate.Limiter
}

func newLimiter(perSecond float64, burst int, now func() time.Time) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, now: now, recent: list.New(), known: map[string]*list.Element{}}
}

// take counts one request. One too many is a problem that says how long to wait.
func (l *limiter) take(key string) error {
	now := l.now()
	r := l.of(key).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	r.CancelAt(now)
	seconds := int(math.Ceil(wait.Seconds()))
	return &httpserver.Problem{
		Status: fiber.StatusTooManyRequests, Reason: "rate-limited", RetryAfter: seconds,
		Detail: "these are more requests than one caller may make: wait as long as Retry-After says",
	}
}

func (l *limiter) of(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.known[key]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*bucket).allowed
	}
	b := &bucket{key, rate.NewLimiter(l.rate, l.burst)}
	l.known[key] = l.recent.PushFront(b)
	if l.recent.Len() > maxBuckets {
		delete(l.known, l.recent.Remove(l.recent.Back()).(*bucket).key)
	}
	return b.allowed
}

// addressOf is where the connection comes from. No header says anything else
// (T15).
func addressOf(c *fiber.Ctx) netip.Addr {
	a, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return a.Unmap()
}

// network is what one stranger has: an IPv4 address, or a /64 of IPv6.
func network(a netip.Addr) string {
	if !a.Is6() {
		return a.String() // without an address all are one
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
