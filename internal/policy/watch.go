package policy

import (
	"context"
	"slices"
	"time"
)

// Watch follows the sources until ctx ends, and puts what changes in force if it
// passes the gate. It looks by polling: a mounted volume, a copied folder and an
// editor's save all come to the same, a folder that is not what it was.
func (e *Engine) Watch(ctx context.Context) {
	tick := time.NewTicker(e.options.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			e.look(ctx)
		}
	}
}

// look offers what has changed and lies still.
func (e *Engine) look(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.tellGood()
	var changed []LayerFiles
	for _, s := range e.sources {
		if l, ok := e.changed(ctx, s); ok {
			changed = append(changed, l)
		}
	}
	if len(changed) == 0 || len(e.good) == 0 || ctx.Err() != nil {
		return
	}
	proposal := filesOf(e.good)
	for _, l := range changed {
		e.latest, proposal = with(e.latest, l), with(proposal, l)
	}
	if e.offer(ctx, e.latest) == nil || slices.EqualFunc(e.latest, proposal, LayerFiles.same) {
		return
	}
	// Another layer was refused before and still is: it must not keep back
	// what has changed now.
	_ = e.offer(ctx, proposal)
}

// A sight is the last look at files that lay still.
type sight struct {
	at     time.Time
	mark   string
	digest string // empty: they cannot be read
}

// changed reads a source if its files are not what was last looked at. Files
// that move meanwhile are left for the next look.
func (e *Engine) changed(ctx context.Context, s Source) (l LayerFiles, ok bool) {
	if s.embedded() {
		return l, false
	}
	now, was := sight{at: e.options.Now(), mark: s.mark()}, e.seen[s.Name]
	if now.mark == was.mark {
		now.digest = was.digest
		e.seen[s.Name] = now
		return l, false
	}
	if pause(ctx, e.options.Settle) != nil || s.mark() != now.mark {
		return l, false
	}
	l, err := s.read(ctx)
	if s.mark() != now.mark || ctx.Err() != nil {
		return l, false
	}
	if err == nil {
		now.digest = files(l.Files).digest()
	}
	e.seen[s.Name] = now
	if err != nil {
		_ = e.refused(err)
		return l, false
	}
	return l, e.tried[s.Name] != now.digest
}

// tellGood tells when the files of each layer were last seen to be what is in
// force. Callers hold e.mu.
func (e *Engine) tellGood() {
	for _, l := range e.good {
		if s := e.seen[l.name]; s.digest == l.digest && !l.embedded {
			e.metrics.good.WithLabelValues(l.name).Set(seconds(s.at))
		}
	}
}

// mark is the stamp of the files, or why there is none, so that each is told once.
func (s Source) mark() string {
	stamp, err := s.stamp()
	if err != nil {
		return "error: " + err.Error()
	}
	return stamp
}
