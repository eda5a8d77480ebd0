package test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

var enemies = flag.Int("enemies", 3, "how many times TestTheNewEnemyStaysOut lets somebody go")

// A user loses a group of accounts, and then an account comes into it that the
// user was never to see. Whoever knew the account and not that the user is gone
// would let the enemy in. No sidecar does so with the token of the second
// change, and none without it once the bound is over, whatever fails meanwhile.
func TestTheNewEnemyStaysOut(t *testing.T) {
	t.Parallel()
	c := newTopology(t, program(t), onPostgreSQL, portal(1, 1))
	o := c.office()
	group := o.does(http.StatusCreated, http.MethodPost, "/v1/organizations/acme/account-groups", `{"id":"sites","kind":"service_group","name":"Sites","accounts":["a0"]}`).read("id")
	enemy, _ := o.username("acme", "u0")
	r := rand.New(rand.NewPCG(uint64(*enemies), 1))
	from := slices.DeleteFunc(faults(), func(f fault) bool { return f.mends != mendsFirst || !strings.Contains(f.name, "sidecar") })
	for n := range *enemies {
		account := fmt.Sprintf("secret%d", n)
		grants := "/v1/organizations/acme/members/" + enemy + "/grants"
		o.does(http.StatusOK, http.MethodPut, "/v1/organizations/acme/accounts/"+account, `{"company":"south","kind":"service","name":"Secret"}`, "If-None-Match: *")
		x := o.does(http.StatusOK, http.MethodPatch, grants, `{"add":{"companies":[{"id":"south","all_accounts":false}],"account_groups":["`+group+`"]}}`)
		c.want(t, "a0", x.header.Get("Postern-Consistency-Token"), true, true)
		heal, err := from[r.IntN(len(from))].inject(c, r)
		if err != nil {
			t.Fatal(err)
		}
		o.does(http.StatusOK, http.MethodPatch, grants, `{"remove":{"account_groups":["`+group+`"]}}`)
		x = o.does(http.StatusOK, http.MethodPut, "/v1/organizations/acme/account-groups/"+group+"/accounts", `{"accounts":["a0","`+account+`"]}`)
		c.want(t, account, x.header.Get("Postern-Consistency-Token"), false, false)
		time.Sleep(staleness)
		c.want(t, account, "", false, false)
		if err := heal(); err != nil {
			t.Fatal(err)
		}
		c.ready()
	}
}

// want asks every sidecar whether u0 sees an account. What cannot be known now is
// no answer, which is well unless it must be known.
func (c *topology) want(t *testing.T, account, token string, want, known bool) {
	t.Helper()
	q, err := ask([]string{"login:u0", "service.view", "account:" + account})
	if err != nil {
		t.Fatal(err)
	}
	headers := []string{"X-Request-Id: enemy"}
	if token != "" {
		headers = append(headers, "Postern-Consistency-Token: "+token)
	}
	for _, s := range c.sidecars {
		x, err := s.asks(decisions, http.MethodPost, evaluation, q.json(), headers...)
		switch a, none := x.decision(); {
		case (err != nil || none != nil) && known:
			t.Fatalf("%s: %v\n%s\nwant an answer", s.name, err, x)
		case err == nil && none == nil && *a.Decision != want:
			t.Errorf("%s: got %s, want %v\n%s", s.name, a, want, x)
		}
	}
}
