package grant

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

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
	asOf  authz.Revision
	err   error
}

// load has the missing keys read, and waits until the cache may hold them.
func (p *PIP) load(ctx context.Context, missing []authz.Key) error {
	waits, err := p.begin(ctx, missing)
	if err != nil {
		return err
	}
	var asOf authz.Revision
	for _, l := range waits {
		select {
		case <-l.done:
		case <-ctx.Done():
			return fmt.Errorf("read %d keys from the directory: %w: %w", len(missing), context.Cause(ctx), authz.ErrUnavailable)
		}
		if l.err != nil {
			return l.err
		}
		if l.asOf < l.high {
			p.awaitLook(ctx) // it must see that the directory went backwards
		}
		asOf = max(asOf, l.asOf)
	}
	p.await(ctx, asOf) // if it does not get there the next look will tell
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

// fill reads the keys of a load into the cache.
func (p *PIP) fill(ctx context.Context, l *load) error {
	p.mu.RLock()
	l.epoch, l.high = p.epoch, p.high
	p.mu.RUnlock()
	entries, asOf, err := p.read(ctx, l.keys)
	if err != nil {
		return err
	}
	l.asOf = asOf
	p.keep(l, entries)
	return nil
}

// read reads keys at one revision, at most maxReads at once. It runs outside any
// request, so nobody else would stop a panic from ending the process.
func (p *PIP) read(ctx context.Context, keys []authz.Key) (entries []*entry, asOf authz.Revision, err error) {
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
		return nil, 0, fmt.Errorf("wait to read from the directory: %w: %w", context.Cause(ctx), authz.ErrUnavailable)
	}
	docs, asOf, err := p.source.Read(ctx, keys)
	if err == nil && len(docs) != len(keys) {
		err = fmt.Errorf("%d documents for %d keys", len(docs), len(keys))
	}
	if err != nil {
		p.metrics.readErrors.Add(float64(len(keys)))
		return nil, 0, fmt.Errorf("read %d keys from the directory: %w", len(keys), unavailable(err))
	}
	entries = make([]*entry, len(keys))
	for i, key := range keys {
		entries[i] = p.terms.entry(p.seed, key, docs[i], asOf)
		p.metrics.wasRead(entries[i])
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

// keep puts into the cache what a load has read, unless it has been overtaken:
// by a change of the key, by everything being dropped, or by the directory
// going backwards, which the follower must see first.
func (p *PIP) keep(l *load, entries []*entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.epoch != p.epoch || l.asOf < l.high {
		return
	}
	p.high = max(p.high, l.asOf)
	for _, e := range entries {
		if !p.changes.changed(e.key, e.asOf) && p.cache.at(e.key, p.head) == nil {
			p.cache.put(e)
		}
	}
}

// readWithin is read for a request that waits no longer than ctx lasts. A
// database that is locked does not look at ctx, so it is left behind.
func (p *PIP) readWithin(ctx context.Context, keys []authz.Key) ([]*entry, authz.Revision, error) {
	type answer struct {
		entries []*entry
		asOf    authz.Revision
		err     error
	}
	got := make(chan answer, 1)
	go func() {
		entries, asOf, err := p.read(ctx, keys)
		got <- answer{entries, asOf, err}
	}()
	select {
	case a := <-got:
		return a.entries, a.asOf, a.err
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("read %d keys from the directory: %w: %w", len(keys), context.Cause(ctx), authz.ErrUnavailable)
	}
}

// maxDepth is how often what was read may name more that must be read: a login
// its user, an account the accounts it lies in, each changing under the reads.
const maxDepth = 8

// readThrough reads everything that requests depend on past the cache, again
// and again with what the last reading named, until one reading holds it all.
func (p *PIP) readThrough(ctx context.Context, requests []authz.Request, atLeast authz.Revision) ([]ast.Value, authz.Revision, error) {
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
			return nil, 0, err
		}
		have, asOf = reading{}, at
		for _, e := range entries {
			have[e.key] = e
		}
	}
	return nil, 0, fmt.Errorf("what the requests name changes faster than it can be read: %w", authz.ErrUnavailable)
}

// answer returns facts read past the cache, if they are not older than what the
// caller or anyone else has seen.
func (p *PIP) answer(all []found, asOf, atLeast, high authz.Revision) ([]ast.Value, authz.Revision, error) {
	switch {
	case asOf < high:
		return nil, 0, fmt.Errorf("the directory is at revision %d and was at %d before: %w", asOf, high, authz.ErrUnavailable)
	case asOf < atLeast:
		return nil, 0, ahead(atLeast, asOf)
	}
	return p.facts(all, p.now()), asOf, nil
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
