package grant

import (
	"context"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Follow looks at the directory's change log until ctx ends, and then returns
// nil. It must run once. A look that fails is tried again at the next interval;
// the log says so once, and once more when it works again.
func (p *PIP) Follow(ctx context.Context) error {
	tick := time.NewTicker(p.interval)
	defer tick.Stop()
	failing, by := false, p.unasked()
	for {
		err := p.poll(ctx, by)
		if ctx.Err() != nil {
			return nil
		}
		p.report(err, failing)
		failing = err != nil
		if by = p.rest(ctx, tick.C, failing); ctx.Err() != nil {
			return nil
		}
	}
}

// rest waits until it is time for the next look or ctx ends, and returns what the
// look comes about by. A source that lets looks wait says itself when to look.
func (p *PIP) rest(ctx context.Context, tick <-chan time.Time, failing bool) Cause {
	var gap <-chan time.Time
	if p.wait > 0 && !failing {
		gap = time.After(pause)
	}
	select {
	case <-ctx.Done():
	case <-gap:
	case <-tick:
	case by := <-p.poke:
		return by
	}
	return p.unasked()
}

func (p *PIP) report(err error, failing bool) {
	switch {
	case err != nil && !failing:
		p.log.Error("following the directory's change log failed", "err", err)
	case err == nil && failing:
		p.log.Info("following the directory's change log works again", "revision", p.Head())
	}
}

// poll looks at the change log once. A look that takes longer than the
// staleness bound would be of no use, so it is given up.
func (p *PIP) poll(ctx context.Context, by Cause) error {
	ctx, cancel := context.WithTimeout(ctx, p.maxStaleness)
	defer cancel()
	p.mu.Lock()
	p.begun++
	number, head, high, first := p.begun, p.head, p.high, p.seen.IsZero()
	p.mu.Unlock()
	began := p.now()
	look := p.lookLong
	if first {
		look = p.lookBack
	}
	changes, by, err := look(ctx, head, by)
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.told()
	if err != nil {
		p.metrics.pollErrors.Inc()
		return fmt.Errorf("read the changes after revision %d: %w", head.Revision, err)
	}
	p.metrics.polls.Inc()
	p.apply(changes, by, high)
	p.seen, p.ended = began.Add(min(changes.Held, p.now().Sub(began))), number
	return nil
}

// memory is how many revisions of the past a server that starts wants to know,
// so that it can use what others have read before.
const memory = 2048

// lookBack is the first look, which sees what it can of the past.
func (p *PIP) lookBack(ctx context.Context, from authz.Point, by Cause) (authz.Changes, Cause, error) {
	c, err := p.source.Changes(ctx, from, 0)
	if err != nil || !c.Reset || c.Head.Revision <= memory {
		return c, by, err
	}
	past := authz.Point{Revision: c.Head.Revision - memory}
	known, err := p.source.Changes(ctx, past, 0)
	if known.Reset {
		return c, by, err
	}
	known.Reset, known.Floor = true, past
	return known, by, err
}

// lookLong looks, and lets the source wait until something changes or somebody
// here cannot: then it looks again, by the cause that this one has.
func (p *PIP) lookLong(ctx context.Context, head authz.Point, by Cause) (authz.Changes, Cause, error) {
	if p.wait == 0 {
		c, err := p.source.Changes(ctx, head, 0)
		return c, by, err
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	stop, asked := make(chan struct{}), make(chan Cause, 1)
	defer close(stop)
	go func() {
		select {
		case by := <-p.poke:
			asked <- by
			cancel()
		case <-stop:
		}
	}()
	c, err := p.source.Changes(waiting, head, p.wait)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		by = <-asked
		c, err = p.source.Changes(ctx, head, 0)
	}
	return c, by, err
}

// told tells those who wait that the change log was looked at.
func (p *PIP) told() {
	close(p.polled)
	p.polled = make(chan struct{})
}

// apply tells the cache what changed. The directory was at high before the look
// began, so it is at least there unless it lost what it knew.
func (p *PIP) apply(c authz.Changes, by Cause, high authz.Revision) {
	switch {
	case p.seen.IsZero():
		p.drop(c)
	case c.Lost || c.Head.Revision < high:
		p.log.Error("the directory has lost what it knew, everything cached is dropped", "revision", c.Head.Revision, "was", high)
		p.metrics.regressions.Inc()
		p.metrics.regressed.Add(float64(p.drop(c)))
	case c.Reset:
		n := p.drop(c)
		p.log.Info("the change log does not reach back, everything cached is dropped", "revision", c.Head.Revision, "entries", n)
		p.metrics.reset.Add(float64(n))
	default:
		p.changes.add(c)
		p.metrics.invalidated[by].Add(float64(p.invalidate(c.Keys)))
		p.metrics.lagged(by, c.WrittenAt, p.now())
	}
	p.head, p.high = c.Head, max(p.high, c.Head.Revision)
}

// drop forgets everything that was read before and returns how many entries
// that were. What is known of the past stays known.
func (p *PIP) drop(c authz.Changes) int {
	p.epoch++
	p.high = c.Head.Revision
	p.changes = newWindow(c.Head)
	if len(c.Points) > 0 {
		p.changes = newWindow(c.Floor)
		p.changes.add(c)
	}
	return p.cache.clear()
}

// invalidate forgets the entries that changed after they were read.
func (p *PIP) invalidate(changes []authz.Change) int {
	n := 0
	for _, c := range changes {
		n += p.cache.overtake(c)
	}
	return n
}

// reach waits until the change log has been followed up to a revision.
func (p *PIP) reach(ctx context.Context, atLeast authz.Revision) error {
	p.mu.RLock()
	begun := p.begun
	p.mu.RUnlock()
	if p.await(ctx, atLeast) {
		return nil
	}
	p.mu.RLock()
	head, ended := p.head.Revision, p.ended
	p.mu.RUnlock()
	switch {
	case head >= atLeast:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("wait for revision %d, the directory was at %d: %w: %w",
			atLeast, head, context.Cause(ctx), authz.ErrUnavailable)
	case ended <= begun:
		return fmt.Errorf("the directory could not be asked whether it has reached revision %d: %w", atLeast, authz.ErrUnavailable)
	}
	return ahead(atLeast, head)
}

func ahead(atLeast, head authz.Revision) error {
	return fmt.Errorf("revision %d is asked for and the directory is at %d: the consistency token is of another directory, "+
		"or of a state this one has lost: %w", atLeast, head, authz.ErrAhead)
}

// await has the change log looked at until it was followed up to a revision,
// and reports whether it was, within patience and ctx.
func (p *PIP) await(ctx context.Context, revision authz.Revision) bool {
	return p.awaitThat(ctx, func() bool { return p.head.Revision >= revision })
}

// awaitLook waits for a look at the change log that begins now or later.
func (p *PIP) awaitLook(ctx context.Context) {
	p.mu.RLock()
	begun := p.begun
	p.mu.RUnlock()
	p.awaitThat(ctx, func() bool { return p.ended > begun })
}

// Past returns once the change log was followed past a revision, or a look found
// the directory at less, or ctx ends. It asks nobody to look.
func (p *PIP) Past(ctx context.Context, revision authz.Revision) {
	for looks := 0; ; looks++ {
		p.mu.RLock()
		head, polled := p.head.Revision, p.polled
		p.mu.RUnlock()
		if head > revision || head < revision && looks > 0 {
			return
		}
		select {
		case <-polled:
		case <-ctx.Done():
			return
		}
	}
}

// Wake says that something was committed, so that the follower looks at once
// instead of at the next interval. It never blocks. Of several calls before one
// look the first is the cause.
func (p *PIP) Wake(by Cause) {
	select {
	case p.poke <- by:
	default: // it will look anyway
	}
}

// awaitThat has the change log looked at until something is so. It asks under
// the lock. It gives up while ctx still lasts, so that what is not so can be
// told from what could not be known.
func (p *PIP) awaitThat(ctx context.Context, so func() bool) bool {
	limit := patience
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for try := 0; ; try++ {
		p.mu.RLock()
		done, polled := so(), p.polled
		p.mu.RUnlock()
		if done {
			return true
		}
		if !p.again(ctx, polled, try) {
			return false
		}
	}
}

// pause keeps one who waits for a directory that lags from asking it all the
// time. The first two looks are had at once: the first of them may have begun
// before the revision was made.
const pause = 10 * time.Millisecond

// again wakes the follower and waits until it has looked. It reports whether
// ctx lasted so long. A look that waits at the source is given a moment to see
// by itself what has changed there.
func (p *PIP) again(ctx context.Context, polled <-chan struct{}, try int) bool {
	var itself <-chan struct{}
	if p.wait > 0 {
		itself = polled
	}
	if try > 1 || p.wait > 0 {
		select {
		case <-time.After(pause):
		case <-itself:
			return true
		case <-ctx.Done():
			return false
		}
	}
	p.Wake(causeToken)
	select {
	case <-polled:
		return true
	case <-ctx.Done():
		return false
	}
}
