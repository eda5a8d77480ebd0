package directory_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// A memory is a directory.Store in maps: it keeps what it is given, makes ids,
// refuses what refers to nothing, and cascades as the SQL does.
type memory struct {
	revision authz.Revision
	state    state
}

type grantID struct{ member, company, account, accountGroup, tool string }

type state struct {
	organizations map[string]directory.Organization
	companies     map[string]directory.Company
	accounts      map[string]directory.Account
	accountGroups map[string]directory.AccountGroup
	tools         map[string]directory.Tool
	roles         map[string]directory.Role
	users         map[string]directory.User       // by id
	memberships   map[string]directory.Membership // by id; User is the user's id
	grants        map[grantID]directory.GrantRecord
	changed       bool
}

func newMemory() *memory {
	s := state{
		organizations: map[string]directory.Organization{},
		companies:     map[string]directory.Company{},
		accounts:      map[string]directory.Account{},
		accountGroups: map[string]directory.AccountGroup{},
		tools:         map[string]directory.Tool{},
		roles:         map[string]directory.Role{},
		users:         map[string]directory.User{},
		memberships:   map[string]directory.Membership{},
		grants:        map[grantID]directory.GrantRecord{},
	}
	for _, role := range directory.BuiltinRoles() {
		s.roles[role.ID] = role
	}
	return &memory{state: s}
}

func (s state) clone() state {
	return state{
		organizations: maps.Clone(s.organizations),
		companies:     maps.Clone(s.companies),
		accounts:      maps.Clone(s.accounts),
		accountGroups: maps.Clone(s.accountGroups),
		tools:         maps.Clone(s.tools),
		roles:         maps.Clone(s.roles),
		users:         maps.Clone(s.users),
		memberships:   maps.Clone(s.memberships),
		grants:        maps.Clone(s.grants),
	}
}

func (m *memory) Update(_ context.Context, fn func(directory.Tx) error) (authz.Revision, error) {
	next := m.state.clone()
	if err := fn(&next); err != nil {
		return 0, err
	}
	if next.changed {
		m.revision++
		m.state = next
	}
	return m.revision, nil
}

func (m *memory) View(_ context.Context, fn func(directory.Reader) error) error {
	now := m.state.clone()
	return fn(&now)
}

func set[K comparable, V any](s *state, into map[K]V, key K, value V) error {
	if old, ok := into[key]; !ok || !reflect.DeepEqual(old, value) {
		into[key] = value
		s.changed = true
	}
	return nil
}

func need(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("the memory refuses "+format+": %w", append(args, authz.ErrConflict)...)
}

func (s *state) PutOrganization(o directory.Organization) error {
	return set(s, s.organizations, o.ID, o)
}

func (s *state) PutCompany(c directory.Company) error {
	_, ok := s.organizations[c.Organization]
	return cmp.Or(need(ok, "company %+v", c), set(s, s.companies, c.ID, c))
}

func (s *state) PutAccount(a directory.Account) error {
	_, ok := s.companies[a.Company]
	for id := range s.grants {
		_, authorized := s.grants[grantID{member: id.member, company: a.Company}]
		ok = ok && (id.account != a.ID || authorized)
	}
	return cmp.Or(need(ok, "account %+v", a), set(s, s.accounts, a.ID, a))
}

func (s *state) PutAccountGroup(g directory.AccountGroup) error {
	for _, id := range g.Accounts {
		account, ok := s.accounts[id]
		if err := need(ok && s.companies[account.Company].Organization == g.Organization, "account group %+v", g); err != nil {
			return err
		}
	}
	return set(s, s.accountGroups, g.ID, g)
}

func (s *state) PutTool(t directory.Tool) error { return set(s, s.tools, t.ID, t) }
func (s *state) PutRole(r directory.Role) error { return set(s, s.roles, r.ID, r) }

// userID finds a user by name, or returns "".
func (s *state) userID(name string) string {
	for id, u := range s.users {
		if authz.LoginKey(u.Username).ID == authz.LoginKey(name).ID {
			return id
		}
	}
	return ""
}

func (s *state) PutUser(u directory.User) error {
	known := s.userID(u.Username)
	if u.ID == "" {
		u.ID = cmp.Or(known, authz.PrefixUser+newID())
	}
	key, _ := directory.EmailKey(u.Email)
	for id, other := range s.users {
		otherKey, _ := directory.EmailKey(other.Email)
		if err := need(id == u.ID || key == "" || key != otherKey, "user %+v: address of %s", u, id); err != nil {
			return err
		}
	}
	return cmp.Or(need(known == "" || known == u.ID, "user %+v: name of %s", u, known), set(s, s.users, u.ID, u))
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// membershipID finds a membership by organization and name, or returns "".
func (s *state) membershipID(organization, name string) string {
	user := cmp.Or(s.userID(name), authz.LoginKey(name).ID)
	for id, m := range s.memberships {
		if m.Organization == organization && (m.User == user || authz.LoginKey(m.User).ID == user) {
			return id
		}
	}
	return ""
}

func (s *state) PutMembership(m directory.Membership) error {
	known := s.membershipID(m.Organization, m.User)
	if m.ID == "" {
		m.ID = cmp.Or(known, authz.PrefixMembership+newID())
	}
	_, organization := s.organizations[m.Organization]
	_, role := s.roles[m.Role]
	user := s.userID(m.User)
	err := need(organization && role && (known == "" || known == m.ID) && (user == "") == (m.State == directory.StateInvited), "membership %+v", m)
	if user != "" {
		m.User = user
	}
	return cmp.Or(err, set(s, s.memberships, m.ID, m))
}

func (s *state) PutGrant(g directory.GrantRecord) error {
	member := s.membershipID(g.Organization, g.User)
	id := grantID{member, g.Company, g.Account, g.AccountGroup, g.Tool}
	if err := need(member != "", "grant %+v", g); err != nil || g.Revoked {
		s.revoke(id)
		return err
	}
	if g.Account != "" {
		_, authorized := s.grants[grantID{member: member, company: s.accounts[g.Account].Company}]
		_, held := s.grants[grantID{member: member, tool: g.Tool}]
		if err := need(authorized && (held || g.Tool == ""), "grant %+v", g); err != nil {
			return err
		}
	}
	g.User = s.memberships[member].User
	return set(s, s.grants, id, g)
}

// revoke takes a grant away, and with a company or tool its accounts.
func (s *state) revoke(id grantID) {
	for other := range s.grants {
		company := id.company != "" && s.accounts[other.account].Company == id.company
		tool := id.tool != "" && id.account == "" && other.tool == id.tool
		if other == id || other.member == id.member && (company || tool) {
			delete(s.grants, other)
			s.changed = true
		}
	}
}

func each[K comparable, V any](values map[K]V, compare func(a, b V) int, fn func(V) error) error {
	sorted := slices.SortedFunc(maps.Values(values), compare)
	var errs []error
	for _, value := range sorted {
		errs = append(errs, fn(value))
	}
	return errors.Join(errs...)
}

func (s *state) Organizations(fn func(directory.Organization) error) error {
	return each(s.organizations, func(a, b directory.Organization) int { return cmp.Compare(a.ID, b.ID) }, fn)
}

func (s *state) Companies(fn func(directory.Company) error) error {
	return each(s.companies, func(a, b directory.Company) int { return cmp.Compare(a.ID, b.ID) }, fn)
}

func (s *state) Accounts(fn func(directory.Account) error) error {
	return each(s.accounts, func(a, b directory.Account) int { return cmp.Compare(a.ID, b.ID) }, fn)
}

func (s *state) AccountGroups(fn func(directory.AccountGroup) error) error {
	return each(s.accountGroups, func(a, b directory.AccountGroup) int { return cmp.Compare(a.ID, b.ID) }, fn)
}

func (s *state) Tools(fn func(directory.Tool) error) error {
	return each(s.tools, func(a, b directory.Tool) int { return cmp.Compare(a.ID, b.ID) }, fn)
}

func (s *state) Roles(fn func(directory.Role) error) error {
	return each(s.roles, func(a, b directory.Role) int { return cmp.Compare(a.ID, b.ID) }, fn)
}

func (s *state) Users(fn func(directory.User) error) error {
	key := func(u directory.User) string { return authz.LoginKey(u.Username).ID }
	return each(s.users, func(a, b directory.User) int { return cmp.Compare(key(a), key(b)) }, fn)
}

// username is what a membership or grant calls its user.
func (s *state) username(user string) string {
	return cmp.Or(s.users[user].Username, user)
}

func (s *state) Memberships(fn func(directory.Membership) error) error {
	named := map[string]directory.Membership{}
	for id, m := range s.memberships {
		m.User = s.username(m.User)
		named[id] = m
	}
	return each(named, func(a, b directory.Membership) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization),
			cmp.Compare(authz.LoginKey(a.User).ID, authz.LoginKey(b.User).ID))
	}, fn)
}

func (s *state) Grants(fn func(directory.GrantRecord) error) error {
	named := map[grantID]directory.GrantRecord{}
	for id, g := range s.grants {
		g.User = s.username(g.User)
		named[id] = g
	}
	return each(named, func(a, b directory.GrantRecord) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization),
			cmp.Compare(authz.LoginKey(a.User).ID, authz.LoginKey(b.User).ID),
			cmp.Compare(a.Account, b.Account), cmp.Compare(a.Tool, b.Tool), // not in the order of export
			cmp.Compare(a.Company, b.Company), cmp.Compare(a.AccountGroup, b.AccountGroup))
	}, fn)
}
