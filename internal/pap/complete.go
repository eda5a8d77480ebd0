package pap

import (
	"cmp"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// complete puts grants that a request states into their form: sorted, nothing
// twice, with the companies of the accounts they name, which every account grant
// lies in (R24). prefix is the JSON Pointer of the grants in the request.
func (w *work) complete(organization, prefix string, g Grants) (Grants, reach, error) {
	if err := g.check(prefix, w.now); err != nil {
		return Grants{}, reach{}, err
	}
	// What the organization does not have is refused by its place in the request,
	// so before anything is added.
	if _, err := w.reachOf(organization, prefix, g); err != nil {
		return Grants{}, reach{}, err
	}
	companies, err := w.companiesOf(g)
	if err != nil {
		return Grants{}, reach{}, err
	}
	for _, id := range companies {
		if !slices.ContainsFunc(g.Companies, func(c CompanyGrant) bool { return c.ID == id }) {
			g.Companies = append(g.Companies[:len(g.Companies):len(g.Companies)], CompanyGrant{ID: id})
		}
	}
	g = g.sorted()
	r, err := w.reachOf(organization, prefix, g)
	return g, r, err
}

// companiesOf are the companies of the accounts that the grants name.
func (w *work) companiesOf(g Grants) (companies []string, err error) {
	var keys []authz.Key
	for _, n := range g.named("") {
		if n.key.Kind == authz.KindAccount {
			keys = append(keys, n.key)
		}
	}
	documents, err := w.Documents(keys)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		if d.Place != nil && !slices.Contains(companies, d.Place.Company) {
			companies = append(companies, d.Place.Company)
		}
	}
	return companies, nil
}

// check says what is wrong with grants by themselves.
func (g Grants) check(prefix string, now time.Time) error {
	if err := g.bounded(prefix); err != nil {
		return err
	}
	companies, accounts, groups, tools := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, c := range g.Companies {
		if err := once(companies, c.ID, pointer(prefix, "companies", i)); err != nil {
			return err
		}
	}
	for i, a := range g.Accounts {
		if err := first(once(accounts, a.ID, pointer(prefix, "accounts", i)), ahead(a.ExpiresAt, now, pointer(prefix, "accounts", i)+"/expires_at")); err != nil {
			return err
		}
	}
	for i, id := range g.AccountGroups {
		if err := once(groups, id, pointer(prefix, "account_groups", i)); err != nil {
			return err
		}
	}
	for i, t := range g.Tools {
		listed := map[string]bool{}
		if err := first(once(tools, t.ID, pointer(prefix, "tools", i)), ahead(t.ExpiresAt, now, pointer(prefix, "tools", i)+"/expires_at")); err != nil {
			return err
		}
		for j, id := range t.Accounts {
			if err := once(listed, id, pointer(pointer(prefix, "tools", i), "accounts", j)); err != nil {
				return err
			}
		}
	}
	return nil
}

// MaxGrants is how many things one request may name: each is looked up while
// everybody else who wants to write waits.
const MaxGrants = 5000

func (g Grants) bounded(prefix string) error {
	n := g.size()
	for _, t := range g.Tools {
		n += len(t.Accounts)
	}
	if n > MaxGrants {
		return invalid(prefix, "length", "%d grants are more than %d: grant account groups or companies, or send several requests", n, MaxGrants)
	}
	return nil
}

// once keeps a list from naming something twice, which would make two wishes of
// one.
func once(seen map[string]bool, id, at string) error {
	if seen[id] {
		return invalid(at, "duplicate", "%s: %q is there twice", at, id)
	}
	seen[id] = true
	return nil
}

func ahead(ends *time.Time, now time.Time, at string) error {
	if ends != nil && !now.Before(*ends) {
		return invalid(at, "value", "%s: this has ended already", at)
	}
	return nil
}

// first is the first error, or nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// sorted is a copy in the order of ids, with lists that are never nil.
func (g Grants) sorted() Grants {
	s := Grants{
		Companies: append([]CompanyGrant{}, g.Companies...), Accounts: append([]AccountGrant{}, g.Accounts...),
		AccountGroups: append([]string{}, g.AccountGroups...), Tools: append([]ToolGrant{}, g.Tools...),
	}
	slices.SortFunc(s.Companies, func(a, b CompanyGrant) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Accounts, func(a, b AccountGrant) int { return cmp.Compare(a.ID, b.ID) })
	slices.Sort(s.AccountGroups)
	slices.SortFunc(s.Tools, func(a, b ToolGrant) int { return cmp.Compare(a.ID, b.ID) })
	for i := range s.Tools {
		s.Tools[i].Accounts = append([]string{}, s.Tools[i].Accounts...)
		slices.Sort(s.Tools[i].Accounts)
	}
	return s
}

// offered is what somebody gets who is made a member so: the role wherever it
// counts, or nowhere in particular yet, the tools, and CPNI if it is said.
func (r reach) offered(role string, g Grants, cpni bool) []given {
	list := r.given(role, g)
	if !slices.ContainsFunc(list, func(g given) bool { return g.role != "" }) {
		list = append(list, given{role: role})
	}
	if cpni {
		list = append(list, given{cpni: &cpni})
	}
	return list
}
