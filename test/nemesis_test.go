package test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// A fault breaks something of a fleet and returns what mends it.
type fault struct {
	name   string // the numbers are those of the fault matrix
	inject func(c *topology, r *rand.Rand) (heal func() error, err error)
	mends  turn
}

// A turn is when a fault is mended: a server that starts needs what it reads from.
type turn int

const (
	mendsFirst turn = iota
	beforeSidecars
	sidecarsLast
)

// faults are those that histories meet.
func faults() []fault {
	return []fault{
		{name: "F02 Redis is killed", inject: func(c *topology, _ *rand.Rand) (func() error, error) {
			c.redis.Kill()
			return c.redis.Restart, nil
		}},
		{name: "F03 Redis hangs", inject: func(c *topology, _ *rand.Rand) (func() error, error) {
			c.redis.Freeze()
			return func() error { c.redis.Thaw(); return nil }, nil
		}},
		{name: "F04 Redis hears one sidecar no more", inject: toRedis(func(p *fleet.Proxy) { p.Stall() })},
		{name: "F04 one sidecar hears Redis no more", inject: toRedis(func(p *fleet.Proxy) { p.Set(fleet.Line{}, fleet.Line{Stall: true}) })},
		{name: "F04 the network loses what Redis says", inject: partition},
		{name: "F05 Redis is flushed", inject: redis("FLUSHALL")},
		{name: "F06 Redis comes back as it once was", inject: oldRedis},
		{name: "F07 Redis is full", inject: redisWhile([]string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"})},
		{name: "F07 Redis is read-only", inject: redisWhile([]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"})},
		{name: "F08 Redis answers with flipped bits", inject: toRedis(func(p *fleet.Proxy) { p.Set(fleet.Line{}, fleet.Line{Corrupt: 0.2}) })},
		{name: "F10 PostgreSQL is killed", inject: func(c *topology, _ *rand.Rand) (func() error, error) {
			c.postgres.Process().Kill()
			return func() error { c.postgres.Restart(c.t); return nil }, nil
		}},
		{name: "F10 PostgreSQL hangs", inject: func(c *topology, _ *rand.Rand) (func() error, error) {
			p := c.postgres.Process()
			p.Freeze()
			return func() error { p.Thaw(); return nil }, nil
		}},
		{name: "F10 one sidecar is cut off from the directory", inject: toSource((*fleet.Proxy).Stall)},
		{name: "F10 one sidecar hears the directory no more", inject: toSource(func(p *fleet.Proxy) { p.Set(fleet.Line{}, fleet.Line{Stall: true}) })},
		{name: "F10 one sidecar is refused by the directory", inject: toSource((*fleet.Proxy).Refuse)},
		{name: "F10 one sidecar's answers are cut short", inject: toSource(func(p *fleet.Proxy) { p.Set(fleet.Line{}, fleet.Line{CutAfter: 700}) })},
		{name: "F11 the directory is slow", inject: toSource(func(p *fleet.Proxy) {
			p.Set(fleet.Line{Latency: 150 * time.Millisecond}, fleet.Line{Latency: 150 * time.Millisecond})
		})},
		{name: "F11 the database is slow", inject: func(c *topology, _ *rand.Rand) (func() error, error) {
			c.management.source.Set(fleet.Line{Latency: 50 * time.Millisecond}, fleet.Line{Latency: 50 * time.Millisecond})
			return c.management.source.Heal, nil
		}},
		{name: "F12 the connections to PostgreSQL are cut", inject: func(c *topology, _ *rand.Rand) (func() error, error) {
			c.management.source.Refuse()
			return c.management.source.Heal, nil
		}},
		{name: "F12 PostgreSQL takes no writes", inject: readOnly},
		{mends: beforeSidecars, name: "F16 the server that administers is killed", inject: func(c *topology, _ *rand.Rand) (func() error, error) {
			c.management.kill()
			return func() error {
				err := c.management.start()
				for _, s := range c.sidecars {
					s.source.Redirect(c.listener())
				}
				return err
			}, nil
		}},
		{mends: sidecarsLast, name: "F25 a sidecar is told to end", inject: func(c *topology, r *rand.Rand) (func() error, error) {
			s := c.any(r)
			running := s.now()
			if err := running.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				return nil, err
			}
			<-running.done
			s.kill()
			return s.start, running.err
		}},
		{mends: sidecarsLast, name: "F26 a sidecar is killed", inject: func(c *topology, r *rand.Rand) (func() error, error) {
			s := c.any(r)
			s.kill()
			return s.start, nil
		}},
		{name: "F26 a sidecar stands still", inject: func(c *topology, r *rand.Rand) (func() error, error) {
			p := c.any(r).now().cmd.Process
			return func() error { return p.Signal(syscall.SIGCONT) }, p.Signal(syscall.SIGSTOP)
		}},
		{name: "F26 the server that administers stands still", inject: func(c *topology, r *rand.Rand) (func() error, error) {
			p := c.management.now().cmd.Process
			return func() error { return p.Signal(syscall.SIGCONT) }, p.Signal(syscall.SIGSTOP)
		}},
	}
}

func (c *topology) any(r *rand.Rand) *instance { return c.sidecars[r.IntN(len(c.sidecars))] }

// toSource disturbs what one sidecar, or all of them, read the directory through.
func toSource(disturb func(*fleet.Proxy)) func(*topology, *rand.Rand) (func() error, error) {
	return disturbed(disturb, func(i *instance) *fleet.Proxy { return i.source })
}

func toRedis(disturb func(*fleet.Proxy)) func(*topology, *rand.Rand) (func() error, error) {
	return disturbed(disturb, func(i *instance) *fleet.Proxy { return i.redis })
}

func disturbed(disturb func(*fleet.Proxy), of func(*instance) *fleet.Proxy) func(*topology, *rand.Rand) (func() error, error) {
	return func(c *topology, r *rand.Rand) (func() error, error) {
		some := []*instance{c.any(r)}
		if r.IntN(3) == 0 {
			some = c.sidecars
		}
		for _, i := range some {
			disturb(of(i))
		}
		lost := r.IntN(2) == 0
		return func() (err error) {
			for _, i := range some {
				if lost { // or what was held up arrives late
					of(i).Cut()
				}
				err = errors.Join(err, of(i).Heal())
			}
			return err
		}, nil
	}
}

func redis(words ...string) func(*topology, *rand.Rand) (func() error, error) {
	return func(c *topology, _ *rand.Rand) (func() error, error) {
		_, err := c.redis.Do(words...)
		return func() error { return nil }, err
	}
}

func redisWhile(begin, end []string) func(*topology, *rand.Rand) (func() error, error) {
	return func(c *topology, _ *rand.Rand) (func() error, error) {
		_, err := c.redis.Do(begin...)
		return func() error { _, err := c.redis.Do(end...); return err }, err
	}
}

// partition cuts Redis off from everybody, and tells nobody.
func partition(c *topology, _ *rand.Rand) (func() error, error) {
	if c.network != nil {
		return c.network.Heal, c.network.Partition()
	}
	for _, s := range c.sidecars {
		s.redis.Stall()
	}
	return func() (err error) {
		for _, s := range c.sidecars {
			err = errors.Join(err, s.redis.Heal())
		}
		return err
	}, nil
}

// oldRedis brings back what Redis held some time ago: entries that were true
// then, as a promoted replica that lags has them.
func oldRedis(c *topology, _ *rand.Rand) (func() error, error) {
	if _, err := c.redis.Do("SAVE"); err != nil {
		return nil, err
	}
	return func() error {
		c.redis.Kill()
		return c.redis.Restart()
	}, nil
}

// readOnly makes every new transaction of PostgreSQL one that reads.
func readOnly(c *topology, _ *rand.Rand) (func() error, error) {
	set := func(words string) error {
		out, err := exec.Command("psql", "-XtAq", "-c", words, "-c", "SELECT pg_reload_conf()", c.dsn).CombinedOutput()
		if err != nil {
			return fmt.Errorf("psql: %w\n%s", err, out)
		}
		return nil
	}
	return func() error { return set("ALTER SYSTEM RESET default_transaction_read_only") },
		set("ALTER SYSTEM SET default_transaction_read_only = on")
}

// meets tells whether a fault is about what another one has broken already.
func (f fault) meets(other string) bool {
	for _, thing := range []string{"Redis", "PostgreSQL", "administers", " a sidecar", " one sidecar"} {
		if strings.Contains(f.name, thing) && strings.Contains(other, thing) {
			return true
		}
	}
	return false
}

// plague breaks one thing after the other, sometimes two at once, until the time
// is over, and mends them all. It returns what it did.
func (c *topology) plague(r *rand.Rand, length time.Duration, from []fault) (done []string) {
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(time.Duration(100+r.IntN(500)) * time.Millisecond)
		heals := make([][]func() error, sidecarsLast+1)
		for n := range 1 + r.IntN(3)/2 {
			f := from[r.IntN(len(from))]
			if n > 0 && f.meets(done[len(done)-1]) {
				continue
			}
			heal, err := f.inject(c, r)
			if err != nil {
				c.t.Logf("%s: %v", f.name, err) // the other fault may be in its way
			}
			done = append(done, f.name)
			if heal != nil {
				heals[f.mends] = append(heals[f.mends], heal)
			}
		}
		time.Sleep(min(time.Duration(200+r.IntN(2300))*time.Millisecond, max(0, time.Until(end))))
		c.heal(slices.Concat(heals...))
	}
	return done
}

// heal mends everything, servers last: they start with what the others need.
func (c *topology) heal(heals []func() error) {
	for _, heal := range heals {
		if err := heal(); err != nil {
			c.t.Fatal(err)
		}
	}
}
