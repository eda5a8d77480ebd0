package grant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Fresh returns nil if decisions can rest on the cache, or an error of kind
// authz.ErrUnavailable that says how stale it is.
func (p *PIP) Fresh() error {
	age, known := p.age()
	switch {
	case !known:
		return fmt.Errorf("the directory's change log has not been read yet: %w", authz.ErrUnavailable)
	case age > p.maxStaleness+p.serveStale:
		return p.stale(age)
	}
	return nil
}

// Stale returns how old the last look at the change log is, and whether that is
// beyond the bound, so that decisions which rest on the cache are marked.
func (p *PIP) Stale() (age time.Duration, stale bool) {
	age, known := p.age()
	return age, known && age > p.maxStaleness
}

func (p *PIP) age() (age time.Duration, known bool) {
	p.mu.RLock()
	seen := p.seen
	p.mu.RUnlock()
	return p.now().Sub(seen), !seen.IsZero()
}

func (p *PIP) stale(age time.Duration) error {
	served := ""
	if p.serveStale > 0 {
		served = fmt.Sprintf(" and POSTERN_SERVE_STALE_FOR=%s together", p.serveStale)
	}
	return fmt.Errorf("the directory's change log was last read %s ago, longer than POSTERN_MAX_STALENESS=%s%s: %w",
		age.Round(time.Millisecond), p.maxStaleness, served, authz.ErrUnavailable)
}

// cached answers by what the cache has.
func (p *PIP) cached(l look) gathered {
	p.metrics.age.Observe(l.age.Seconds())
	return gathered{l.found, authz.AsOf{Revision: l.head, Stale: l.age > p.maxStaleness}, l.now}
}

// beyond answers when the last look is older than the bound: from the directory
// or, if that cannot be read and stale facts may be served, from the cache. Half
// of the time is then kept for that.
func (p *PIP) beyond(ctx context.Context, requests []authz.Request, atLeast authz.Revision, l look) (gathered, error) {
	through := ctx
	if p.serves(l, atLeast) {
		var cancel context.CancelFunc
		through, cancel = context.WithTimeout(ctx, half(ctx))
		defer cancel()
	}
	g, err := p.readThrough(through, requests, atLeast)
	if err == nil {
		return g, nil
	}
	// By now the change log may have been read, and what was found have changed.
	if now := p.look(requests); errors.As(err, &unread{}) && !refused(err) && p.serves(now, atLeast) {
		return p.cached(now), nil
	}
	return gathered{}, fmt.Errorf("%w; %w", p.stale(l.age), err)
}

// serves says whether the cache may answer although the directory does not: it
// holds everything, no older than was allowed and no older than asked for.
func (p *PIP) serves(l look, atLeast authz.Revision) bool {
	return p.serveStale > 0 && l.age <= p.maxStaleness+p.serveStale && len(l.missing) == 0 && l.head >= atLeast
}

// refused says that the directory answers, and not to us any more: this server's
// token was revoked, or has expired.
func refused(err error) bool {
	return errors.Is(err, authz.ErrUnauthenticated) || errors.Is(err, authz.ErrForbidden)
}

// ours is an error as whoever asks for facts is told it: that the directory does
// not know this server is nothing that the asker could mend.
func ours(err error) error {
	if refused(err) {
		return fmt.Errorf("%v: %w", err, authz.ErrUnavailable)
	}
	return err
}

// half is half of the time that ctx still lasts.
func half(ctx context.Context) time.Duration {
	if end, limited := ctx.Deadline(); limited {
		return time.Until(end) / 2
	}
	return patience
}

// unread is why the directory could not be read.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }
