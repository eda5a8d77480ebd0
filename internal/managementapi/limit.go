package managementapi

import (
	"cmp"
	"container/list"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
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

// newLimited counts what was refused because there was too much of it: by the
// limit of strangers (address), of callers (credential), or on mails and
// invitations (mails).
func newLimited(to prometheus.Registerer) *prometheus.CounterVec {
	limited := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_rate_limited_requests_total",
		Help: "Requests of the management listener that were refused because there were too many, by the limit: of an address, of a credential, or on mails.",
	}, []string{"limit"})
	for _, limit := range []string{limitAddress, limitCredential, limitMails} {
		limited.WithLabelValues(limit)
	}
	if to != nil {
		to.MustRegister(limited)
	}
	return limited
}

// What limits are on.
const (
	limitAddress    = "address"
	limitCredential = "credential"
	limitMails      = "mails"
)

// maxBuckets is how many callers a limiter knows apart. Beyond it the one that
// asked longest ago is forgotten.
const maxBuckets = 10_000

// A limiter counts what each caller asks.
type limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time
	over  prometheus.Counter // requests that were one too many

	mu     sync.Mutex
	recent *list.List               // guarded by mu; of *bucket, who asked last at the front
	known  map[string]*list.Element // guarded by mu
}

type bucket struct {
	key     string
	allowed *rate.Limiter
}

func newLimiter(perSecond float64, burst int, now func() time.Time, over prometheus.Counter) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, now: now, over: over, recent: list.New(), known: map[string]*list.Element{}}
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
	l.over.Inc()
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
