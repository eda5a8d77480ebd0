package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// bounded is the staleness that the fleets of watches promise.
const bounded = 5 * time.Second

// newFleet starts a fleet of a watch on SQLite, but for the sidecars.
func newFleet(t *testing.T) *topology {
	t.Helper()
	c := &topology{t: t, binary: program(t)}
	t.Cleanup(c.stop)
	c.manage(holding())
	return c
}

// follow starts a sidecar that reads the directory at some servers, each through
// a proxy.
func (c *topology) follow(servers []*fleet.Proxy, settings ...string) *instance {
	c.t.Helper()
	var urls []string
	for _, p := range servers {
		urls = append(urls, "http://"+p.Addr())
	}
	s := &instance{name: fmt.Sprintf("sidecar %d", len(c.sidecars)), flags: []string{"--only=decisions"}}
	s.i = c.installation(append([]string{
		"POSTERN_DIRECTORY_URL=" + strings.Join(urls, ","),
		"POSTERN_DIRECTORY_TOKEN=" + c.office().replicate(),
		"POSTERN_DECISIONS_TIMEOUT=2s",
		"POSTERN_MAX_STALENESS=" + bounded.String(),
	}, settings...)...)
	c.sidecars = append(c.sidecars, s)
	if err := s.start(); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// each waits until a series of every sidecar is as it should be.
func (c *topology) each(t *testing.T, series string, so func(float64) bool) {
	t.Helper()
	for _, s := range c.sidecars {
		s.now().awaitMetric(t, series, so)
	}
}

// total is the sum of a series of all sidecars.
func (c *topology) total(t *testing.T, series string) (n float64) {
	t.Helper()
	for _, s := range c.sidecars {
		n += s.now().metric(t, series)
	}
	return n
}

// The series that tell of Redis.
const (
	redisUp      = `postern_dependency_up{dependency="redis"}`
	breakerOpen  = "postern_redis_breaker_open"
	forged       = "postern_cache_auth_failures_total"
	redisHits    = `postern_grants_cache_requests_total{result="hit",tier="redis"}`
	redisMisses  = `postern_grants_cache_requests_total{result="miss",tier="redis"}`
	redisStale   = `postern_grants_cache_requests_total{result="stale",tier="redis"}`
	redisRefuses = `postern_redis_writes_total{result="error"}`
)

// TestRedisFaultsOfAFleet breaks Redis under a fleet of one server that
// administers and three that decide, F01 to F08. Whatever happens to it, every
// decision is made, each is right, whoever loses a grant is refused within the
// bound on every sidecar, all stay ready, and metrics say what is wrong.
func TestRedisFaultsOfAFleet(t *testing.T) {
	t.Parallel()
	c := newFleet(t)
	var err error
	if c.redis, err = fleet.NewRedis(); err != nil {
		t.Fatal(err)
	}
	c.redis.Kill()
	for range 3 {
		way := c.proxied(c.redis.Addr())
		c.follow([]*fleet.Proxy{c.proxied(c.listener())}, "POSTERN_REDIS_ADDRS="+way.Addr()).redis = way
	}
	w := newWatch(c)
	w.run()
	defer w.stop()
	f := redisFaults{c, w}
	for _, fault := range []struct {
		name   string
		break_ func(*testing.T)
	}{
		{"F01 Redis is refused at the start", f.refused},
		{"F02 Redis is killed", f.killed},
		{"F03 Redis hangs", f.hangs},
		{"F04 Redis is cut off silently", f.cutOff},
		{"F05 Redis is flushed", f.flushed},
		{"F06 an old replica takes the place of Redis", f.replaced},
		{"F07 Redis is full, and then takes no writes", f.full},
		{"F08 bits flip on the way, and values are changed", f.corrupted},
	} {
		t.Run(fault.name, func(t *testing.T) {
			begun := time.Now()
			fault.break_(t)
			_, took := w.revokes(t, bounded)
			w.holdsUp(t)
			t.Logf("refused everywhere %v after the last revocation; %v in all", took, time.Since(begun))
		})
	}
}

// redisFaults break Redis and leave it whole.
type redisFaults struct {
	c *topology
	w *watch
}

// away wants a revocation to count while Redis is away, and everybody to notice
// that it is.
func (f redisFaults) away(t *testing.T) {
	t.Helper()
	_, took := f.w.revokes(t, bounded)
	f.c.each(t, breakerOpen, is(1))
	f.c.each(t, redisUp, is(0))
	t.Logf("refused everywhere %v after a revocation without Redis", took)
}

// back wants everybody to find Redis again and to use it.
func (f redisFaults) back(t *testing.T) {
	t.Helper()
	f.c.each(t, breakerOpen, is(0))
	f.c.each(t, redisUp, is(1))
	before := f.c.total(t, redisHits)
	for enough := time.Now().Add(patience); f.c.total(t, redisHits) <= before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(enough) {
			t.Fatal("nothing is read from Redis any more")
		}
	}
}

func (f redisFaults) refused(t *testing.T) {
	f.away(t)
	if err := f.c.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	f.back(t)
}

func (f redisFaults) killed(t *testing.T) {
	f.c.redis.Kill()
	f.refused(t)
}

func (f redisFaults) hangs(t *testing.T) {
	f.c.redis.Freeze()
	f.away(t)
	f.c.redis.Thaw()
	f.back(t)
}

func (f redisFaults) cutOff(t *testing.T) {
	for _, s := range f.c.sidecars {
		s.redis.Stall()
	}
	f.away(t)
	for _, s := range f.c.sidecars {
		if err := s.redis.Heal(); err != nil {
			t.Fatal(err)
		}
	}
	f.back(t)
}

func (f redisFaults) flushed(t *testing.T) {
	missed := f.c.total(t, redisMisses)
	for range 20 {
		f.c.must(t, "FLUSHALL")
		time.Sleep(20 * time.Millisecond)
	}
	f.back(t)
	if got := f.c.total(t, redisMisses); got <= missed {
		t.Errorf("got %v misses, want more than the %v before", got, missed)
	}
	if got := f.c.total(t, breakerOpen); got != 0 {
		t.Errorf("got %v sidecars that leave Redis alone, want none", got)
	}
}

// replaced puts a replica that has missed a revocation in the place of its
// master. A sidecar that starts has only that to read from, and does not.
func (f redisFaults) replaced(t *testing.T) {
	replica, err := fleet.NewRedis("--replicaof", strings.Replace(f.c.redis.Addr(), ":", " ", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(replica.Stop)
	f.w.mu.Lock()
	next := f.w.victims[0]
	f.w.mu.Unlock()
	for _, s := range f.c.sidecars {
		s.now().decides(t, own(next))
	}
	for enough := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		keys, err := replica.Do("DBSIZE")
		if all, _ := f.c.redis.Do("DBSIZE"); err == nil && keys == all && keys != "0" {
			break
		}
		if time.Now().After(enough) {
			t.Fatalf("the replica got %s keys, %v", keys, err)
		}
	}
	if _, err := replica.Do("REPLICAOF", "NO", "ONE"); err != nil {
		t.Fatal(err)
	}
	victim, _ := f.w.revokes(t, bounded)
	f.c.redis.Kill()
	old := f.c.redis
	f.c.redis = replica
	for _, s := range f.c.sidecars {
		s.redis.Redirect(replica.Addr())
		s.redis.Cut()
	}
	begins := f.c.sidecars[0]
	begins.kill()
	if err := begins.start(); err != nil {
		t.Fatal(err)
	}
	f.back(t)
	if begins.now().decides(t, own(victim)) {
		t.Errorf("%s: got an allow by a grant that is revoked", begins.name)
	}
	begins.now().awaitMetric(t, redisStale, atLeast(1))
	if err := old.Restart(); err != nil {
		t.Fatal(err)
	}
	f.c.redis = old
	for _, s := range f.c.sidecars {
		s.redis.Redirect(old.Addr())
		s.redis.Cut()
	}
	f.back(t)
}

func (f redisFaults) full(t *testing.T) {
	for _, fault := range [][2][]string{
		{{"CONFIG", "SET", "maxmemory", "1"}, {"CONFIG", "SET", "maxmemory", "0"}},
		{{"REPLICAOF", "127.0.0.1", "1"}, {"REPLICAOF", "NO", "ONE"}},
	} {
		refused := f.c.total(t, redisRefuses)
		f.c.must(t, fault[0]...)
		f.w.revokes(t, bounded)
		for enough := time.Now().Add(patience); f.c.total(t, redisRefuses) <= refused; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(enough) {
				t.Fatalf("%q: no write was refused", fault[0])
			}
		}
		f.c.must(t, fault[1]...)
		f.back(t)
	}
}

func (f redisFaults) corrupted(t *testing.T) {
	for _, s := range f.c.sidecars {
		s.redis.Set(fleet.Line{Corrupt: 0.2}, fleet.Line{Corrupt: 0.2})
	}
	f.w.revokes(t, bounded)
	for _, s := range f.c.sidecars {
		if err := s.redis.Heal(); err != nil {
			t.Fatal(err)
		}
		s.redis.Cut()
	}
	f.back(t)
	before := f.c.total(t, forged)
	for enough := time.Now().Add(patience); f.c.total(t, forged) <= before; time.Sleep(20 * time.Millisecond) {
		f.spoil(t)
		if time.Now().After(enough) {
			t.Fatal("nobody counts values that are not whole")
		}
	}
	f.back(t)
}

// spoil gives each key in Redis the value of another one.
func (f redisFaults) spoil(t *testing.T) {
	keys := strings.Fields(f.c.must(t, "KEYS", "*"))
	for n, key := range keys[:max(0, len(keys)-1)] {
		f.c.must(t, "COPY", keys[n+1], key, "REPLACE")
	}
}

// must runs a command in Redis.
func (c *topology) must(t *testing.T, words ...string) string {
	t.Helper()
	said, err := c.redis.Do(words...)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return said
}

// F06, F01: Sentinel puts another Redis in the place of one that is dead, and
// then that one dies too. No decision fails and none is wrong.
func TestF06SentinelFailsOverUnderAFleet(t *testing.T) {
	t.Parallel()
	c := newFleet(t)
	watching, err := fleet.NewSentinel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watching.Stop)
	for range 2 {
		c.follow([]*fleet.Proxy{c.proxied(c.listener())}, "POSTERN_REDIS_ADDRS="+strings.Join(watching.Addrs(), ","), "POSTERN_REDIS_MASTER="+fleet.MasterName)
	}
	w := newWatch(c)
	w.run()
	defer w.stop()
	f := redisFaults{c, w}
	f.back(t)
	begun := time.Now()
	watching.Master.Kill()
	_, took := w.revokes(t, bounded)
	if err := watching.AwaitFailover(); err != nil {
		t.Fatal(err)
	}
	f.back(t)
	t.Logf("refused everywhere %v after a revocation without a master; Redis used again %v after it was killed", took, time.Since(begun))
	w.revokes(t, bounded)
	watching.Replica.Kill()
	f.away(t)
	w.holdsUp(t)
}

// F37: a server that has another secret than the others of its directory uses
// nothing of theirs, nor they of it. It is counted, and no decision is wrong. A
// sidecar with another secret does not serve.
func TestF37AnotherSecretSharesNothing(t *testing.T) {
	t.Parallel()
	c := newFleet(t)
	var err error
	if c.redis, err = fleet.NewRedis(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c.follow([]*fleet.Proxy{c.proxied(c.listener())}, "POSTERN_REDIS_ADDRS="+c.redis.Addr())
	}
	w := newWatch(c)
	w.run()
	defer w.stop()
	redisFaults{c, w}.back(t)
	other := c.management.i
	other.env = append(other.env[:len(other.env):len(other.env)], "POSTERN_SECRET="+strings.Repeat("0ther!", 8), "POSTERN_REDIS_ADDRS="+c.redis.Addr())
	stranger := &instance{name: "a server with another secret", i: other}
	if err := stranger.start(); err != nil {
		t.Fatal(err)
	}
	c.sidecars = append(c.sidecars, stranger)
	stranger.now().awaitMetric(t, forged, atLeast(1))
	for range 3 {
		w.revokes(t, bounded)
	}
	for n := range holders {
		if !stranger.now().decides(t, own(fmt.Sprintf("u%d", n))) {
			t.Errorf("u%d: got a denial of what was granted", n)
		}
	}
	// Which of the two reads a document for the other is a matter of moments.
	shared := c.sidecars[0].now().metric(t, redisHits) + c.sidecars[1].now().metric(t, redisHits)
	if shared == 0 || stranger.now().metric(t, breakerOpen) != 0 {
		t.Errorf("got %v uses of Redis, and %v by the stranger, want each to use its own", shared, stranger.now().metric(t, redisHits))
	}
	w.holdsUp(t)
	i := c.sidecars[0].i
	i.env = append(i.env[:len(i.env):len(i.env)], "POSTERN_SECRET="+strings.Repeat("0ther!", 8))
	out, err := i.command("serve", "--only=decisions").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "POSTERN_SECRET is not that of the server") {
		t.Errorf("got %v %s, want a refusal that names POSTERN_SECRET", err, out)
	}
}
