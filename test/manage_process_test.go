package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// With an authority set, only who holds a certificate that it signed may even
// show a credential.
func TestAdministrationWithClientCertificates(t *testing.T) {
	t.Parallel()
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	i := install(t)
	cert, key := ours.issue(t, "management")
	i.env = append(i.env,
		"POSTERN_MANAGEMENT_TLS_CERT="+i.file(t, "server.pem", cert),
		"POSTERN_MANAGEMENT_TLS_KEY="+i.file(t, "server.key", key),
		"POSTERN_MANAGEMENT_TLS_CLIENT_CA="+i.file(t, "clients.pem", ours.pem()),
	)
	i.run(t, "import", acme(t))
	s := i.serve(t)
	base := strings.Replace(s.administration.base, "http://", "https://", 1)
	for _, c := range []struct {
		name   string
		signer *authority
		key    string
		want   int // 0: no answer
	}{
		{"a certificate of our authority and a key", ours, s.operatorKey(), http.StatusOK},
		{"a certificate of our authority alone", ours, "", http.StatusUnauthorized},
		{"a certificate of another authority and a key", other, s.operatorKey(), 0},
		{"a key alone", nil, s.operatorKey(), 0},
	} {
		e := endpoint{base, ours.client(t, c.signer)}
		x, err := e.send(http.MethodGet, "/v1/organizations", "", "Authorization: Bearer "+c.key)
		if x.status != c.want || (err == nil) != (c.want != 0) {
			t.Errorf("%s: got %v\n%s\nwant %d", c.name, err, x, c.want)
		}
	}
	if x, err := s.administration.send(http.MethodGet, "/v1/organizations", "", "Authorization: Bearer "+s.operatorKey()); err == nil && x.status == http.StatusOK {
		t.Errorf("got an answer without TLS, want none\n%s", x)
	}
}

// F25, where it hurts most: a change that was answered is there, and none fails
// because the server ends.
func TestF25NoChangeFailsWhenAServerEnds(t *testing.T) {
	i := install(t, "POSTERN_DRAIN_DELAY=500ms")
	o := administered(t, i)
	var clients sync.WaitGroup
	var changes atomic.Int64
	for n := range 4 {
		clients.Go(func() {
			for last := false; !last; {
				req, err := http.NewRequest(http.MethodPatch, o.administration.base+"/v1/organizations/acme", strings.NewReader(fmt.Sprintf(`{"name":"ACME %d"}`, n)))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+o.key)
				req.Header.Set("Content-Type", "application/json")
				resp, err := o.administration.client.Do(req)
				if err != nil {
					t.Errorf("a change failed: %v", err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("got %s, want 200", resp.Status)
				}
				changes.Add(1)
				last = resp.Close
			}
		})
	}
	for changes.Load() < 4 {
		time.Sleep(time.Millisecond)
	}
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	clients.Wait()
	<-o.done
	if o.err != nil {
		t.Errorf("the server ended with %v, want nil", o.err)
	}
	o.server = i.serve(t)
	if got := len(only(o.events("acme"), []string{"organization.updated"})); int64(got) != changes.Load() {
		t.Errorf("got %d events for %d changes that were answered", got, changes.Load())
	}
}

// directories are an installation on each engine.
func directories(t *testing.T, test func(*testing.T, installation)) {
	t.Run("SQLite", func(t *testing.T) { test(t, install(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		i := install(t, "POSTERN_DATABASE="+postgres.DSN(t))
		i.run(t, "migrate")
		test(t, i)
	})
}

// A ledger keeps what a server said that it had done.
type ledger struct {
	mu          sync.Mutex
	invitations map[string]string // address by id
	tried, done map[string]int    // number of the last change by member: sent, and acknowledged
	ends        time.Time         // change n says that a grant ends n seconds later
}

// cutRounds is how often the server is killed.
const cutRounds = 6

// Whatever was answered with success before a power cut is there after it,
// nothing is there in part, and the trail of all of it holds.
func TestAdministrationSurvivesPowerCuts(t *testing.T) {
	t.Parallel()
	directories(t, func(t *testing.T, i installation) {
		o := administered(t, i)
		actors := []string{""}
		for organization, name := range map[string]string{"acme": "paula", "harbour": "olga"} {
			_, user := o.username(organization, name)
			actors = append(actors, user)
		}
		var members []string
		for _, name := range []string{"regina", "rosa", "sam"} {
			member, _ := o.username("acme", name)
			members = append(members, member)
		}
		l := &ledger{invitations: map[string]string{}, tried: map[string]int{}, done: map[string]int{},
			ends: time.Now().UTC().Truncate(time.Second).Add(24 * time.Hour)}
		for round := range cutRounds {
			var busy sync.WaitGroup
			begun := make(chan struct{}, 100)
			for n, member := range members {
				busy.Go(func() { l.grants(o, member, begun) })
				busy.Go(func() { l.invites(o, actors[n], round, begun) })
			}
			select {
			case <-begun:
			case <-time.After(patience): // what went wrong was said
			}
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
			_ = o.kill()
			busy.Wait()
			o.server = i.serve(t)
			l.check(o)
		}
		i.env = append(i.env, "POSTERN_SERVER="+o.administration.base)
		if said := i.run(t, "audit", "verify", "acme"); !strings.Contains(said, `"ok":true`) {
			t.Errorf("got %s, want a trail that holds", said)
		}
		t.Logf("%d invitations and the changes %v of grants were acknowledged", len(l.invitations), l.done)
	})
}

// grants changes when a member's grant ends until the server is gone.
func (l *ledger) grants(o office, member string, begun chan<- struct{}) {
	for {
		l.mu.Lock()
		l.tried[member]++
		n := l.tried[member]
		l.mu.Unlock()
		x, err := o.asks(http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants",
			fmt.Sprintf(`{"add":{"accounts":[{"id":"a-1002","expires_at":%q}]}}`, l.end(n)))
		if err != nil {
			return
		}
		if x.status != http.StatusOK {
			o.t.Errorf("got %s", x)
			return
		}
		l.mu.Lock()
		l.done[member] = n
		l.mu.Unlock()
		begin(begun)
	}
}

func (l *ledger) end(n int) string {
	return l.ends.Add(time.Duration(n) * time.Second).Format(time.RFC3339)
}

// invites makes up to five invitations, which is what its actor may in all
// rounds together.
func (l *ledger) invites(o office, actor string, round int, begun chan<- struct{}) {
	for n := range 5 {
		address := fmt.Sprintf("d%s-%d-%d@acme.example", strings.TrimPrefix(actor, "usr_"), round, n)
		var headers []string
		if actor != "" {
			headers = []string{"Postern-Actor: " + actor}
		}
		x, err := o.asks(http.MethodPost, "/v1/organizations/acme/invitations",
			fmt.Sprintf(`{"email":%q,"role":"regular","grants":{"accounts":[{"id":"a-1001"}]},"deliver":"return_link"}`, address), headers...)
		if err != nil {
			return
		}
		if x.status != http.StatusCreated {
			o.t.Errorf("got %s", x)
			return
		}
		l.mu.Lock()
		l.invitations[x.read("invitation.id")] = address
		l.mu.Unlock()
		begin(begun)
	}
}

func begin(begun chan<- struct{}) {
	select {
	case begun <- struct{}{}:
	default:
	}
}

// check compares a directory that was cut with what was said before.
func (l *ledger) check(o office) {
	o.t.Helper()
	there, next := map[string]string{}, ""
	for more := true; more; more = next != "" {
		x := o.does(http.StatusOK, http.MethodGet, "/v1/organizations/acme/invitations?page_size=200&page_token="+url.QueryEscape(next), "")
		var page struct {
			Items []struct {
				ID, Email, Member string
				Grants            struct{ Accounts []struct{ ID string } }
			}
			Next string `json:"next_page_token"`
		}
		if err := json.Unmarshal([]byte(x.body), &page); err != nil {
			o.t.Fatal(err)
		}
		for _, inv := range page.Items {
			there[inv.ID] = inv.Email
			if len(inv.Grants.Accounts) != 1 || inv.Grants.Accounts[0].ID != "a-1001" || inv.Member == "" {
				o.t.Errorf("invitation %s is there in part: %+v", inv.ID, inv)
			}
		}
		next = page.Next
	}
	for id, address := range l.invitations {
		if there[id] != address {
			o.t.Errorf("invitation %s of %s was acknowledged and is lost", id, address)
		}
	}
	if created := len(only(o.events("acme"), []string{"invitation.created"})); created != len(there) {
		o.t.Errorf("got %d invitations and %d events of them", len(there), created)
	}
	for _, member := range slices.Sorted(maps.Keys(l.tried)) {
		l.checkGrant(o, member)
	}
}

// checkGrant wants the last change that was acknowledged, or the one that was
// under way, and goes on from there.
func (l *ledger) checkGrant(o office, member string) {
	o.t.Helper()
	x := o.does(http.StatusOK, http.MethodGet, "/v1/organizations/acme/members/"+member, "")
	var m struct {
		Grants struct {
			Accounts []struct {
				ID      string
				Expires time.Time `json:"expires_at"`
			}
		}
	}
	if err := json.Unmarshal([]byte(x.body), &m); err != nil {
		o.t.Fatal(err)
	}
	got := 0
	for _, a := range m.Grants.Accounts {
		if a.ID == "a-1002" {
			got = int(a.Expires.Sub(l.ends) / time.Second)
		}
	}
	if got != l.done[member] && got != l.tried[member] {
		o.t.Errorf("%s has change %d, want %d that was acknowledged, or %d that was under way", member, got, l.done[member], l.tried[member])
	}
	trail := o.export("/v1/organizations/acme/audit-events?type=member.grants_changed&target=" + member)
	if events := strings.Count(trail, "\n"); events != got {
		o.t.Errorf("%s: got %d events of %d changes", member, events, got)
	}
	l.tried[member], l.done[member] = got, got
}

// What a change answers with leads to a decision that knows it, on the server
// that made it and on any other; without it any other knows within the bound.
func TestADecisionKnowsTheChangeWhoseTokenItCarries(t *testing.T) {
	t.Parallel()
	const changes, staleness = 200, 30 * time.Second // see unhurried
	i := install(t, "POSTERN_DATABASE="+postgres.DSN(t), "POSTERN_SECRET="+strings.Repeat("s3cr3t", 8))
	i.run(t, "migrate")
	o := administered(t, i)
	other := i.elsewhere(t).serve(t)
	member, _ := o.username("acme", "rosa")
	const question = "login:rosa service.view account:a-1002"
	slowest := time.Duration(0)
	for n := range changes {
		verb, want := "add", true
		if n%2 == 1 {
			verb, want = "remove", false
		}
		x := o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"`+verb+`":{"accounts":[{"id":"a-1002"}]}}`)
		token := x.header.Get("Postern-Consistency-Token")
		if token == "" {
			t.Fatalf("the change has no token\n%s", x)
		}
		askFirst, askThen := o.server, other
		if n%4 > 1 { // so that each is the first to be asked, after a grant and after a revocation
			askFirst, askThen = other, o.server
		}
		for _, s := range []*server{askFirst, askThen} {
			if got := s.allows(t, question, token); got != want {
				t.Fatalf("change %d, %s: got %v with its token, want %v", n, verb, got, want)
			}
		}
		if n%10 != 0 {
			continue
		}
		o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"remove":{"accounts":[{"id":"a-1002"}]}}`)
		begun := time.Now()
		for ; other.allows(t, question, ""); time.Sleep(time.Millisecond) {
			if time.Since(begun) > staleness {
				t.Fatalf("the other server does not know after %v", staleness)
			}
		}
		slowest = max(slowest, time.Since(begun))
		o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"add":{"accounts":[{"id":"a-1002"}]}}`)
	}
	t.Logf("without a token the other server knew after %v at most", slowest)
}
