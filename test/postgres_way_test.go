package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// F11: a directory that is slow costs those nothing whose grants are cached. Who
// is not cached is refused in time, and however many they are, the change log is
// still looked at.
func TestF11ASlowDirectoryCostsCachedDecisionsNothing(t *testing.T) {
	const bound, deadline, slack = 3 * time.Second, 300 * time.Millisecond, 700 * time.Millisecond
	i := onFaulty(t, "POSTERN_MAX_STALENESS="+bound.String(), "POSTERN_DECISIONS_TIMEOUT="+deadline.String(), "POSTERN_POLL_INTERVAL=250ms", "POSTERN_DATABASE_CONNECTIONS=4")
	way, err := fleet.NewProxy(faulty.Socket(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer way.Close()
	i.by(t, way.Addr())
	s := i.serve(t)
	for !s.decides(t, viewed) {
		t.Fatal("got a denial of what is granted")
	}
	way.Set(fleet.Line{}, fleet.Line{Latency: 500 * time.Millisecond})
	slow, over := time.Now(), make(chan struct{})
	var missing sync.WaitGroup
	for n := range 16 {
		missing.Go(func() {
			for m := 0; ; m++ {
				select {
				case <-over:
					return
				default:
				}
				a := s.askSince(t, slow, fmt.Sprintf("login:nobody%d-%d service.view account:a-1001", n, m))
				if a.status != http.StatusServiceUnavailable || a.took > deadline+slack {
					t.Errorf("not cached: got %v %s after %v, want a 503 within %v", a.err, a, a.took, deadline)
				}
			}
		})
	}
	var took []time.Duration
	oldest := 0.0
	for time.Since(slow) < bound+time.Second {
		a := s.askSince(t, slow, viewed)
		if !a.allowed() {
			t.Errorf("cached: got %v %s after %v, want an allow", a.err, a, a.since)
		}
		took = append(took, a.took)
		oldest = max(oldest, s.metric(t, "postern_grants_staleness_seconds"))
	}
	close(over)
	missing.Wait()
	slices.Sort(took)
	if got := took[len(took)/2]; got > deadline/2 {
		t.Errorf("cached: half of the decisions take %v or more, want what they take without the directory", got)
	}
	if oldest > bound.Seconds() {
		t.Errorf("got grants of %v s, want the change log looked at within %v", oldest, bound)
	}
	t.Logf("%d cached decisions: median %v, p99 %v; grants at most %.2f s old", len(took), took[len(took)/2], took[len(took)*99/100], oldest)
	if err := way.Heal(); err != nil {
		t.Fatal(err)
	}
	for a := s.askSince(t, slow, "login:sam service.view account:a-1001"); !a.allowed(); a = s.askSince(t, slow, "login:sam service.view account:a-1001") {
		if a.since > patience {
			t.Fatalf("got %v %s, want an allow once it is fast again", a.err, a)
		}
	}
}

// F12: when nobody can tell whether a change was kept, the answer says so, and
// the same request with its Idempotency-Key is done once, whatever became of the
// first.
func TestF12ARetryIsSafeWhateverBecameOfTheCommit(t *testing.T) {
	i := onFaulty(t)
	commits, err := fleet.NewCommits(faulty.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer commits.Close()
	i.by(t, commits.Addr())
	s := i.serve(t)
	o := office{s, t, s.operatorKey()}
	for how, name := range map[fleet.Loss]string{fleet.Kept: "kept", fleet.Undone: "undone"} {
		var x exchange
		invite := func(n int) exchange {
			t.Helper()
			x, err := o.asks(http.MethodPost, "/v1/organizations/acme/invitations",
				fmt.Sprintf(`{"email":"%s%d@acme.example","role":"regular","deliver":"return_link"}`, name, n), fmt.Sprintf("Idempotency-Key: %s-%d", name, n))
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		n := 0
		for commits.Lose(how); x.status != http.StatusServiceUnavailable; n++ {
			if x = invite(n); x.status == http.StatusCreated { // the outbox's commit was lost
				time.Sleep(300 * time.Millisecond)
				commits.Lose(how)
			}
			if n > 10 {
				t.Fatalf("got %s, want a 503", x)
			}
		}
		if x.read("reason") != "outcome-unknown" || x.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %s, want the reason outcome-unknown and when to come back", name, x)
		}
		again, once := invite(n-1), invite(n-1)
		if again.status != http.StatusCreated || again.read("invitation.id") != once.read("invitation.id") {
			t.Errorf("%s: got %s\n and then %s\nwant the same invitation", name, again, once)
		}
		found := o.does(http.StatusOK, http.MethodGet, "/v1/organizations/acme/invitations?page_size=200", "")
		if got := strings.Count(found.body, fmt.Sprintf(`"%s%d@acme.example"`, name, n-1)); got != 1 {
			t.Errorf("%s: got %d invitations, want 1", name, got)
		}
	}
	if got := s.metric(t, `postern_dependency_errors_total{dependency="database",operation="write"}`); got < 2 {
		t.Errorf("got %v failed writes, want 2 or more", got)
	}
}

// F12: while PostgreSQL only reads, writes are refused and everything else goes
// on, the looks at the change log too.
func TestF12WritesWaitForAServerThatWrites(t *testing.T) {
	i := onFaulty(t, "POSTERN_MAX_STALENESS=2s")
	s := i.serve(t)
	o := office{s, t, s.operatorKey()}
	only := func(reads string) {
		t.Helper()
		i.sql(t, "ALTER SYSTEM SET default_transaction_read_only = "+reads)
		i.sql(t, "SELECT pg_reload_conf()")
	}
	rename := func() exchange {
		t.Helper()
		x, err := o.asks(http.MethodPatch, "/v1/organizations/acme", fmt.Sprintf(`{"name":"ACME %d"}`, time.Now().UnixNano()))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	only("on")
	defer only("off")
	var x exchange
	for enough := time.Now().Add(patience); x.status != http.StatusServiceUnavailable && time.Now().Before(enough); {
		x = rename() // the setting is read by and by
	}
	if x.status != http.StatusServiceUnavailable || x.read("reason") != "unavailable" || x.header.Get("Retry-After") == "" {
		t.Fatalf("got %s, want a 503 that says when to come back", x)
	}
	looks := s.metric(t, `postern_grants_polls_total{result="ok"}`)
	s.awaitMetric(t, `postern_grants_polls_total{result="ok"}`, atLeast(looks+3))
	if !s.decides(t, viewed) || s.metric(t, `postern_dependency_up{dependency="database"}`) != 1 {
		t.Error("got no decision, or a database that is down, while it only reads")
	}
	only("off")
	begun := time.Now()
	for rename().status != http.StatusOK {
		if time.Since(begun) > patience {
			t.Fatal("got no write after PostgreSQL writes again")
		}
	}
	t.Logf("writes go on %v after PostgreSQL does", time.Since(begun))
}

// A change made elsewhere is heard of at once, long before the next look at the
// change log would find it.
func TestAChangeElsewhereIsHeardOfAtOnce(t *testing.T) {
	i := onFaulty(t, "POSTERN_MAX_STALENESS=60s", "POSTERN_POLL_INTERVAL=10s")
	o := administered(t, i)
	other := i.elsewhere(t).serve(t)
	member, _ := o.username("acme", "rosa")
	const question = "login:rosa service.view account:a-1002"
	other.allows(t, question, "")
	var took []time.Duration
	for n := range 20 {
		verb, want := "add", true
		if n%2 == 1 {
			verb, want = "remove", false
		}
		o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"`+verb+`":{"accounts":[{"id":"a-1002"}]}}`)
		begun := time.Now()
		for other.allows(t, question, "") != want {
			if time.Since(begun) > 5*time.Second {
				t.Fatalf("change %d is not known after %v", n, time.Since(begun))
			}
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("a change was known elsewhere after %v in the median, %v at most", took[len(took)/2], took[len(took)-1])
}
