// Package redis keeps grant documents in Redis, sealed: what Get returns was
// sealed for that key of that directory by a server with the same secret, byte
// for byte. Whether it is still true Redis cannot say; the PIP proves that.
// Nothing that Redis does or leaves undone is an error to whoever asks.
package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"github.com/postern-authz/postern/internal/authz"
)

// Options say which Redis, and how it is used. Addrs, Secret and Directory are
// required; the zero value of everything else is a safe default.
type Options struct {
	Addrs   []string // host:port, of one server, some of a Cluster, or Sentinels
	Master  string   // the name by which Sentinels know the master; else no Sentinel
	Cluster bool

	Username, Password                 string
	SentinelUsername, SentinelPassword string
	DB                                 int
	TLS                                *tls.Config // nil: none

	Secret    []byte // POSTERN_SECRET, which all servers of a directory share
	Directory string // the directory's id

	Timeout    time.Duration // of one Get, and of each write; default 20 ms
	Pool       int           // connections to one server; default 32
	TTL        time.Duration // of what is written; default 1 h
	Now        func() time.Time
	Log        *slog.Logger // default: none
	Registerer prometheus.Registerer
}

const (
	// maxGets bounds how much of what Redis answers is in memory at once.
	maxGets = 8
	// maxQueue is how many writes wait; workers is how many are under way.
	maxQueue = 1024
	workers  = 2
	// dialTimeout is how long a connection takes to be made, with TLS. A request
	// does not wait so long.
	dialTimeout = 250 * time.Millisecond
)

// A Tier is a directory's documents in Redis. It is safe for concurrent use.
// Run must run for it to hold anything.
type Tier struct {
	client    goredis.UniversalClient
	sealer    *sealer
	timeout   time.Duration
	ttl       time.Duration
	log       *slog.Logger
	metrics   *metrics
	breaker   *breaker
	gets      chan struct{} // holds one for each Get that runs
	queue     chan write
	news      chan struct{} // says that there is something to announce
	listenFor time.Duration // how long nothing may be heard; 3 s
	announced atomic.Uint64 // the last revision that others are to be told of
}

// New returns a tier. It does not wait for Redis, which need not be there. The
// error says what is wrong with the secret or the directory.
func New(o Options) (*Tier, error) {
	s, err := newSealer(o.Secret, o.Directory)
	if err != nil {
		return nil, err
	}
	t := &Tier{
		sealer:  s,
		timeout: cmp.Or(o.Timeout, 20*time.Millisecond),
		ttl:     cmp.Or(o.TTL, time.Hour),
		log:     o.Log,
		queue:   make(chan write, maxQueue),
		news:    make(chan struct{}, 1),

		listenFor: 3 * time.Second,
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	o.Timeout, o.Pool = t.timeout, cmp.Or(o.Pool, 32)
	t.gets = make(chan struct{}, min(maxGets, o.Pool))
	t.metrics = newMetrics(o.Registerer)
	t.breaker = newBreaker(t.metrics, t.log, now)
	t.client = newClient(o)
	return t, nil
}

// Run writes what was put and announced, and looks for Redis while it is away,
// until ctx is done. It then closes the connections, and returns.
func (t *Tier) Run(ctx context.Context) {
	var loops sync.WaitGroup
	for range workers {
		loops.Go(func() { t.write(ctx) })
	}
	loops.Go(func() { t.publish(ctx) })
	loops.Go(func() { t.probe(ctx) })
	loops.Wait()
	_ = t.client.Close() // nothing is under way that anyone waits for
}

// Quiet stops the client library from writing its own log to stderr: what it
// has to say is in our metrics and log. It is for the whole process.
func Quiet() { goredis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// chunk is how many keys are read in one round trip.
const chunk = 64

// Get returns what Redis holds of keys, in their order. What it does not hold,
// or holds and cannot be proved to be sealed for that key, is not OK. It takes
// no longer than the timeout, and nothing while Redis is away.
func (t *Tier) Get(ctx context.Context, keys []authz.Key) []authz.Kept {
	kept := make([]authz.Kept, len(keys))
	if !t.breaker.closed() {
		return kept
	}
	within, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	select {
	case t.gets <- struct{}{}:
		defer func() { <-t.gets }()
	case <-within.Done():
		return kept
	}
	for i := 0; i < len(keys) && t.breaker.closed(); i += chunk {
		end := min(i+chunk, len(keys))
		err := t.fetch(within, keys[i:end], kept[i:end])
		if ctx.Err() == nil { // else who asked was in more of a hurry than Redis
			t.breaker.after(opGet, err)
		}
		if err != nil {
			break
		}
	}
	return kept
}
