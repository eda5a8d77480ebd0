package grant

import (
	"context"

	"github.com/postern-authz/postern/internal/authz"
)

// fromTier puts into the cache what the tier holds of keys and the change log
// proves, and returns the keys that are left to be read.
//
// A document is proved if the directory passed the point at which it was read,
// in the history that it is in now, and its key did not change since. What the
// tier answers, when, and whether it forgets or repeats itself has no part in it.
func (p *PIP) fromTier(ctx context.Context, keys []authz.Key) []authz.Key {
	if p.tier == nil {
		return keys
	}
	kept := p.tier.Get(ctx, keys)
	if len(kept) != len(keys) {
		return keys
	}
	var rest []authz.Key
	for i, key := range keys {
		if !p.fromKept(key, kept[i]) {
			rest = append(rest, key)
		}
	}
	return rest
}

// fromKept puts one document of the tier into the cache, if it is proved.
func (p *PIP) fromKept(key authz.Key, k authz.Kept) bool {
	if !k.OK {
		p.metrics.tierMisses.Inc()
		return false
	}
	e := p.terms.entry(p.seed, key, k.Document, k.AsOf.Revision)
	p.mu.Lock()
	proved := p.changes.passed(k.AsOf) && p.keepEntry(e)
	p.mu.Unlock()
	if proved {
		p.metrics.tierHits.Inc()
	} else {
		p.metrics.tierStale.Inc()
	}
	return proved
}
