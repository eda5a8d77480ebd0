package test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

var most = flag.Int("most", 3_000, "accounts that the user with the most holds in TestTheNumberOfAccountsCostsNothing")

// wideAccounts is a directory of users who hold so many accounts each by a grant
// of its own, and are called after their number: u10, u1000.
func wideAccounts(numbers ...int) string {
	b := []string{strings.TrimSuffix(portal(0, slices.Max(numbers)), "\n")}
	for _, held := range numbers {
		name := fmt.Sprintf("u%d", held)
		b = append(b,
			fmt.Sprintf(`{"type":"user","kind":"personal","username":%q,"email":"%s@acme.example"}`, name, name),
			fmt.Sprintf(`{"type":"membership","organization":"acme","user":%q,"role":"regular","assigned_by":"user"}`, name),
			fmt.Sprintf(`{"type":"grant","organization":"acme","user":%q,"company":"south","all_accounts":false}`, name))
		for n := range held {
			b = append(b, fmt.Sprintf(`{"type":"grant","organization":"acme","user":%q,"account":"a%d"}`, name, n))
		}
	}
	return lines(b...)
}

// What a sidecar loads and keeps for a decision, and what Redis keeps for it, is
// as little for a user of very many accounts as for one of some; and its memory
// holds what was asked about. How long it takes is logged.
func TestTheNumberOfAccountsCostsNothing(t *testing.T) {
	t.Parallel()
	const (
		firstBytes = 64 << 10 // in memory, after the first decision
		entryBytes = 32 << 10 // the largest in Redis
		askedBytes = 6 << 10  // in memory, for each account that was asked about
	)
	numbers := []int{10, 1_000, *most}
	c := &topology{t: t, binary: program(t)}
	t.Cleanup(c.stop)
	c.manage(wideAccounts(numbers...))
	for _, held := range numbers {
		var err error
		if c.redis, err = fleet.NewRedis(); err != nil {
			t.Fatal(err)
		}
		s := c.follow([]*fleet.Proxy{c.proxied(c.listener())}, "POSTERN_REDIS_ADDRS="+c.redis.Addr()).now()
		kept := func() float64 { return s.metric(t, "postern_grants_cache_bytes") }
		first := s.views(t, held, 0)
		if got := kept(); got > firstBytes {
			t.Errorf("%d accounts: the first decision keeps %.0f bytes, want %d or fewer", held, got, firstBytes)
		}
		largest := c.largest(t)
		if largest > entryBytes {
			t.Errorf("%d accounts: Redis keeps an entry of %d bytes, want %d or fewer", held, largest, entryBytes)
		}
		before, asked := kept(), rand.New(rand.NewPCG(1, 2)).Perm(held)[:min(held, 300)]
		fresh, again := s.viewsEach(t, held, asked), s.viewsEach(t, held, asked)
		if got := kept() - before; got > askedBytes*float64(len(asked)) {
			t.Errorf("%d accounts: %d decisions keep %.0f bytes, want %d or fewer each", held, len(asked), got, askedBytes)
		}
		t.Logf("%d accounts: first decision %v, then p50 %v, asked again p50 %v; %.0f bytes in memory, the largest of %s entries in Redis has %d",
			held, first, fresh, again, kept(), c.must(t, "DBSIZE"), largest)
		s.kill() //nolint:errcheck // it has been measured
		c.redis.Stop()
	}
}

// views asks whether the user of so many accounts sees one, and how long that takes.
func (s *server) views(t *testing.T, held, account int) time.Duration {
	t.Helper()
	start := time.Now()
	if !s.decides(t, fmt.Sprintf("login:u%d service.view account:a%d", held, account)) {
		t.Errorf("u%d does not see a%d", held, account)
	}
	return time.Since(start)
}

// viewsEach is views of several accounts, one after the other: the median.
func (s *server) viewsEach(t *testing.T, held int, accounts []int) time.Duration {
	t.Helper()
	took := make([]time.Duration, 0, len(accounts))
	for _, n := range accounts {
		took = append(took, s.views(t, held, n))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// largest is the size of the largest value in Redis, in bytes.
func (c *topology) largest(t *testing.T) (most int) {
	t.Helper()
	const script = "local most = 0 for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('TYPE', k).ok == 'string' then most = math.max(most, redis.call('STRLEN', k)) end end return most"
	n, err := strconv.Atoi(c.must(t, "EVAL", script, "0"))
	if err != nil {
		t.Fatal(err)
	}
	return max(most, n)
}
