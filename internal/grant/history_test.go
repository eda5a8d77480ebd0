package grant_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/grant"
)

// The ids that histories are about: few, so that much happens to each.
var (
	organizations = []string{"carrier", "acme", "globex"}
	companies     = []string{"c1", "c2", "c3"}
	accounts      = []string{"a1", "a2", "k1", "k2", "d1", "d2"}
	groups        = []string{"g1", "g2"}
	tools         = []string{"t1", "t2"}
	users         = []string{"u1", "u2", "u3"}
	logins        = []string{"n1", "n2"}
)

// drawModel draws a directory in which anything may be there or not.
func drawModel(t *rapid.T) model {
	m := model{
		organizations: map[string]string{"carrier": "operator", "acme": "customer", "globex": "partner"},
		companies:     map[string]string{"c1": "acme", "c2": "acme", "c3": "globex"},
		accounts:      map[string]account{}, groups: map[string]group{}, tools: map[string]bool{},
		users: map[string]user{}, logins: map[string]string{},
	}
	for range 30 {
		m = m.changed(t)
	}
	return m
}

// changed is the directory after one more record was written.
func (m model) changed(t *rapid.T) model {
	switch rapid.SampledFrom([]string{"account", "group", "tool", "user", "user", "user", "login"}).Draw(t, "noun") {
	case "account":
		id := rapid.SampledFrom(accounts).Draw(t, "account")
		m.accounts = put(m.accounts, id, drawAccount(t, id), rapid.IntRange(0, 4).Draw(t, "gone") == 0)
	case "group":
		g := group{"acme", rapid.SliceOfNDistinct(rapid.SampledFrom(accounts), 0, 3, rapid.ID).Draw(t, "in")}
		m.groups = put(m.groups, rapid.SampledFrom(groups).Draw(t, "account group"), g, false)
	case "tool":
		m.tools = put(m.tools, rapid.SampledFrom(tools).Draw(t, "tool"), rapid.Bool().Draw(t, "restricted"), rapid.Bool().Draw(t, "gone"))
	case "user":
		m.users = put(m.users, rapid.SampledFrom(users).Draw(t, "user"), drawUser(t), rapid.IntRange(0, 4).Draw(t, "gone") == 0)
	case "login":
		m.logins = put(m.logins, rapid.SampledFrom(logins).Draw(t, "login"), rapid.SampledFrom(users).Draw(t, "user"), rapid.IntRange(0, 2).Draw(t, "gone") == 0)
	}
	return m
}

func put[V any](in map[string]V, id string, v V, gone bool) map[string]V {
	out := maps.Clone(in)
	if out[id] = v; gone {
		delete(out, id)
	}
	return out
}

func drawAccount(t *rapid.T, id string) account {
	company := rapid.SampledFrom(companies).Draw(t, "company")
	switch id[0] {
	case 'k':
		return account{company: company, kind: "contract"}
	case 'd':
		return account{company: company, kind: "delivery"}
	}
	return account{
		company: company, kind: rapid.SampledFrom([]string{"service", "billing"}).Draw(t, "kind"),
		contract: rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(t, "contract"),
		delivery: rapid.SampledFrom([]string{"", "d1", "d2"}).Draw(t, "delivery"),
	}
}

func drawUser(t *rapid.T) user {
	u := user{kind: "personal", removed: rapid.IntRange(0, 5).Draw(t, "removed") == 0, mfa: rapid.Bool().Draw(t, "mfa")}
	for _, organization := range organizations {
		if rapid.IntRange(0, 2).Draw(t, "member of "+organization) > 0 {
			u.members = append(u.members, drawMembership(t, organization))
		}
	}
	return u
}

func drawMembership(t *rapid.T, organization string) membership {
	m := membership{
		organization: organization,
		affiliation:  rapid.SampledFrom([]string{"customer", "end_customer", "account_team"}).Draw(t, "affiliation"),
		state:        rapid.SampledFrom([]string{"active", "active", "suspended", "removed"}).Draw(t, "state"),
		role:         rapid.SampledFrom([]string{"primary_contact", "regular", "sales"}).Draw(t, "role"),
		cpni:         rapid.Bool().Draw(t, "cpni"),
		grants:       map[authz.Scope]time.Time{}, tools: map[string]tool{},
	}
	for _, scope := range rapid.SliceOfN(rapid.SampledFrom(scopes()), 0, 6).Draw(t, "scopes") {
		m.grants[scope] = drawExpiry(t)
	}
	for _, id := range tools {
		if rapid.Bool().Draw(t, "holds "+id) {
			m.tools[id] = tool{rapid.SliceOfNDistinct(rapid.SampledFrom(accounts), 0, 4, rapid.ID).Draw(t, "list"), drawExpiry(t)}
		}
	}
	return m
}

func scopes() []authz.Scope {
	var all []authz.Scope
	for _, id := range accounts {
		all = append(all, authz.ScopeOf(authz.KindAccount, id))
	}
	for _, id := range groups {
		all = append(all, authz.ScopeOf(authz.KindAccountGroup, id))
	}
	return append(all, "company:c1", "company:c2", "company:c3")
}

// drawExpiry draws moments of the history, which begins when synctest does.
func drawExpiry(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "forever") {
		return time.Time{}
	}
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	return begin.Add(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "expires")) * time.Millisecond)
}

func drawRequest(t *rapid.T) authz.Request {
	subject := rapid.SampledFrom([]authz.Subject{
		{Type: "user", ID: "u1"}, {Type: "user", ID: "u2"}, {Type: "user", ID: "u3"},
		{Type: "login", ID: "n1"}, {Type: "login", ID: "N1"}, {Type: "login", ID: "n2"}, {Type: "user", ID: "nobody"}, {Type: "robot", ID: "u1"},
	}).Draw(t, "subject")
	kind := rapid.SampledFrom([]string{"account", "service", "contract", "billing_account", "company", "organization", "account_group", "tool", "invoice", "invoice"}).Draw(t, "type")
	ids := slices.Concat(accounts, accounts, companies, organizations, groups, tools, tools, []string{"nothing"})
	r := authz.Request{Subject: subject, Resource: authz.Resource{Type: kind, ID: rapid.SampledFrom(ids).Draw(t, "id")}}
	named := rapid.SampledFrom([]authz.Properties{
		nil, {"account": "a1"}, {"account": "a2"}, {"account": 1.5}, {"account": "nothing", "company": "c1"},
		{"contract": "k1", "delivery": "d1"}, {"contract": "k2", "delivery": "d2"}, {"contract": "k1"}, {"company": "c2"}, {"organization": "globex"},
	}).Draw(t, "properties")
	r.Resource.Properties = named
	if rapid.Bool().Draw(t, "with a tool") {
		r.Context = authz.Properties{"tool": rapid.SampledFrom(tools).Draw(t, "tool")}
	}
	return r
}

// drawListed draws how many accounts a user's document lists.
func drawListed(t *rapid.T) int { return rapid.SampledFrom([]int{-1, 0, 2, 4, 1000}).Draw(t, "listed") }

// TestFactsAreWhatTheRecordsSay compares the PIP with the naive model on any
// directory and any batch.
func TestFactsAreWhatTheRecordsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		requests := rapid.SliceOfN(rapid.Custom(drawRequest), 1, 20).Draw(t, "requests")
		now := time.Date(2000, 1, 1, 0, 0, rapid.IntRange(0, 60).Draw(t, "now"), 0, time.UTC)
		p, stop := follow(t, grant.Options{Source: newNarrow(m, drawListed(t)), Now: func() time.Time { return now }})
		defer stop()
		for range 2 { // from the source, then from the cache
			values, _, err := p.Gather(context.Background(), requests, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range requests {
				if got, want := plain(values[i]), m.naive(r, now); !reflect.DeepEqual(got, want) {
					t.Fatalf("%+v:\n got %s\nwant %s", r, text(got), text(want))
				}
			}
		}
	})
}

const bound = 3 * time.Second

// A step is one thing that happens in a history, some time after the last one.
type step struct {
	after time.Duration
	do    func(*history)
}

// A history is a directory that changes and fails while clients ask.
type history struct {
	source  *source
	models  []model // by revision
	listed  int     // accounts in a user's document
	pip     *grant.PIP
	faults  bool
	clients sync.WaitGroup

	mu       sync.Mutex
	failures []string
}

func (h *history) failf(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = append(h.failures, fmt.Sprintf(format, args...))
}

// drawSteps draws a history. Everything random is drawn before it begins.
func drawSteps(t *rapid.T, faults bool) (model, []step) {
	first := drawModel(t)
	last := first
	var steps []step
	for range rapid.IntRange(10, 60).Draw(t, "steps") {
		s := step{after: time.Duration(rapid.SampledFrom([]int{0, 0, 1, 20, 300, 1500}).Draw(t, "after")) * time.Millisecond}
		what := rapid.SampledFrom([]string{"ask", "ask", "ask", "ask", "write", "write", "fault"}).Draw(t, "what")
		switch {
		case what == "write":
			last = last.changed(t)
			s.do = writing(last)
		case what == "fault" && faults:
			s.do = drawFault(t)
		default:
			s.do = drawAsking(t)
		}
		steps = append(steps, s)
	}
	return first, steps
}

func writing(m model) func(*history) {
	return func(h *history) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.models = append(h.models, m)
		h.source.write(m)
	}
}

func drawFault(t *rapid.T) func(*history) {
	ms := func(name string) time.Duration {
		return time.Duration(rapid.SampledFrom([]int{0, 0, 5, 200}).Draw(t, name)) * time.Millisecond
	}
	before, after := ms("before"), ms("after")
	readErr, changesErr := rapid.IntRange(0, 3).Draw(t, "reads fail") == 0, rapid.IntRange(0, 2).Draw(t, "changes fail") == 0
	hang, forget := rapid.IntRange(0, 4).Draw(t, "hang") == 0, rapid.IntRange(0, 3).Draw(t, "forget") == 0
	return func(h *history) {
		h.source.set(func() {
			s := h.source
			s.before, s.after, s.hang, s.readErr, s.changesErr = before, after, hang, nil, nil
			if readErr {
				s.readErr = errCut
			}
			if changesErr {
				s.changesErr = errCut
			}
			if forget {
				s.oldest = authz.Revision(len(s.states) - 1)
			}
		})
	}
}

func drawAsking(t *rapid.T) func(*history) {
	requests := rapid.SliceOfN(rapid.Custom(drawRequest), 1, 4).Draw(t, "requests")
	token := rapid.IntRange(0, 2).Draw(t, "token") == 0
	deadline := time.Duration(rapid.SampledFrom([]int{100, 1000, 8000}).Draw(t, "deadline")) * time.Millisecond
	return func(h *history) {
		h.clients.Add(1)
		go func() {
			defer h.clients.Done()
			h.ask(requests, token, deadline)
		}()
	}
}

// ask asks, and judges the answer by what the directory had been until then.
func (h *history) ask(requests []authz.Request, token bool, deadline time.Duration) {
	var atLeast authz.Revision
	if token {
		atLeast = h.source.head()
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	values, asOf, err := h.pip.Gather(ctx, requests, atLeast)
	revision, now := asOf.Revision, time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	fail := func(format string, args ...any) { h.failures = append(h.failures, fmt.Sprintf(format, args...)) }
	switch {
	case err != nil && !errors.Is(err, authz.ErrUnavailable):
		fail("error %v, want one of kind unavailable", err)
		return
	case err != nil && !h.faults:
		fail("error %v in a directory that works", err)
		return
	case err != nil:
		return
	case revision < atLeast:
		fail("revision %d is older than the token's %d", revision, atLeast)
	case int(revision) >= len(h.models):
		fail("revision %d was not made yet", revision)
		return
	case int(revision) < len(h.models)-1 && now.Sub(h.source.committed[revision+1]) > bound:
		fail("revision %d is not the directory since %s", revision, now.Sub(h.source.committed[revision+1]))
	}
	for i, r := range requests {
		if got, want := plain(values[i]), h.models[revision].naive(r, now); !reflect.DeepEqual(got, want) {
			fail("%+v at revision %d:\n got %s\nwant %s", r, revision, text(got), text(want))
		}
	}
}

// run lets a history happen in virtual time.
func (h *history) run(t *testing.T, first model, steps []step, cacheBytes int64) {
	synctest.Test(t, func(t *testing.T) {
		h.models = []model{first}
		h.source = newNarrow(first, h.listed)
		h.pip = grant.New(grant.Options{Source: h.source, MaxStaleness: bound, CacheBytes: cacheBytes, Tier: newShelf(anyOf)})
		ctx, stop := context.WithCancel(context.Background())
		var following sync.WaitGroup
		following.Go(func() {
			if err := h.pip.Follow(ctx); err != nil {
				h.failf("Follow: %v", err)
			}
		})
		time.Sleep(time.Second)
		for _, s := range steps {
			time.Sleep(s.after)
			s.do(h)
		}
		h.clients.Wait()
		stop()
		following.Wait()
		time.Sleep(time.Minute) // loads outlive those who asked, but not by that
	})
}

// TestHistories lets random histories happen: with faults, an answer is never
// wrong, older than the bound or older than its token; without, there is one.
func TestHistories(t *testing.T) {
	for name, faults := range map[string]bool{"of a directory that works": false, "with slow, failing and cut connections": true} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				first, steps := drawSteps(rt, faults)
				cacheBytes := rapid.SampledFrom([]int64{1, 20_000, 1 << 20}).Draw(rt, "cache bytes")
				h := &history{faults: faults, listed: drawListed(rt)}
				h.run(t, first, steps, cacheBytes)
				if len(h.failures) > 0 {
					rt.Fatal(h.failures[0])
				}
			})
		})
	}
}
