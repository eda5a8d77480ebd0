// Package grant is the policy information point: it says what a subject has
// been granted and where a resource lies, as of one revision of the directory.
// Everything one call returns is true at one revision, which is no older than
// the staleness bound and than the revision the caller asked for; what cannot
// be had so is an error.
package grant

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/histogram"
)

// A Source is the directory as the PIP reads it. It may be used by several
// goroutines at once.
type Source interface {
	// Read returns the documents of all keys as of one point, in the order of
	// keys. A key that the directory does not know has the zero Document.
	Read(ctx context.Context, keys []authz.Key) ([]authz.Document, authz.Point, error)
	// Changes returns what changed after a point. If nothing did it may wait for
	// that, no longer than wait.
	Changes(ctx context.Context, after authz.Point, wait time.Duration) (authz.Changes, error)
}

// A Tier keeps documents nearer than the source, for several servers. What it
// says need not be true now, nor ever have been of the state the directory is
// in: the PIP uses it only where the change log proves it.
type Tier interface {
	// Get returns what the tier holds of keys, in their order; what it does not
	// hold is not OK. It takes no longer than a limit of its own, and never fails.
	Get(ctx context.Context, keys []authz.Key) []authz.Kept
	// Put offers the documents of keys as they were at a point. It returns at
	// once; what there is no room for is dropped.
	Put(keys []authz.Key, docs []authz.Document, asOf authz.Point)
}

// Options say how a PIP works. Source is required; the zero value of everything
// else is a safe default.
type Options struct {
	Source Source
	// MaxStaleness is how old the last look at the change log may be before the
	// cache is no longer used. Default 5 s.
	MaxStaleness time.Duration
	// ServeStale is for how long after that the cache is used all the same if the
	// directory cannot be read; such facts are marked. Default 0: never.
	ServeStale time.Duration
	// PollInterval is how often the change log is looked at. Default 250 ms.
	PollInterval time.Duration
	// Wait is how long a look may wait at the source for something to change.
	// The next look then begins when one ends. Default 0.
	Wait time.Duration
	Tier Tier // between the cache and the source; nil: none
	// CacheBytes bounds the cache. Default 256 MiB.
	CacheBytes int64
	// LoadTimeout ends the reading of a document that the cache does not have.
	// A request that cannot wait so long gives up alone. Default 10 s.
	LoadTimeout time.Duration
	Now         func() time.Time // default time.Now; with a monotonic clock
	Log         *slog.Logger     // default: none
	Registerer  prometheus.Registerer
	Histograms  histogram.Native
}

const (
	// rounds is how often a request looks for its keys in the cache before it
	// reads them all at once, past the cache.
	rounds = 5
	// patience is how long a request waits for the change log to get somewhere.
	patience = 250 * time.Millisecond
	// maxReads is how many reads of the source run at once, and maxLoads how
	// many may wait for that.
	maxReads = 32
	maxLoads = 1024
)

// A PIP answers what the directory knows about requests. Follow must run for it
// to answer anything.
type PIP struct {
	source       Source
	maxStaleness time.Duration
	serveStale   time.Duration
	interval     time.Duration
	wait         time.Duration
	tier         Tier // nil: none
	loadTimeout  time.Duration
	now          func() time.Time
	log          *slog.Logger
	metrics      *metrics
	terms        *terms
	seed         maphash.Seed
	poke         chan Cause    // asks the follower to look at once
	reads        chan struct{} // holds one for each read that runs
	loads        loads

	mu    sync.RWMutex // guards what follows
	cache cache
	// head is the revision up to which the cache has been told of every change,
	// and seen when the look at the change log began that told so: what is in
	// the cache is the directory as it was then or later. Zero: never yet.
	head    authz.Point
	seen    time.Time
	changes window
	// high is the highest revision anything was read at. The directory never
	// goes below it, except by losing what it knew.
	high authz.Revision
	// epoch counts how often everything was dropped. What was read in one is
	// not kept in another.
	epoch uint64
	// begun numbers the looks at the change log, and ended is the last one that
	// did not fail. A look sees every revision made before it began.
	begun, ended uint64
	polled       chan struct{} // closed when the next look at the change log is done
}

// New returns a PIP that knows nothing yet.
func New(o Options) *PIP {
	p := &PIP{
		source:       o.Source,
		maxStaleness: cmp.Or(o.MaxStaleness, 5*time.Second),
		serveStale:   o.ServeStale,
		interval:     cmp.Or(o.PollInterval, 250*time.Millisecond),
		wait:         o.Wait,
		tier:         o.Tier,
		loadTimeout:  cmp.Or(o.LoadTimeout, 10*time.Second),
		now:          o.Now,
		log:          o.Log,
		terms:        newTerms(),
		seed:         maphash.MakeSeed(),
		poke:         make(chan Cause, 1),
		reads:        make(chan struct{}, maxReads),
		loads:        loads{running: map[authz.Key]*load{}},
		cache:        newCache(cmp.Or(o.CacheBytes, 256<<20)),
		changes:      newWindow(authz.Point{}),
		polled:       make(chan struct{}),
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.metrics = newMetrics(o.Registerer, o.Histograms, p)
	return p
}

// Gather returns the facts of each request, in their order, all as of the one
// state it also returns, whose revision is at least atLeast. The facts are shared
// and must not be changed. They are stale only if Options.ServeStale allows it.
// An atLeast that the directory has not reached is an authz.ErrAhead: it is of
// another directory, or of a state that this one has lost. Facts that cannot be
// had now are an error of kind authz.ErrUnavailable.
func (p *PIP) Gather(ctx context.Context, requests []authz.Request, atLeast authz.Revision) ([]ast.Value, authz.AsOf, error) {
	g, err := p.gather(ctx, requests, atLeast)
	if err != nil {
		return nil, authz.AsOf{}, ours(err)
	}
	return p.facts(g.found, g.now), g.asOf, nil
}

// gathered is what was found on requests.
type gathered struct {
	found []found
	asOf  authz.AsOf
	now   time.Time
}

func (p *PIP) gather(ctx context.Context, requests []authz.Request, atLeast authz.Revision) (gathered, error) {
	for range rounds {
		l := p.look(requests)
		switch {
		case l.seen.IsZero():
			return gathered{}, fmt.Errorf("the directory's change log has not been read yet: %w", authz.ErrUnavailable)
		case l.age > p.maxStaleness:
			p.metrics.stale.Inc()
			return p.beyond(ctx, requests, atLeast, l)
		case l.head < atLeast:
			if err := p.reach(ctx, atLeast); err != nil {
				return gathered{}, err
			}
		case len(l.missing) == 0:
			return p.cached(l), nil
		default:
			if err := p.load(ctx, l.missing); err != nil {
				return gathered{}, err
			}
		}
	}
	return p.readThrough(ctx, requests, atLeast)
}

// Head is the revision up to which the change log has been followed.
func (p *PIP) Head() authz.Revision {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.head.Revision
}

func (p *PIP) facts(found []found, now time.Time) []ast.Value {
	values := make([]ast.Value, len(found))
	for i, f := range found {
		values[i] = p.terms.facts(f, now)
	}
	return values
}

// A look is what the cache knows about requests at one moment.
type look struct {
	found   []found
	missing []authz.Key
	head    authz.Revision
	seen    time.Time
	now     time.Time
	age     time.Duration // of seen
}

// look finds everything under one lock: all of it is true at head.
func (p *PIP) look(requests []authz.Request) look {
	f := finder{}
	l := look{found: make([]found, len(requests))}
	p.mu.RLock()
	f.from = reader{&p.cache, p.head.Revision}
	for i := range requests {
		l.found[i] = f.request(requests[i])
	}
	l.head, l.seen = p.head.Revision, p.seen
	l.now = p.now()
	p.mu.RUnlock()
	l.age = l.now.Sub(l.seen)
	l.missing = f.missing
	p.metrics.hits.Add(float64(f.looked - len(f.missing)))
	p.metrics.misses.Add(float64(len(f.missing)))
	return l
}

// A reader reads the cache at a revision.
type reader struct {
	cache *cache
	head  authz.Revision
}

func (r reader) find(key authz.Key) *entry { return r.cache.at(key, r.head) }
