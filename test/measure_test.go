package test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

var revocations = flag.Int("revocations", 10, "how many revocations TestRevocationsCountSoon measures, with Redis and without")

// A revocation counts on all of three healthy sidecars soon after it was
// acknowledged, with Redis and without: how soon is logged, and it is never
// later than the bound.
func TestRevocationsCountSoon(t *testing.T) {
	t.Parallel()
	c := newFleet(t)
	var err error
	if c.redis, err = fleet.NewRedis(); err != nil {
		t.Fatal(err)
	}
	for _, with := range []struct {
		name     string
		settings []string
	}{{"without Redis", nil}, {"with Redis", []string{"POSTERN_REDIS_ADDRS=" + c.redis.Addr()}}} {
		c.sidecars = nil
		for range 3 {
			c.follow([]*fleet.Proxy{c.proxied(c.listener())}, with.settings...)
		}
		o := c.office()
		member, _ := o.username("acme", "u0")
		var took []time.Duration
		for range *revocations {
			took = append(took, c.revocation(t, o, member)...)
		}
		slices.Sort(took)
		at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))] }
		t.Logf("%s: %d refusals after %d revocations: p50 %v, p99 %v, the last %v", with.name, len(took), *revocations, at(.5), at(.99), at(1))
		for _, s := range c.sidecars {
			s.kill()
		}
	}
	c.sidecars = nil
}

// revocation grants u0 an account, takes it away, and returns how long each
// sidecar allowed it after that was acknowledged.
func (c *topology) revocation(t *testing.T, o office, member string) []time.Duration {
	t.Helper()
	account := fmt.Sprintf("a%d", held)
	changes := func(what string) exchange {
		return o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", fmt.Sprintf(`{%q:{"accounts":[{"id":%q}]}}`, what, account))
	}
	words := "login:u0 service.view account:" + account
	granted := changes("add").header.Get("Postern-Consistency-Token")
	for _, s := range c.sidecars {
		if !s.now().allows(t, words, granted) {
			t.Fatalf("%s denies what was granted", s.name)
		}
	}
	changes("remove")
	acked, took := time.Now(), make([]time.Duration, len(c.sidecars))
	var all sync.WaitGroup
	for n, s := range c.sidecars {
		all.Go(func() {
			for s.now().decides(t, words) {
				if time.Since(acked) > bounded {
					t.Errorf("%s allows it after %v", s.name, time.Since(acked))
					break
				}
				time.Sleep(200 * time.Microsecond)
			}
			took[n] = time.Since(acked)
		})
	}
	all.Wait()
	return took
}
