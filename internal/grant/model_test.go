package grant_test

import (
	"maps"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// A model is a small directory, written as its records are.
type model struct {
	organizations map[string]string // kind by id
	companies     map[string]string // organization by id
	accounts      map[string]account
	groups        map[string]group
	tools         map[string]bool // restricted by id
	users         map[string]user
	logins        map[string]string // user by name
}

type account struct{ company, kind, contract, delivery string }

type group struct {
	organization string
	accounts     []string
}

type user struct {
	kind         string
	removed, mfa bool
	members      []membership // by organization
}

type membership struct {
	organization, affiliation, state, role string
	cpni                                   bool
	grants                                 map[authz.Scope]time.Time
	tools                                  map[string]tool
}

type tool struct {
	accounts []string
	expires  time.Time
}

// documents are what the directory tells the PIP by each key.
func (m model) documents() map[authz.Key]authz.Document {
	docs := map[authz.Key]authz.Document{}
	put := func(kind authz.Kind, id string, p authz.Place) {
		p.OrganizationKind = m.organizations[p.Organization]
		docs[authz.Key{Kind: kind, ID: id}] = authz.Document{Place: &p}
	}
	for id := range m.organizations {
		put(authz.KindOrganization, id, authz.Place{Organization: id})
	}
	for id, organization := range m.companies {
		put(authz.KindCompany, id, authz.Place{Company: id, Organization: organization})
	}
	for id, g := range m.groups {
		put(authz.KindAccountGroup, id, authz.Place{AccountGroups: []string{id}, Organization: g.organization})
	}
	for id, restricted := range m.tools {
		put(authz.KindTool, id, authz.Place{Tool: id, Restricted: restricted})
	}
	for id := range m.accounts {
		put(authz.KindAccount, id, m.accountPlace(id))
	}
	for name, id := range m.logins {
		docs[authz.Key{Kind: authz.KindLogin, ID: name}] = authz.Document{Login: id}
	}
	for id := range m.users {
		docs[authz.Key{Kind: authz.KindUser, ID: id}] = authz.Document{User: m.userDocument(id)}
	}
	return docs
}

func (m model) accountPlace(id string) authz.Place {
	a := m.accounts[id]
	p := authz.Place{
		Account: id, AccountKind: a.kind, Contract: a.contract, Delivery: a.delivery,
		Company: a.company, Organization: m.companies[a.company], AccountGroups: m.groupsOf(id),
	}
	switch a.kind {
	case "contract":
		p.Contract = id
	case "delivery":
		p.Delivery = id
	}
	return p
}

func (m model) groupsOf(account string) []string {
	var ids []string
	if _, ok := m.accounts[account]; !ok {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		if slices.Contains(m.groups[id].accounts, account) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m model) userDocument(id string) *authz.User {
	u := m.users[id]
	doc := &authz.User{ID: id, Kind: u.kind, Removed: u.removed, MFA: u.mfa}
	for _, mem := range u.members {
		d := authz.Membership{
			ID: "mem_" + id + mem.organization, Organization: mem.organization,
			OrganizationKind: m.organizations[mem.organization], Affiliation: mem.affiliation,
			State: mem.state, Role: mem.role, CPNI: mem.cpni,
		}
		for _, scope := range slices.Sorted(maps.Keys(mem.grants)) {
			d.Grants = append(d.Grants, authz.Grant{Scope: scope, Expires: mem.grants[scope]})
		}
		for _, id := range slices.Sorted(maps.Keys(mem.tools)) {
			t := mem.tools[id]
			d.Tools = append(d.Tools, authz.Tool{ID: id, Accounts: t.accounts, Expires: t.expires})
		}
		doc.Memberships = append(doc.Memberships, d)
	}
	return doc
}
