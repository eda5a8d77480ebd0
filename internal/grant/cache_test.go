package grant

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
)

func keyOf(i int) authz.Key { return authz.Key{Kind: authz.KindUser, ID: fmt.Sprint("u", i)} }

// TestCacheStaysWithinItsBound holds the cache against its rules: the sum of
// its entries is what it says, within the bound or one entry alone, and the
// newest is there.
func TestCacheStaysWithinItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCache(rapid.Int64Range(1, 2000).Draw(t, "limit"))
		for range rapid.IntRange(1, 200).Draw(t, "operations") {
			key := keyOf(rapid.IntRange(0, 20).Draw(t, "key"))
			switch rapid.SampledFrom([]string{"put", "put", "find", "remove", "clear"}).Draw(t, "what") {
			case "put":
				c.put(&entry{key: key, size: rapid.Int64Range(1, 500).Draw(t, "size")})
				if c.at(key, 0) == nil {
					t.Fatalf("%v was put and is not there", key)
				}
			case "find":
				c.at(key, 0)
			case "remove":
				c.remove(key)
			case "clear":
				c.clear()
			}
			checkCache(t, &c)
		}
	})
}

func checkCache(t *rapid.T, c *cache) {
	var sum int64
	for i, e := range c.ring {
		sum += e.size
		if e.ring != i || c.entries[e.key] != e {
			t.Fatalf("entry %v is not where it says", e.key)
		}
	}
	if len(c.entries) != len(c.ring) || sum != c.bytes || sum > c.limit && len(c.ring) > 1 {
		t.Fatalf("%d entries, %d in the ring of %d bytes, %d said, limit %d", len(c.entries), len(c.ring), sum, c.bytes, c.limit)
	}
}

func TestWhatIsUsedOutlivesAScan(t *testing.T) {
	c := newCache(1000)
	for i := range 50 {
		c.put(&entry{key: keyOf(i), size: 10})
	}
	for i := range 10_000 { // each once, as a guesser of ids asks
		c.put(&entry{key: keyOf(1000 + i), size: 10})
		c.at(keyOf(i%50), 0)
	}
	for i := range 50 {
		if c.at(keyOf(i), 0) == nil {
			t.Errorf("entry %d was used all the time and is gone", i)
		}
	}
}

func TestAnEntryOfTheFutureIsNotThereYet(t *testing.T) {
	c := newCache(1000)
	c.put(&entry{key: keyOf(1), asOf: 7, size: 10})
	if c.at(keyOf(1), 6) != nil || c.at(keyOf(1), 7) == nil {
		t.Error("got an entry read at 7 at 6, or none at 7")
	}
}

// TestWindow: what changed after a revision is never said not to have.
func TestWindow(t *testing.T) {
	w := newWindow(authz.Point{Revision: 100, Stamp: 100})
	if !w.changed(keyOf(1), 99) || w.changed(keyOf(1), 100) {
		t.Error("a window from 100 knows what was before, or does not know what is after")
	}
	for i := range 5 * windowSize {
		at := authz.Point{Revision: authz.Revision(101 + i/2), Stamp: uint64(i / 2)}
		w.add(authz.Changes{Head: at, Points: []authz.Point{at}, Keys: []authz.Change{{Revision: at.Revision, Key: keyOf(i)}}})
	}
	for i := range 5 * windowSize {
		if at := authz.Revision(101 + i/2); !w.changed(keyOf(i), at-1) {
			t.Fatalf("key %d changed at %d and is said not to have", i, at)
		}
	}
	last := 5*windowSize - 1
	if at := authz.Revision(101 + last/2); w.changed(keyOf(last), at) {
		t.Errorf("key %d is said to have changed after %d", last, at)
	}
	head := authz.Point{Revision: authz.Revision(101 + last/2), Stamp: uint64(last / 2)}
	before := authz.Point{Revision: head.Revision - 1, Stamp: head.Stamp - 1}
	other := authz.Point{Revision: before.Revision, Stamp: before.Stamp + 1}
	if !w.passed(head) || !w.passed(before) || w.passed(other) || w.passed(authz.Point{Revision: 101}) {
		t.Error("the window does not tell the points it passed from others")
	}
	if n := len(w.recent.keys) + len(w.older.keys); n > 2*windowSize {
		t.Errorf("the window remembers %d keys, want at most %d", n, 2*windowSize)
	}
}

// TestSizesAreHonest compares what entries say they take with what the heap
// grows by when there are many of them, with everything in them in use.
func TestSizesAreHonest(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		n   int
		key authz.Kind
		doc func(i int) authz.Document
	}{
		"unknown keys": {20_000, authz.KindUser, func(int) authz.Document { return authz.Document{} }},
		"logins": {20_000, authz.KindLogin, func(i int) authz.Document {
			return authz.Document{Login: fmt.Sprint("usr_0000000000000000000000000000", i)}
		}},
		"users of 10 accounts":      {5_000, authz.KindUser, func(i int) authz.Document { return userOf(i, 10) }},
		"users of 1,000 accounts":   {200, authz.KindUser, func(i int) authz.Document { return userOf(i, 1000) }},
		"users of 100,000 accounts": {3, authz.KindUser, func(i int) authz.Document { return userOf(i, 100_000) }},
		"narrow users":              {5_000, authz.KindUser, func(i int) authz.Document { return narrowOf(i, 100_000) }},
		"parts of narrow users": {20_000, authz.KindUserAccount, func(i int) authz.Document {
			id := fmt.Sprintf("mem_%036d", i)
			return authz.Document{Granted: []authz.Granted{{Membership: id}, {Membership: id, Tool: "wan_analysis"}}}
		}},
		"accounts in 2 account groups": {5_000, authz.KindAccount, accountOf},
	} {
		t.Run(name, func(t *testing.T) {
			terms, seed := newTerms(), maphash.MakeSeed()
			before := heap()
			cache := newCache(1 << 40)
			for i := range c.n {
				key := authz.Key{Kind: c.key, ID: fmt.Sprintf("id-of-a-thing-%08d", i)}
				if c.key == authz.KindUserAccount { // ten of each user
					key = authz.UserAccountKey(fmt.Sprintf("usr_%036d", i/10), fmt.Sprintf("ACC-%08d", i))
				}
				e := terms.entry(seed, key, c.doc(i), 0)
				if e.place != nil {
					terms.facts(found{thing: e}, now)
				}
				if e.user != nil {
					terms.facts(found{user: e.user}, now)
				}
				cache.put(e)
			}
			took := float64(heap() - before)
			said := float64(cache.bytes)
			if ratio := said / took; ratio < 0.8 || ratio > 1.6 {
				t.Errorf("%.0f bytes an entry said, %.0f taken, ratio %.2f, want 0.8 to 1.6", said/float64(c.n), took/float64(c.n), ratio)
			} else {
				t.Logf("%.0f bytes an entry said, %.0f taken", said/float64(c.n), took/float64(c.n))
			}
			runtime.KeepAlive(&cache)
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// userOf is a user with n accounts, and a tool in every second one.
func userOf(i, n int) authz.Document {
	m := authz.Membership{Organization: "acme", OrganizationKind: "customer", Affiliation: "customer", State: "active", Role: "regular"}
	m.Tools = []authz.Tool{{ID: "wan_analysis"}}
	for j := range n {
		id := fmt.Sprintf("ACC-%08d", i*n+j)
		m.Grants = append(m.Grants, authz.Grant{Scope: authz.ScopeOf(authz.KindAccount, id)})
		if j%2 == 0 {
			m.Tools[0].Accounts = append(m.Tools[0].Accounts, id)
		}
	}
	return authz.Document{User: &authz.User{ID: fmt.Sprintf("usr_%036d", i), Kind: "personal", Memberships: []authz.Membership{m}}}
}

// narrowOf is a user with n accounts, none of which is listed.
func narrowOf(i, n int) authz.Document {
	doc := userOf(i, 0)
	doc.User.Narrow = true
	doc.User.Memberships[0].Tools[0].Unlisted = (n + 1) / 2
	return doc
}

func accountOf(i int) authz.Document {
	return authz.Document{Place: &authz.Place{
		Account: fmt.Sprintf("ACC-%08d", i), AccountKind: "service",
		Contract: fmt.Sprintf("CON-%06d", i/10), Delivery: fmt.Sprintf("DEL-%06d", i/10), AccountGroups: []string{fmt.Sprint("group-", i%50), fmt.Sprint("group-", i%70)},
		Company: fmt.Sprint("company-", i%100), Organization: "acme", OrganizationKind: "customer",
	}}
}

// TestAUsersPartsChangeWithTheUser: what changes a user takes every part of it
// away, and no part of anyone else.
func TestAUsersPartsChangeWithTheUser(t *testing.T) {
	c, w := newCache(1000), newWindow(authz.Point{})
	for _, key := range []authz.Key{keyOf(1), authz.UserAccountKey("u1", "a"), authz.UserAccountKey("u1", "b"), authz.UserAccountKey("u2", "a")} {
		c.put(&entry{key: key, asOf: 6, size: 10})
	}
	c.put(&entry{key: authz.UserAccountKey("u1", "new"), asOf: 7, size: 10})
	change := authz.Change{Revision: 7, Key: keyOf(1)}
	w.add(authz.Changes{Head: authz.Point{Revision: 7}, Keys: []authz.Change{change}})
	if n := c.overtake(change); n != 3 || len(c.entries) != 2 {
		t.Errorf("got %d forgotten and %d left, want the user with two parts, and two", n, len(c.entries))
	}
	if !w.changed(authz.UserAccountKey("u1", "a"), 6) || w.changed(authz.UserAccountKey("u1", "a"), 7) || w.changed(authz.UserAccountKey("u2", "a"), 6) {
		t.Error("the window does not tell parts of a user that changed from others")
	}
	c.remove(authz.UserAccountKey("u1", "new"))
	c.remove(authz.UserAccountKey("u2", "a"))
	if len(c.parts) != 0 {
		t.Errorf("got parts of %d users, want none", len(c.parts))
	}
}
