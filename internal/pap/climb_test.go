package pap_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

// How long TestNobodyClimbs looks; the gate and a night look longer.
var (
	climbs = flag.Int("climbs", 3, "sequences of TestNobodyClimbs on PostgreSQL; twice as many on SQLite, which is faster")
	steps  = flag.Int("steps", 50, "steps in a sequence")
)

// TestNobodyClimbs lets people of two organizations do to each other whatever
// they like, and the operator now and then, and watches what everybody can do
// after every step: nobody gets what the one who gave it did not hold, nobody
// loses what the one who took it could not give, nothing crosses organizations,
// and the trail tells of every change and of nothing else.
func TestNobodyClimbs(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		for range 2 {
			climb(t, newHouse(t, sqlite(t)), nil)
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		climb(t, newHouse(t, postgresql(t)), nil)
	})
}

// climb runs the sequences; it fails t at the first that finds something.
func climb(t *testing.T, h *house, seed *bug) {
	limitless(h)
	if err := flag.Set("rapid.checks", fmt.Sprint(*climbs)); err != nil {
		t.Fatal(err)
	}
	worlds := 0
	rapid.Check(t, func(rt *rapid.T) {
		worlds++
		w := newWorld(rt, h, worlds, seed)
		w.seen = w.look()
		for range *steps {
			w.step()
		}
		w.checkChains()
	})
}

// A world is two organizations of a house in the course of one sequence.
type world struct {
	*rapid.T
	h           *house
	bug         *bug
	name        string
	a, b        landscape
	people      []string // user ids, of both organizations
	actor       string   // of the step that is taken; "": the operator
	invitations []invited
	names       int
	seen        view // after the last step

	administrators []string // those that the organizations begin with
}

// invited is an invitation that somebody could follow, and who wrote it.
type invited struct {
	id, organization, link, email string
	by                            string // user id; "": the operator
}

func newWorld(rt *rapid.T, h *house, n int, seed *bug) *world {
	w := &world{T: rt, h: h, bug: seed, name: fmt.Sprintf("w%d%s", n, strings.ToLower(strings.TrimPrefix(h.t.Name(), "Test"))[:5])}
	w.a, w.b = w.landscape("a"), w.landscape("b")
	w.found(w.a)
	w.found(w.b)
	w.invite(w.a)
	w.invite(w.b)
	return w
}

// invite lets an administrator invite somebody, whose invitation may outlive what
// the administrator invited with.
func (w *world) invite(l landscape) {
	ann := w.h.user(l.organization + "-ann")
	made, _, err := w.h.Invite(w.Context(), w.call(ann), l.organization, pap.NewInvitation{
		Email: "ines@" + l.organization + ".example", Role: "regular", Affiliation: "customer", Deliver: pap.DeliverReturnLink,
		Grants: pap.Grants{Accounts: []pap.AccountGrant{{ID: l.organization + "-s1"}}},
	})
	w.must(err)
	w.invitations = append(w.invitations, invited{made.Invitation.ID, l.organization, made.Link, made.Invitation.Email, ann})
}

func (w *world) id(parts ...string) string { return w.name + "-" + strings.Join(parts, "-") }

// landscape is an organization of two companies. Its contract has services in
// both, so that neither company holds all that the contract gives.
func (w *world) landscape(o string) landscape {
	l := landscape{
		organization: w.id(o), accounts: map[string]directory.Account{},
		groups:     map[string][]string{w.id(o, "g"): {w.id(o, "s1"), w.id(o, "s3")}},
		restricted: map[string]bool{"dynamic_network_manager": true},
	}
	for _, a := range []directory.Account{
		{ID: "k1", Company: "c1", Kind: "contract"}, {ID: "d1", Company: "c1", Kind: "delivery"},
		{ID: "s1", Company: "c1", Kind: "service", Contract: "k1", Delivery: "d1"},
		{ID: "s2", Company: "c2", Kind: "service", Contract: "k1"},
		{ID: "s3", Company: "c2", Kind: "service"}, {ID: "b1", Company: "c1", Kind: "billing"},
	} {
		for _, ref := range []*string{&a.ID, &a.Company, &a.Contract, &a.Delivery} {
			if *ref != "" {
				*ref = w.id(o, *ref)
			}
		}
		a.Name = a.ID
		l.accounts[a.ID] = a
	}
	return l
}

// found founds the organization with its first people: two Primary Contacts,
// two administrators, one of them for a while and one without CPNI, two others.
func (w *world) found(l landscape) {
	o := l.organization
	later := w.h.clock().Add(6 * time.Hour)
	_, err := w.h.store.Update(w.Context(), func(tx directory.Tx) error {
		errs := []error{tx.PutOrganization(directory.Organization{ID: o, Kind: "customer", Name: o})}
		for _, c := range []string{"c1", "c2"} {
			errs = append(errs, tx.PutCompany(directory.Company{ID: o + "-" + c, Organization: o, Name: c}))
		}
		for _, a := range l.accounts {
			errs = append(errs, tx.PutAccount(a))
		}
		for g, accounts := range l.groups {
			errs = append(errs, tx.PutAccountGroup(directory.AccountGroup{ID: g, Organization: o, Kind: "service_group", Name: g, Accounts: accounts}))
		}
		for _, p := range []struct {
			name, role string
			cpni       bool
		}{
			{"pat", "primary_contact", true}, {"pia", "primary_contact", false},
			{"ann", "administrator", true}, {"abe", "administrator", false}, {"amy", "administrator", false},
			{"reg", "regular", false}, {"sue", "support", false},
		} {
			user := o + "-" + p.name
			errs = append(errs,
				tx.PutUser(directory.User{Kind: "personal", Username: user, Email: p.name + "@" + o + ".example"}),
				tx.PutMembership(directory.Membership{Organization: o, User: user, Role: p.role, Affiliation: "customer", State: "active", CPNI: p.cpni, AssignedBy: "operator"}))
		}
		give := func(name string, g directory.GrantRecord) {
			g.Organization, g.User, g.GrantedBy = o, o+"-"+name, "operator"
			errs = append(errs, tx.PutGrant(g))
		}
		give("ann", directory.GrantRecord{Company: o + "-c1", AllAccounts: true})
		give("ann", directory.GrantRecord{Tool: "wan_analysis"})
		give("ann", directory.GrantRecord{Tool: "wan_analysis", Account: o + "-s1"})
		give("ann", directory.GrantRecord{AccountGroup: o + "-g"})
		give("abe", directory.GrantRecord{Company: o + "-c2"})
		give("abe", directory.GrantRecord{Account: o + "-s2", Expires: later})
		give("abe", directory.GrantRecord{Account: o + "-s3"})
		give("amy", directory.GrantRecord{AccountGroup: o + "-g"})
		give("amy", directory.GrantRecord{Tool: "dynamic_network_manager"})
		give("reg", directory.GrantRecord{Company: o + "-c1"})
		give("reg", directory.GrantRecord{Account: o + "-s1"})
		return errors.Join(errs...)
	})
	w.must(err)
	for _, name := range []string{"pat", "pia", "ann", "abe", "amy", "reg", "sue"} {
		w.people = append(w.people, w.h.user(o+"-"+name))
		if strings.HasPrefix(name, "a") {
			w.administrators = append(w.administrators, w.h.user(o+"-"+name))
		}
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%v", err)
	}
}

// An onlooker's view: what everybody can do, and what the organizations hold.
type view struct {
	a, b     map[string]caps // by user
	digests  [2]string
	events   [2]int
	contacts [2]int
}

func (w *world) look() (v view) {
	v.a, v.b = map[string]caps{}, map[string]caps{}
	w.must(w.h.Store.Look(w.Context(), func(r pap.Reader) error {
		var keys []authz.Key
		for _, id := range w.people {
			keys = append(keys, authz.Key{Kind: authz.KindUser, ID: id})
		}
		documents, err := r.Documents(keys)
		if err != nil {
			return err
		}
		for i, l := range []*landscape{&w.a, &w.b} {
			if err := w.survey(r, l, i, &v); err != nil {
				return err
			}
		}
		for i, d := range documents {
			v.a[w.people[i]] = w.a.capsOf(d.User, w.h.clock())
			v.b[w.people[i]] = w.b.capsOf(d.User, w.h.clock())
		}
		return nil
	}))
	return v
}

// survey reads what an organization holds beside its people's grant documents.
func (w *world) survey(r pap.Reader, l *landscape, i int, v *view) error {
	group, err := r.AccountGroup(l.organization + "-g")
	if err == nil {
		l.groups[group.ID] = group.Accounts
	}
	members, err1 := r.Members(pap.MemberQuery{Organization: l.organization, ShowRemoved: true, Page: pap.Page{Size: 200}})
	invitations, err2 := r.Invitations(pap.InvitationQuery{Organization: l.organization, Now: w.h.clock(), Page: pap.Page{Size: 200}})
	last, err3 := r.LastEvent(l.organization)
	contacts, err4 := r.PrimaryContacts(l.organization)
	text, err5 := json.Marshal([]any{members, invitations, group})
	v.digests[i], v.events[i], v.contacts[i] = string(text), int(last.Sequence), contacts
	return errors.Join(err, err1, err2, err3, err4, err5)
}

// An attempt is what one step was and how it went.
type attempt struct {
	what         string
	actor        string // user id; "": the operator
	giver        string // whose authority it used; the actor's, or the inviter's
	organization string // that was meant
	accepting    bool
	err          error
}

// step lets somebody do something and looks at what came of it.
func (w *world) step() {
	if rapid.IntRange(0, 15).Draw(w.T, "time passes") == 0 {
		w.h.wait(time.Duration(rapid.IntRange(1, 4).Draw(w.T, "hours")) * time.Hour)
		w.seen = w.look()
	}
	before, did := w.seen, w.attempt()
	after := w.look()
	w.seen = after
	w.Logf("%s by %q in %s: %v", did.what, did.actor, did.organization, did.err)
	w.checkTrail(did, before, after)
	w.checkEngine(after)
	if did.actor == "" && !did.accepting {
		return
	}
	w.checkCaps(did, w.a, before.a, after.a)
	w.checkCaps(did, w.b, before.b, after.b)
	w.checkOthers(did, before, after)
	for i := range before.contacts {
		if before.contacts[i] > 0 && after.contacts[i] == 0 {
			w.Fatalf("%s: the last Primary Contact is gone", did.what)
		}
	}
}

func (w *world) checkCaps(did attempt, l landscape, before, after map[string]caps) {
	for _, user := range w.people {
		if did.giver != "" {
			w.checkGains(did, l, user, before[did.giver], before[user], gained(before[user], after[user]))
		}
		w.checkLosses(did, l, user, before[did.actor], before[user], gained(after[user], before[user]))
	}
}

func (w *world) checkGains(did attempt, l landscape, user string, giver, holder caps, gains []string) {
	if len(gains) > 0 && user == did.actor && !did.accepting {
		w.Fatalf("%s: %s gave themselves %v", did.what, user, gains)
	}
	for _, c := range gains {
		if err := l.mayGive(giver, holder, c); err != nil {
			w.Fatalf("%s: %s got %s by %s, but %v; it held %v", did.what, user, c, did.giver, err, list(giver))
		}
	}
}

// checkLosses: who takes away could have given, except that an acceptance takes
// nothing and a Primary Contact may take a restricted tool (R29).
func (w *world) checkLosses(did attempt, l landscape, user string, taker, holder caps, losses []string) {
	for _, c := range losses {
		tool, _, _ := strings.Cut(strings.TrimPrefix(c, "tool:"), "@")
		above := taker.rank() > holder.rank()
		if taker["pc"] && l.restricted[tool] && above || c == "cpni" && above {
			continue
		}
		if err := l.mayGive(taker, holder, c); err != nil {
			w.Fatalf("%s: %s lost %s by %s, but %v; it held %v", did.what, user, c, did.actor, err, list(taker))
		}
	}
}

func list(c caps) []string { return gained(nil, c) }

// checkOthers: nothing of an organization changes by those of the other.
func (w *world) checkOthers(did attempt, before, after view) {
	for i, l := range []landscape{w.a, w.b} {
		if home := w.homeOf(did); home != l.organization && (before.digests[i] != after.digests[i] || before.events[i] != after.events[i]) {
			w.Fatalf("%s: somebody of %s changed %s", did.what, home, l.organization)
		}
	}
}

// homeOf is the organization of who acted, or of whoever invited them.
func (w *world) homeOf(did attempt) string {
	if did.accepting {
		return did.organization
	}
	if slices.Index(w.people, did.actor) >= 0 && w.belongs(did.actor, w.b) {
		return w.b.organization
	}
	return w.a.organization
}

func (w *world) belongs(user string, l landscape) bool {
	return w.membership(l.organization, user) != ""
}

// membership is the id of the user's in the organization, or "".
func (w *world) membership(organization, user string) (id string) {
	w.must(w.h.Store.Look(w.Context(), func(r pap.Reader) error {
		if m, err := r.MemberOf(organization, user); err == nil {
			id = m.ID
		}
		return nil
	}))
	return id
}

// checkTrail: a change has an event, a refusal has none; only a link that is
// followed in vain may be counted.
func (w *world) checkTrail(did attempt, before, after view) {
	more := after.events[0] + after.events[1] - before.events[0] - before.events[1]
	switch {
	case did.err == nil && did.what != "nothing" && more < 1 && before.digests != after.digests:
		w.Fatalf("%s changed something and the trail tells nothing", did.what)
	case did.err != nil && more > 0 && !did.accepting:
		w.Fatalf("%s was refused (%v) and the trail tells of it", did.what, did.err)
	case did.err != nil && before.digests != after.digests && !did.accepting:
		w.Fatalf("%s was refused (%v) and something changed", did.what, did.err)
	}
	var refusal *pap.Refusal
	if did.err != nil && !errors.As(did.err, &refusal) {
		w.Fatalf("%s: got %v, want success or a refusal", did.what, did.err)
	}
}

// checkEngine: what the model says somebody can do, the PDP decides.
func (w *world) checkEngine(now view) {
	user := rapid.SampledFrom(w.people).Draw(w.T, "subject")
	l, held := w.a, now.a
	if rapid.Bool().Draw(w.T, "of b") {
		l, held = w.b, now.b
	}
	account := rapid.SampledFrom(slices.Sorted(keysOf(l.accounts))).Draw(w.T, "account")
	want := false
	for c := range held[user] {
		role, at, _ := strings.Cut(c, "@")
		seen := role != "support" || l.accounts[account].Kind != directory.AccountBilling // R15
		want = want || at == account && seen && !strings.HasPrefix(role, "tool:")
	}
	var head authz.Revision
	w.must(w.h.Store.Look(w.Context(), func(r pap.Reader) error { head = r.Revision(); return nil }))
	if got := w.h.decide(user, "account.view", "account", account, head); got != want {
		documents, _, err := w.h.store.Read(w.Context(), []authz.Key{{Kind: authz.KindUser, ID: user}})
		text, _ := json.Marshal(documents)
		w.Fatalf("%s views %s: got %v from the PDP, want %v; it holds %v: %s %v", user, account, got, want, list(held[user]), text, err)
	}
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// checkChains: the trail of each organization is whole.
func (w *world) checkChains() {
	for _, l := range []landscape{w.a, w.b} {
		var chain pap.Chain
		for _, e := range w.trail(l.organization) {
			w.must(chain.Next(e))
		}
	}
}

func (w *world) trail(organization string) (events []pap.Event) {
	w.must(w.h.Store.Look(w.Context(), func(r pap.Reader) (err error) {
		events, err = r.Events(pap.EventQuery{Organization: organization, Limit: 1000})
		return err
	}))
	return events
}
