package document

import (
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// The least bytes that each of a list takes.
const (
	leastText       = 2
	leastMembership = 9
	leastGrant      = 1
	leastTool       = 3
	leastGranted    = 2
)

func (r *reader) user() *authz.User {
	u := &authz.User{ID: r.text(), Kind: r.text()}
	f := r.flags(userEnd)
	u.Removed, u.MFA, u.Narrow = f&userRemoved != 0, f&userMFA != 0, f&userNarrow != 0
	if n := r.count(leastMembership); n > 0 {
		u.Memberships = make([]authz.Membership, n)
	}
	for i := range u.Memberships {
		r.membership(&u.Memberships[i])
	}
	return u
}

func (r *reader) membership(m *authz.Membership) {
	for _, s := range []*string{&m.ID, &m.Organization, &m.OrganizationKind, &m.Affiliation, &m.State, &m.Role} {
		*s = r.text()
	}
	m.CPNI = r.flags(membershipEnd)&membershipCPNI != 0
	if n := r.count(leastGrant); n > 0 {
		m.Grants = make([]authz.Grant, n)
	}
	for i := range m.Grants {
		scope, expires := r.until()
		m.Grants[i] = authz.Grant{Scope: authz.Scope(scope), Expires: expires}
	}
	if n := r.count(leastTool); n > 0 {
		m.Tools = make([]authz.Tool, n)
	}
	for i := range m.Tools {
		t := &m.Tools[i]
		t.ID, t.Expires = r.until()
		t.Accounts = r.ofTool()
		t.Unlisted = r.number()
	}
}

func (r *reader) granted() []authz.Granted {
	n := r.count(leastGranted)
	if n == 0 {
		r.fail() // that is not written
		return nil
	}
	all := make([]authz.Granted, n)
	for i := range all {
		all[i].Membership = r.text()
		all[i].Tool, all[i].Expires = r.until()
	}
	return all
}

// until reads a text, and the time until which it counts; zero for always.
func (r *reader) until() (string, time.Time) {
	n, ends := r.marked()
	if !ends {
		return r.named(n), time.Time{}
	}
	return r.named(n), r.time()
}

func (r *reader) ofTool() []string {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	all := make([]string, n)
	for i := range all {
		number, granted := r.marked()
		all[i] = r.named(number)
		if granted {
			id, ok := strings.CutPrefix(all[i], account)
			if !ok {
				r.fail()
			}
			all[i] = id
		}
	}
	return all
}

func (r *reader) place() *authz.Place {
	var p authz.Place
	for _, s := range []*string{&p.Account, &p.AccountKind, &p.Contract, &p.Delivery, &p.Company, &p.Organization, &p.OrganizationKind, &p.Tool} {
		*s = r.text()
	}
	p.AccountGroups = r.list()
	p.Restricted = r.flags(placeEnd)&placeRestricted != 0
	return &p
}
