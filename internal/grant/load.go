package grant

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/postern-authz/postern/internal/authz"
)

// loads are the reads that fill the cache. A key is read by one of them at a
// time, however many requests want it.
type loads struct {
	mu      sync.Mutex
	running map[authz.Key]*load
	count   int // of the loads that run
}

// A load reads keys at one revision into the cache. It does not end with the
// request that began it: the next one finds what was read.
type load struct {
	keys  []authz.Key
	epoch uint64         // of the cache when it began
	high  authz.Revision // likewise
	done  chan struct{}  // closed when the following are set
	lost  bool           // the directory was found at less than high
	err   error
}

// load has the missing keys read, and waits until the cache holds them.
func (p *PIP) load(ctx context.Context, missing []authz.Key) error {
	waits, err := p.begin(ctx, missing)
	if err != nil {
		return err
	}
	for _, l := range waits {
		select {
		case <-l.done:
		case <-ctx.Done():
			return fmt.Errorf("read %d keys from the directory: %w: %w", len(missing), context.Cause(ctx), authz.ErrUnavailable)
		}
		if l.err != nil {
			return l.err
		}
		if l.lost {
			p.awaitLook(ctx) // it must see that the directory went backwards
		}
	}
	return nil
}

// begin returns the loads that read the missing keys, begun unless they run.
func (p *PIP) begin(ctx context.Context, missing []authz.Key) ([]*load, error) {
	p.loads.mu.Lock()
	defer p.loads.mu.Unlock()
	fresh := &load{done: make(chan struct{})}
	var waits []*load
	for _, key := range missing {
		l := p.loads.running[key]
		if l == nil {
			l = fresh
			l.keys = append(l.keys, key)
			p.loads.running[key] = l
		}
		if !slices.Contains(waits, l) {
			waits = append(waits, l)
		}
	}
	if len(fresh.keys) == 0 {
		return waits, nil
	}
	p.loads.count++
	if p.loads.count > maxLoads {
		p.forget(fresh)
		return nil, fmt.Errorf("%d reads of the directory are under way already: %w", maxLoads, authz.ErrUnavailable)
	}
	go p.run(context.WithoutCancel(ctx), fresh)
	return waits, nil
}

// forget ends a load, and lets its keys be read again. The caller holds loads.mu.
func (p *PIP) forget(l *load) {
	p.loads.count--
	for _, key := range l.keys {
		delete(p.loads.running, key)
	}
}

func (p *PIP) run(ctx context.Context, l *load) {
	ctx, cancel := context.WithTimeout(ctx, p.loadTimeout)
	defer cancel()
	l.err = p.fill(ctx, l)
	p.loads.mu.Lock()
	p.forget(l)
	p.loads.mu.Unlock()
	close(l.done)
}

// fill reads the keys of a load into the cache: from the tier what that can
// prove, the rest from the source.
func (p *PIP) fill(ctx context.Context, l *load) error {
	p.mu.RLock()
	l.epoch, l.high = p.epoch, p.high
	p.mu.RUnlock()
	keys := p.fromTier(ctx, l.keys)
	if len(keys) == 0 {
		return nil
	}
	entries, asOf, err := p.read(ctx, keys)
	if err != nil {
		return err
	}
	l.lost = p.mark(l.epoch, asOf) < l.high
	if !l.lost {
		p.await(ctx, asOf.Revision) // until it is known which history that is of
		p.keep(l.epoch, entries, asOf)
	}
	return nil
}

// mark notes that the directory was read at a point, and returns its revision.
// If the follower then finds it at less, it has lost what it knew.
func (p *PIP) mark(epoch uint64, at authz.Point) authz.Revision {
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch == p.epoch {
		p.high = max(p.high, at.Revision)
	}
	return at.Revision
}

// read reads keys at one point, at most maxReads at once. It runs outside any
// request, so nobody else would stop a panic from ending the process.
func (p *PIP) read(ctx context.Context, keys []authz.Key) (entries []*entry, asOf authz.Point, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.log.Error("reading the directory panicked", "err", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("reading the directory panicked: %v: %w", r, authz.ErrUnavailable)
		}
	}()
	select {
	case p.reads <- struct{}{}:
		defer func() { <-p.reads }()
	case <-ctx.Done():
		return nil, asOf, fmt.Errorf("wait to read from the directory: %w: %w", context.Cause(ctx), authz.ErrUnavailable)
	}
	docs, asOf, err := p.source.Read(ctx, keys)
	if err == nil && len(docs) != len(keys) {
		err = fmt.Errorf("%d documents for %d keys", len(docs), len(keys))
	}
	if err != nil {
		p.metrics.readErrors.Add(float64(len(keys)))
		return nil, asOf, fmt.Errorf("read %d keys from the directory: %w", len(keys), unavailable(err))
	}
	entries = make([]*entry, len(keys))
	for i, key := range keys {
		entries[i] = p.terms.entry(p.seed, key, docs[i], asOf.Revision)
		p.metrics.wasRead(entries[i])
	}
	if p.tier != nil {
		p.tier.Put(keys, docs, asOf)
	}
	return entries, asOf, nil
}

// unavailable makes an error one of kind authz.ErrUnavailable.
func unavailable(err error) error {
	if errors.Is(err, authz.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", err, authz.ErrUnavailable)
}

// keep puts into the cache what was read at a point, unless it has been
// overtaken: by a change of the key, by everything being dropped, or by the
// directory having another history, in which it never was at that point.
func (p *PIP) keep(epoch uint64, entries []*entry, asOf authz.Point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch != p.epoch || !p.changes.passed(asOf) {
		return
	}
	for _, e := range entries {
		p.keepEntry(e)
	}
}

// keepEntry keeps an entry read at a point of this history, and reports whether
// the cache holds the key then. The caller holds the lock.
func (p *PIP) keepEntry(e *entry) bool {
	if p.cache.entries[e.key] != nil {
		return true
	}
	if e.asOf > p.head.Revision || p.changes.changed(e.key, e.asOf) {
		return false
	}
	p.cache.put(e)
	return true
}

// readWithin is read for a request that waits no longer than ctx lasts. A
// database that is locked does not look at ctx, so it is left behind.
func (p *PIP) readWithin(ctx context.Context, keys []authz.Key) ([]*entry, authz.Revision, error) {
	type answer struct {
		entries []*entry
		asOf    authz.Point
		err     error
	}
	got := make(chan answer, 1)
	go func() {
		entries, asOf, err := p.read(ctx, keys)
		got <- answer{entries, asOf, err}
	}()
	select {
	case a := <-got:
		return a.entries, a.asOf.Revision, a.err
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("read %d keys from the directory: %w: %w", len(keys), context.Cause(ctx), authz.ErrUnavailable)
	}
}

// maxDepth is how often what was read may name more that must be read: a login
// its user, an account the accounts it lies in, each changing under the reads.
const maxDepth = 8

// readThrough reads everything that requests depend on past the cache, again
// and again with what the last reading named, until one reading holds it all.
func (p *PIP) readThrough(ctx context.Context, requests []authz.Request, atLeast authz.Revision) (gathered, error) {
	p.mu.RLock()
	high := p.high
	p.mu.RUnlock()
	have := reading{}
	var keys []authz.Key
	var asOf authz.Revision
	for range maxDepth {
		f := finder{from: have}
		all := make([]found, len(requests))
		for i := range requests {
			all[i] = f.request(requests[i])
		}
		if len(f.missing) == 0 && len(keys) > 0 {
			return p.answer(all, asOf, atLeast, high)
		}
		keys = have.with(keys, f.missing)
		entries, at, err := p.readWithin(ctx, keys)
		if err != nil {
			return gathered{}, unread{err}
		}
		have, asOf = reading{}, at
		for _, e := range entries {
			have[e.key] = e
		}
	}
	return gathered{}, fmt.Errorf("what the requests name changes faster than it can be read: %w", authz.ErrUnavailable)
}

// answer returns facts read past the cache, if they are not older than what the
// caller or anyone else has seen.
func (p *PIP) answer(all []found, asOf, atLeast, high authz.Revision) (gathered, error) {
	switch {
	case asOf < high:
		return gathered{}, fmt.Errorf("the directory is at revision %d and was at %d before: %w", asOf, high, authz.ErrUnavailable)
	case asOf < atLeast:
		return gathered{}, ahead(atLeast, asOf)
	}
	return gathered{all, authz.AsOf{Revision: asOf}, p.now()}, nil
}

// A reading is what one read of the source returned.
type reading map[authz.Key]*entry

func (r reading) find(key authz.Key) *entry { return r[key] }

// with adds missing keys to those that are read, each once.
func (r reading) with(keys, missing []authz.Key) []authz.Key {
	for _, key := range missing {
		if _, ok := r[key]; !ok {
			r[key] = nil
			keys = append(keys, key)
		}
	}
	return keys
}
