package redis

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

func TestWhatIsPutIsGot(t *testing.T) {
	r := found(t, server(t).Addr())
	docs := map[authz.Key]authz.Document{
		{Kind: authz.KindUser, ID: "usr_1"}:            userDocument(10),
		{Kind: "user_account", ID: "usr_1 a1"}:         userDocument(1),
		{Kind: authz.KindLogin, ID: "rita@x"}:          {Login: "usr_1"},
		{Kind: authz.KindAccount, ID: "a1"}:            {Place: &authz.Place{Account: "a1", Contract: "k1"}},
		{Kind: authz.KindAccount, ID: "nobody's"}:      {}, // that there is none is known too
		{Kind: authz.KindOrganization, ID: "acme}{:x"}: {Place: &authz.Place{Organization: "acme}{:x"}},
	}
	for key, doc := range docs {
		r.want(key, authz.Kept{})
		r.put(key, doc, at(5))
	}
	for key, doc := range docs {
		r.want(key, keptAt(doc, 5))
	}
	r.wantMetric("postern_redis_writes_total", "ok", float64(len(docs)))
	r.wantMetric("postern_dependency_up", "", 1)
}

func TestManyKeysAreGotInTheirOrder(t *testing.T) {
	r := found(t, server(t).Addr())
	var keys []authz.Key
	var docs []authz.Document
	for i := range 3*chunk + 1 {
		keys, docs = append(keys, userKey(i)), append(docs, authz.Document{Login: strconv.Itoa(i)})
	}
	r.Put(keys, docs, at(1))
	r.await("all are written", func() bool { return r.written() == float64(len(keys)) })
	for i, kept := range r.Get(context.Background(), keys) {
		if !reflect.DeepEqual(kept, keptAt(docs[i], 1)) {
			t.Errorf("%v: got %+v, want %+v", keys[i], kept, docs[i])
		}
	}
}

func TestAnOlderDocumentDoesNotReplaceANewerOne(t *testing.T) {
	r := found(t, server(t).Addr())
	key, older, newer := userKey(1), authz.Document{Login: "older"}, authz.Document{Login: "newer"}
	const low, high = authz.Revision(0xff), authz.Revision(0x100) // which bytes alone would order otherwise
	r.put(key, newer, at(high))
	r.put(key, older, at(low))
	r.want(key, keptAt(newer, high))
	r.wantMetric("postern_redis_writes_total", "older", 1)
	r.put(key, older, at(high+1))
	r.want(key, keptAt(older, high+1))
}

// What was written at one revision of a history that is no more makes way for
// what another has at that revision.
func TestAnotherHistoryReplacesTheSameRevision(t *testing.T) {
	r := found(t, server(t).Addr())
	doc, other := authz.Document{Login: "a"}, authz.Point{Revision: 5, Stamp: 99}
	r.put(userKey(1), doc, at(5))
	r.put(userKey(1), doc, other)
	r.want(userKey(1), authz.Kept{Document: doc, AsOf: other, OK: true})
}

func TestATimeToLiveBeginsWithTheWriteAndIsNotExtended(t *testing.T) {
	s := server(t)
	r := start(t, Options{Addrs: []string{s.Addr()}, TTL: time.Minute})
	r.await("Redis is found", r.breaker.closed)
	r.put(userKey(1), authz.Document{}, at(1))
	name := r.sealer.name(userKey(1))
	if _, err := s.Do("PEXPIRE", name, "5000"); err != nil {
		t.Fatal(err)
	}
	r.want(userKey(1), keptAt(authz.Document{}, 1))
	if left := ttl(t, s.Do, name); left > 5000 {
		t.Errorf("got %d ms left after reading, want 5000 at most", left)
	}
	r.put(userKey(1), authz.Document{}, at(2))
	if left := ttl(t, s.Do, name); left < 50_000 || left > 60_000 {
		t.Errorf("got %d ms left after writing, want 54 to 60 s", left)
	}
}

func ttl(t *testing.T, do func(...string) (string, error), name string) int {
	t.Helper()
	text, err := do("PTTL", name)
	if err != nil {
		t.Fatal(err)
	}
	left, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestWhatIsTooLargeIsNotWritten(t *testing.T) {
	r := found(t, server(t).Addr())
	r.put(userKey(1), userDocument(20_000), at(1))
	r.want(userKey(1), authz.Kept{})
	r.wantMetric("postern_redis_writes_total", "too_large", 1)
}

func TestWhatTheQueueHasNoRoomForIsDropped(t *testing.T) {
	s := server(t)
	r := found(t, s.Addr())
	s.Freeze()
	defer s.Thaw()
	for i := range maxQueue + 100 {
		r.Put([]authz.Key{userKey(i)}, []authz.Document{{}}, at(1))
	}
	r.await("the rest of the queue is dropped", func() bool { return r.written() == maxQueue+100 })
	if r.metric("postern_redis_writes_total", "dropped") < 100 {
		t.Errorf("got %v dropped, want 100 or more", r.metric("postern_redis_writes_total", "dropped"))
	}
}

func TestAnAnnouncementWakesWhoListens(t *testing.T) {
	s := server(t)
	speaker, listener := found(t, s.Addr()), found(t, s.Addr())
	woken := listen(t, listener)
	<-woken // it listens
	for revision := range authz.Revision(3) {
		began := time.Now()
		speaker.Announce(revision + 1)
		<-woken
		t.Logf("woken after %s", time.Since(began))
	}
	select {
	case <-woken:
		t.Error("woken without news")
	case <-time.After(50 * time.Millisecond):
	}
}

// listen listens until the test ends, and passes on each wake.
func listen(t testing.TB, r *rig) <-chan struct{} {
	woken := make(chan struct{}, 10_000)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Listen(ctx, func() { woken <- struct{}{} }) }()
	t.Cleanup(func() { stop(); <-done })
	return woken
}

func BenchmarkGet(b *testing.B) {
	r := found(b, server(b).Addr())
	for _, n := range []int{1, 100} {
		var keys []authz.Key
		for i := range n {
			keys = append(keys, userKey(i))
			r.put(keys[i], userDocument(10), at(1))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if kept := r.Get(context.Background(), keys); !kept[n-1].OK {
					b.Fatal("got nothing")
				}
			}
		})
	}
}
