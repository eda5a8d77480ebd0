package redis

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/test/fleet"
)

// away wants that Redis counts as away, and that nobody waits for it.
func (r *rig) away() {
	r.t.Helper()
	r.wantMetric("postern_redis_breaker_open", "", 1)
	r.wantMetric("postern_dependency_up", "", 0)
	began := time.Now()
	for range 1000 {
		r.Get(context.Background(), []authz.Key{userKey(1)})
	}
	if took := time.Since(began); took > slow {
		r.t.Errorf("1000 Gets took %s while Redis was away, want no time", took)
	}
}

// F01: a Redis that is not there at the start holds nobody up, and is found
// when it comes.
func TestF01RedisIsDownAtTheStart(t *testing.T) {
	p := proxy(t, server(t).Addr())
	p.Refuse()
	r := start(t, Options{Addrs: []string{p.Addr()}})
	r.await("two probes", func() bool { return r.metric("postern_dependency_errors_total", opProbe) >= 2 })
	r.away()
	r.Put([]authz.Key{userKey(1)}, []authz.Document{{}}, at(1))
	r.wantMetric("postern_redis_writes_total", "dropped", 1)
	if got := strings.Count(r.log.String(), "level=WARN"); got != 1 {
		t.Errorf("got %d warnings, want one a minute:\n%s", got, r.log)
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	r.await("Redis is found", r.breaker.closed)
	r.put(userKey(1), authz.Document{Login: "a"}, at(1))
	r.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
}

// F02: a Redis that is killed costs no error and no time, and is found again.
func TestF02RedisIsKilledWhileItIsUsed(t *testing.T) {
	s := server(t)
	r := found(t, s.Addr())
	r.put(userKey(1), authz.Document{Login: "a"}, at(1))
	s.Kill()
	for range tolerance {
		r.want(userKey(1), authz.Kept{})
	}
	r.away()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	r.await("Redis is found", r.breaker.closed)
	r.want(userKey(1), authz.Kept{}) // it has forgotten
	r.put(userKey(1), authz.Document{Login: "a"}, at(1))
	r.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
}

// F02: a server that nobody asks notices it too, whether it listens for changes,
// as one with a database does, or not.
func TestF02AnIdleServerNoticesThatRedisIsGone(t *testing.T) {
	for _, listens := range []bool{true, false} {
		t.Run(fmt.Sprintf("it listens %v", listens), func(t *testing.T) {
			t.Parallel()
			s := server(t)
			r := found(t, s.Addr())
			ctx, stop := context.WithCancel(t.Context())
			var all sync.WaitGroup
			if listens {
				woken := make(chan struct{}, 100)
				all.Go(func() { r.Listen(ctx, func() { woken <- struct{}{} }) })
				<-woken
			}
			s.Kill()
			r.await("Redis is missed", func() bool { return !r.breaker.closed() })
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			r.await("Redis is found", r.breaker.closed)
			stop()
			all.Wait()
		})
	}
}

// F03: a Redis that hangs is waited for once, by those who ask at that moment.
func TestF03RedisHangs(t *testing.T) {
	s := server(t)
	p := proxy(t, s.Addr())
	for name, fault := range map[string]struct{ begin, end func() }{
		"a process that is stopped for 3 s": {s.Freeze, s.Thaw},
		"a connection that stalls":          {p.Stall, func() { _ = p.Heal() }},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Options{Addrs: []string{p.Addr()}})
			r.await("Redis is found", r.breaker.closed)
			r.put(userKey(1), authz.Document{Login: "a"}, at(1))
			fault.begin()
			began := time.Now()
			var waiting sync.WaitGroup
			for range 50 {
				waiting.Go(func() { r.want(userKey(1), authz.Kept{}) })
			}
			waiting.Wait()
			r.away()
			if p, s := time.Since(began), 3*time.Second; strings.Contains(name, "3 s") && p < s {
				pause(t.Context(), s-p)
			}
			r.away()
			fault.end()
			r.await("Redis is found", r.breaker.closed)
			r.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
		})
	}
}

// F04: a partition that nothing tells of makes announcements late, and no
// longer than it takes to notice and to connect again.
func TestF04ASilentPartitionMakesAnnouncementsLate(t *testing.T) {
	s := server(t)
	p := proxy(t, s.Addr())
	speaker, listener := found(t, s.Addr()), found(t, p.Addr())
	listener.listenFor = 200 * time.Millisecond
	woken := listen(t, listener)
	<-woken
	p.Stall()
	speaker.Announce(1)
	select {
	case <-woken:
		t.Error("got a message through a partition")
	case <-time.After(100 * time.Millisecond):
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	<-woken // what was held up, or that it listens again
	p.Stall()
	listener.await("the listener notices", func() bool { return listener.metric("postern_dependency_errors_total", opSubscribe) > 0 })
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	<-woken // because it listens again, though nothing was announced
	speaker.await("announcements pass again", func() bool {
		speaker.Announce(authz.Revision(speaker.announced.Load() + 1))
		select {
		case <-woken:
			return true
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
}

// F05: a Redis that is emptied is filled again.
func TestF05RedisIsFlushed(t *testing.T) {
	s := server(t)
	r := found(t, s.Addr())
	r.put(userKey(1), authz.Document{Login: "a"}, at(1))
	if _, err := s.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	r.want(userKey(1), authz.Kept{})
	r.put(userKey(1), authz.Document{Login: "a"}, at(1)) // though the script is gone too
	r.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
	r.wantMetric("postern_cache_auth_failures_total", "", 0)
}

// F06: a replica that takes the master's place with less than the master had
// says of each document how old it is.
func TestF06AnOldReplicaIsPromoted(t *testing.T) {
	master := server(t)
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica := server(t, "--replicaof", host+" "+port)
	p := proxy(t, master.Addr())
	r := found(t, p.Addr())
	older, newer := authz.Document{Login: "older"}, authz.Document{Login: "newer"}
	r.put(userKey(1), older, at(1))
	r.await("the replica has it", func() bool { n, _ := replica.Do("DBSIZE"); return n == "2" }) // with the id of the secret
	do(t, replica, "REPLICAOF", "NO", "ONE")                                                     // it hears no more
	r.put(userKey(1), newer, at(2))
	r.want(userKey(1), keptAt(newer, 2))
	p.Cut()
	p.Redirect(replica.Addr())
	master.Kill()
	r.await("the replica answers", func() bool { return r.breaker.closed() && r.get(userKey(1)).OK })
	r.want(userKey(1), keptAt(older, 1))
	r.put(userKey(1), newer, at(2))
	r.want(userKey(1), keptAt(newer, 2))
}

// F07: a Redis that takes no writes still answers, and nobody is told.
func TestF07RedisTakesNoWrites(t *testing.T) {
	for name, refuse := range map[string][]string{
		"it is full":      {"CONFIG", "SET", "maxmemory", "1"},
		"it is a replica": {"REPLICAOF", "127.0.0.1", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t, "--maxmemory-policy", "noeviction")
			r := found(t, s.Addr())
			r.put(userKey(1), authz.Document{Login: "a"}, at(1))
			do(t, s, refuse...)
			for i := range 2 * tolerance {
				r.put(userKey(2), authz.Document{}, at(authz.Revision(i)))
			}
			r.wantMetric("postern_redis_writes_total", "error", 2*tolerance)
			r.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
			r.wantMetric("postern_redis_breaker_open", "", 0)
		})
	}
}

// F08: bits that flip on the way make a miss, or an answer that is no answer,
// and never a document that is not the one that was put.
func TestF08BitsFlip(t *testing.T) {
	p := proxy(t, server(t).Addr())
	r := found(t, p.Addr())
	var keys []authz.Key
	for i := range 20 {
		keys = append(keys, userKey(i))
		r.put(keys[i], authz.Document{Login: keys[i].ID}, at(1))
	}
	p.Set(fleet.Line{}, fleet.Line{Corrupt: 0.2})
	var right, spoiled int
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline) || spoiled == 0; {
		for i, kept := range r.Get(context.Background(), keys[:1+spoiled%20]) {
			if want := keptAt(authz.Document{Login: keys[i].ID}, 1); kept.OK && !reflect.DeepEqual(kept, want) {
				t.Fatalf("%v: got %+v, want %+v or nothing", keys[i], kept, want)
			} else if kept.OK {
				right++
			}
			r.Put(keys[i:i+1], []authz.Document{{Login: keys[i].ID}}, at(1))
		}
		spoiled = int(r.metric("postern_cache_auth_failures_total", ""))
		pause(t.Context(), time.Millisecond)
	}
	t.Logf("%d documents were right, %d values were spoiled", right, spoiled)
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	r.await("all is well again", func() bool {
		r.Put(keys[:1], []authz.Document{{Login: keys[0].ID}}, at(2))
		return r.get(keys[0]).OK
	})
}

// F37: servers with different secrets share nothing, and are told so.
func TestF37AnotherServerHasAnotherSecret(t *testing.T) {
	s := server(t)
	right := found(t, s.Addr())
	right.put(userKey(1), authz.Document{Login: "a"}, at(1))
	wrong := start(t, Options{Addrs: []string{s.Addr()}, Secret: []byte(strings.Repeat("x", 32))})
	wrong.await("Redis is found", wrong.breaker.closed)
	wrong.want(userKey(1), authz.Kept{})
	wrong.put(userKey(1), authz.Document{Login: "b"}, at(9))
	right.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
	wrong.want(userKey(1), keptAt(authz.Document{Login: "b"}, 9))
	wrong.wantMetric("postern_cache_auth_failures_total", "", 1)
	if !strings.Contains(wrong.log.String(), "POSTERN_SECRET") {
		t.Errorf("got no word of the secret in\n%s", wrong.log)
	}
}

// A caller in a hurry is no sign of a Redis that hangs.
func TestWhoGivesUpEarlyDoesNotBlameRedis(t *testing.T) {
	r := found(t, server(t).Addr())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * tolerance {
		r.Get(ctx, []authz.Key{userKey(1)})
	}
	r.wantMetric("postern_redis_breaker_open", "", 0)
}

// One fleet of requests costs a Redis that fails no more than the others.
func TestTheBreakerCountsFailuresInARow(t *testing.T) {
	var asked atomic.Int64
	r := start(t, Options{Addrs: []string{hostile(t, func(command []string) string {
		if asked.Add(1)%2 == 0 {
			return "-LOADING Redis is loading the dataset in memory\r\n"
		}
		return "$0\r\n\r\n"
	})}})
	r.await("Redis is found", r.breaker.closed)
	for range 4 * tolerance {
		r.get(userKey(1))
	}
	r.wantMetric("postern_redis_breaker_open", "", 0)
}

func do(t testing.TB, s *fleet.Redis, words ...string) string {
	t.Helper()
	answer, err := s.Do(words...)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return answer
}
