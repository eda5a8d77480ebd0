package grant

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/postern-authz/postern/internal/authz"
)

// An entry is what the directory knew by a key as of a revision. It never
// changes, but for what is derived from it and where the cache keeps it.
type entry struct {
	key  authz.Key
	asOf authz.Revision
	size int64

	// At most one of these is set; none for a key the directory does not know.
	login string
	user  *holder
	part  *part
	place *authz.Place

	made atomic.Pointer[place] // the place of an account, company, … once asked for
	used atomic.Bool           // since the clock hand came by
	ring int                   // where the cache keeps it; guarded as the cache is
}

// entry prepares a document.
func (t *terms) entry(seed maphash.Seed, key authz.Key, doc authz.Document, asOf authz.Revision) *entry {
	e := &entry{key: key, asOf: asOf, size: entryBytes + int64(len(key.ID))}
	switch {
	case key.Kind == authz.KindLogin:
		e.login = doc.Login
		e.size += int64(len(doc.Login))
	case key.Kind == authz.KindUser && doc.User != nil:
		e.user = t.holder(seed, doc.User)
		e.size += e.user.bytes()
	case key.Kind == authz.KindUserAccount:
		e.size += partBytes + t.part(e, doc.Granted)
	case key.Kind != authz.KindUser && doc.Place != nil:
		e.place = doc.Place
		e.size += placeBytes + int64(len(doc.Place.AccountGroups))*groupBytes
	}
	return e
}

// known says whether the directory knows the key.
func (e *entry) known() bool {
	return e.login != "" || e.user != nil || e.part != nil || e.place != nil
}

// What things take in memory beside the bytes of their strings, in bytes, as
// TestSizesAreHonest measures them. A profile and a place are counted before
// they are made.
const (
	entryBytes      = 220
	holderBytes     = 600
	membershipBytes = 1050
	heldToolBytes   = 140
	sliceBytes      = 24
	powerBytes      = 32
	partBytes       = 60
	grantedBytes    = 150
	placeBytes      = 1450
	groupBytes      = 200
)

// A cache keeps entries within a number of bytes. When they are too many it
// forgets those that were not used since a clock hand last came by. The newest
// entry always stays, so one document larger than the bound can be used.
// Whoever writes holds the PIP's lock; readers hold its read lock.
type cache struct {
	limit   int64
	bytes   int64
	entries map[authz.Key]*entry
	parts   map[string]map[authz.Key]struct{} // of users, by id: the entries of what they were granted on one account
	ring    []*entry
	hand    int
}

func newCache(limit int64) cache {
	return cache{limit: limit, entries: map[authz.Key]*entry{}, parts: map[string]map[authz.Key]struct{}{}}
}

// at returns the entry of a key if it can be used at a revision.
func (c *cache) at(key authz.Key, head authz.Revision) *entry {
	e := c.entries[key]
	if e == nil || e.asOf > head {
		return nil
	}
	if !e.used.Load() { // most often it is, and reading does not contend
		e.used.Store(true)
	}
	return e
}

func (c *cache) put(e *entry) {
	c.remove(e.key)
	e.ring = len(c.ring)
	c.ring = append(c.ring, e)
	c.entries[e.key] = e
	c.bytes += e.size
	if user, _ := e.key.UserAccount(); user != "" {
		if c.parts[user] == nil {
			c.parts[user] = map[authz.Key]struct{}{}
		}
		c.parts[user][e.key] = struct{}{}
	}
	for c.bytes > c.limit && len(c.ring) > 1 {
		c.evict(e)
	}
}

// maxSpared is how many used entries in a row the hand spares: everyone waits
// for the lock while it moves.
const maxSpared = 64

// evict forgets the next entry that was not used, but not the one to be kept.
func (c *cache) evict(keep *entry) {
	for spared := 0; ; spared++ {
		c.hand %= len(c.ring)
		e := c.ring[c.hand]
		used := e.used.Swap(false)
		if e != keep && (!used || spared >= maxSpared) {
			c.remove(e.key)
			return
		}
		c.hand++
	}
}

// remove forgets a key and reports whether there was an entry.
func (c *cache) remove(key authz.Key) bool {
	e := c.entries[key]
	if e == nil {
		return false
	}
	delete(c.entries, key)
	last := len(c.ring) - 1
	c.ring[e.ring] = c.ring[last]
	c.ring[e.ring].ring = e.ring
	c.ring[last] = nil
	c.ring = c.ring[:last]
	c.bytes -= e.size
	c.part(key)
	return true
}

// part forgets that there was an entry of what a user was granted on an account.
func (c *cache) part(key authz.Key) {
	user, _ := key.UserAccount()
	if user == "" {
		return
	}
	delete(c.parts[user], key)
	if len(c.parts[user]) == 0 {
		delete(c.parts, user)
	}
}

// overtake forgets what was read before a key changed, and returns how many
// entries that were.
func (c *cache) overtake(change authz.Change) (n int) {
	old := func(key authz.Key) bool { e := c.entries[key]; return e != nil && e.asOf < change.Revision }
	if old(change.Key) && c.remove(change.Key) {
		n++
	}
	if change.Key.Kind != authz.KindUser {
		return n
	}
	for key := range c.parts[change.Key.ID] {
		if old(key) && c.remove(key) {
			n++
		}
	}
	return n
}

// clear forgets everything and returns how much it was.
func (c *cache) clear() int {
	n := len(c.entries)
	*c = newCache(c.limit)
	return n
}

// windowSize is how many changed keys and points are remembered at least.
const windowSize = 1 << 14

// A window remembers of late which keys changed and which points the directory
// passed: what was read before a change but arrives after it can be told, and
// so can what was never true in this history.
type window struct {
	floor         authz.Point // what came up to here may be forgotten
	recent, older span
}

// A span is what happened up to its newest point.
type span struct {
	keys   map[authz.Key]authz.Revision // when each last changed
	stamps map[authz.Revision]uint64
	newest authz.Point
}

func newSpan(from authz.Point) span {
	return span{map[authz.Key]authz.Revision{}, map[authz.Revision]uint64{}, from}
}

func newWindow(floor authz.Point) window {
	return window{floor: floor, recent: newSpan(floor), older: newSpan(floor)}
}

// add adds what one look found. What belongs to one revision stays together.
func (w *window) add(c authz.Changes) {
	for _, change := range c.Keys {
		w.recent.keys[change.Key] = max(w.recent.keys[change.Key], change.Revision)
	}
	for _, p := range c.Points {
		w.recent.stamps[p.Revision] = p.Stamp
	}
	w.recent.newest = c.Head
	if len(w.recent.keys)+len(w.recent.stamps) < windowSize {
		return
	}
	w.floor = w.older.newest
	w.older = w.recent
	w.recent = newSpan(c.Head)
}

// changed says whether a key has changed after a revision, as far as can be
// told: yes if it is not known.
func (w *window) changed(key authz.Key, after authz.Revision) bool {
	key = key.Logged()
	return after < w.floor.Revision || w.recent.keys[key] > after || w.older.keys[key] > after
}

// passed says whether the directory is known to have been at a point.
func (w *window) passed(p authz.Point) bool {
	if p == w.floor || p == w.recent.newest || p == w.older.newest {
		return true
	}
	for _, s := range []*span{&w.recent, &w.older} {
		if stamp, ok := s.stamps[p.Revision]; ok {
			return stamp == p.Stamp
		}
	}
	return false
}
