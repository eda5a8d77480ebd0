package test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
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
	i := install(t, "POSTERN_DRAIN_DELAY=2s")
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
	granted     map[string]bool   // last answer by member: it has a-1002
	inFlight    map[string]bool   // members of whom no answer came
}

// cutRounds is how often the server is killed.
const cutRounds = 6

// Whatever was answered with success before a power cut is there after it,
// nothing is there in part, and the trail of all of it holds.
func TestAdministrationSurvivesPowerCuts(t *testing.T) {
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
		l := &ledger{invitations: map[string]string{}, granted: map[string]bool{}, inFlight: map[string]bool{}}
		for round := range cutRounds {
			var busy sync.WaitGroup
			begun := make(chan struct{}, 100)
			for n, member := range members {
				busy.Go(func() { l.grants(o, member, begun) })
				busy.Go(func() { l.invites(o, actors[n], round, begun) })
			}
			for range 3 {
				<-begun
			}
			wait, _ := rand.Int(rand.Reader, big.NewInt(200))
			time.Sleep(time.Duration(wait.Int64()) * time.Millisecond)
			_ = o.kill()
			busy.Wait()
			o.server = i.serve(t)
			l.check(o)
		}
		i.env = append(i.env, "POSTERN_SERVER="+o.administration.base)
		if said := i.run(t, "audit", "verify", "acme"); !strings.Contains(said, `"ok":true`) {
			t.Errorf("got %s, want a trail that holds", said)
		}
		t.Logf("%d invitations were acknowledged", len(l.invitations))
	})
}

// grants gives a member the account a-1002 and takes it away until the server
// is gone.
func (l *ledger) grants(o office, member string, begun chan<- struct{}) {
	path := "/v1/organizations/acme/members/" + member + "/grants"
	for n := 0; ; n++ {
		verb := []string{"add", "remove"}[n%2]
		x, err := o.asks(http.MethodPatch, path, `{"`+verb+`":{"accounts":[{"id":"a-1002"}]}}`)
		l.mu.Lock()
		l.inFlight[member] = err != nil
		if err == nil && x.status == http.StatusOK {
			l.granted[member] = n%2 == 0
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
		if x.status != http.StatusOK {
			o.t.Errorf("got %s", x)
			return
		}
		begin(begun)
	}
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
	for _, member := range slices.Sorted(maps.Keys(l.granted)) {
		x := o.does(http.StatusOK, http.MethodGet, "/v1/organizations/acme/members/"+member, "")
		if got := strings.Contains(x.body, `"a-1002"`); got != l.granted[member] && !l.inFlight[member] {
			o.t.Errorf("%s has a-1002: got %v, want %v as it was acknowledged", member, got, l.granted[member])
		}
	}
}

// What a change answers with leads to a decision that knows it, on the server
// that made it and on any other; without it any other knows within the bound.
func TestADecisionKnowsTheChangeWhoseTokenItCarries(t *testing.T) {
	const changes, staleness = 200, 30 * time.Second // see unhurried
	i := install(t, "POSTERN_DATABASE="+postgres.DSN(t), "POSTERN_SECRET="+strings.Repeat("s3cr3t", 8))
	i.run(t, "migrate")
	o := administered(t, i)
	elsewhere := i
	elsewhere.dir = t.TempDir()
	elsewhere.env = append(slices.Clone(i.env), "POSTERN_STATE="+elsewhere.dir)
	other := elsewhere.serve(t)
	member, _ := o.username("acme", "rosa")
	const question = "login:rosa service.view account:a-1002"
	slowest := time.Duration(0)
	for n := range changes {
		verb, want := "add", true
		if n%2 == 1 {
			verb, want = "remove", false
		}
		x := o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"`+verb+`":{"accounts":[{"id":"a-1002"}]}}`)
		begun, token := time.Now(), x.header.Get("Postern-Consistency-Token")
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
		x = o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"remove":{"accounts":[{"id":"a-1002"}]}}`)
		for begun = time.Now(); other.allows(t, question, ""); time.Sleep(time.Millisecond) {
			if time.Since(begun) > staleness {
				t.Fatalf("the other server does not know after %v", staleness)
			}
		}
		slowest = max(slowest, time.Since(begun))
		o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"add":{"accounts":[{"id":"a-1002"}]}}`)
	}
	t.Logf("without a token the other server knew after %v at most", slowest)
}
