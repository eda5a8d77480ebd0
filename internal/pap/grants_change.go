package pap

import (
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// findLiving finds a member that can be changed.
func (w *work) findLiving(organization, id string) (found, error) {
	f, err := w.find(organization, id)
	switch {
	case err != nil:
		return found{}, err
	case f.State == directory.StateRemoved:
		return found{}, conflict("member-removed", "the member was removed: the operator restores it")
	case f.State == StateSuperseded:
		return found{}, conflict("member-superseded", "another invitation was accepted in place of this one: look for the member it made")
	}
	return f, w.checkMatch(f.Revision)
}

// A regrant is what a request makes of a member's grants: these, with what it
// named to get there.
type regrant struct {
	after       Grants
	add, remove Grants
	event       string
}

// regrant changes the grants of a member. The policy is asked about what
// differs, and about what the request names and the actor does not see, for
// whether it differs is not for the actor to know.
func (w *work) regrant(f found, g regrant) (Member, error) {
	before, after := f.Grants.sorted(), g.after.sorted()
	added, removed := after.beyond(before), before.beyond(after)
	_, adding := f.view.split(g.add, f.reach)
	_, removing := f.view.split(g.remove, f.reach)
	if err := w.authorizeGrants(f, added.both(adding), removed.both(removing)); err != nil {
		return Member{}, err
	}
	if added.size()+removed.size() > 0 {
		if err := w.tx.SetGrants(f.ID, after, w.actor.grantedBy()); err != nil {
			return Member{}, err
		}
	}
	if err := w.note(g.event, f.Organization, f.ID, granted(removed), granted(added)); err != nil {
		return Member{}, err
	}
	m, err := w.again(f)
	if removed.size() > 0 {
		m.Impact = &Impact{Grants: removed.sorted(), Invitations: []string{}}
	}
	return m, err
}

// granted is how the trail tells of grants that came or went.
func granted(g Grants) any {
	if g.size() == 0 {
		return nil
	}
	return map[string]Grants{"grants": g.sorted()}
}

// authorizeGrants asks about what is given and what is taken away, roles and
// tools apart, and about nothing in particular if nothing is.
func (w *work) authorizeGrants(f found, added, removed Grants) error {
	added, removed = f.reach.essential(added), f.reach.essential(removed)
	places, tools := added.apart()
	lost, toolsLost := removed.apart()
	asked := false
	for _, q := range []struct {
		action string
		grants Grants
		gives  bool
	}{
		{"member.account.grant", places, true}, {"member.account.revoke", lost, false},
		{"member.tool.grant", tools, true}, {"member.tool.revoke", toolsLost, false},
	} {
		if q.grants.size() == 0 {
			continue
		}
		a := f.ask(q.action, f.reach.given(f.Role, q.grants)...)
		a.gives, a.lasting, asked = q.gives, q.grants.lasting(w.now), true
		if err := w.authorize(a); err != nil {
			return err
		}
	}
	if asked {
		return nil
	}
	return w.authorize(f.ask("member.account.grant"))
}

// essential is the grants without the companies that only come along with their
// accounts: who may give these may authorize the company for them (R24).
func (r reach) essential(g Grants) Grants {
	used := r.companiesUsed(g)
	g.Companies = slices.DeleteFunc(slices.Clone(g.Companies), func(c CompanyGrant) bool {
		return !c.AllAccounts && slices.Contains(used, authz.ScopeOf(authz.KindCompany, c.ID))
	})
	return g
}
