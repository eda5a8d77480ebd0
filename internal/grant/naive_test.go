package grant_test

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// object is a JSON object.
type object = map[string]any

// naive derives the facts of a request from the records, plainly and slowly,
// for the PIP to be compared with. Grants are sorted.
func (m model) naive(r authz.Request, now time.Time) object {
	facts := object{}
	at := m.naivePlace(r.Resource)
	if at != nil {
		facts["place"] = anys(at.scopes)
		if at.account != "" {
			facts["account"] = object{"id": at.account, "kind": m.accounts[at.account].kind}
		}
	}
	if u, id, ok := m.naiveUser(r.Subject); ok {
		governing := m.naiveGoverning(u, at)
		facts["user"] = m.naiveProfile(id, u, governing, now)
		facts["grants"] = m.naiveGrants(u, governing, at, now)
	}
	question := r.Resource.ID
	if r.Resource.Type != "tool" {
		question, _ = r.Context["tool"].(string)
	}
	if restricted, ok := m.tools[question]; ok {
		facts["tool"] = object{"id": question, "restricted": restricted}
	}
	return facts
}

func (m model) naiveUser(s authz.Subject) (user, string, bool) {
	id := s.ID
	if s.Type == "login" {
		id = m.logins[strings.ToLower(s.ID)]
	} else if s.Type != "user" {
		return user{}, "", false
	}
	u, ok := m.users[id]
	return u, id, ok
}

// A spot is where something lies. Accounts are those a grant can reach it by.
type spot struct {
	scopes                      []string
	account, contract, delivery string
	organization                string
}

func (m model) naivePlace(r authz.Resource) *spot {
	kinds := map[string]string{"service": "service", "contract": "contract", "delivery": "delivery", "billing_account": "billing"}
	kind, ofKind := kinds[r.Type]
	_, known := m.accounts[r.ID]
	switch {
	case r.Type == "tool":
		return m.naiveToolPlace(r)
	case r.Type == "account", ofKind && known && m.accounts[r.ID].kind == kind:
		return m.spotOfAccount(r.ID)
	case r.Type == "company", r.Type == "organization", r.Type == "account_group":
		return m.spotAbove(r.Type, r.ID)
	}
	has := func(name string) bool { _, ok := r.Properties[name]; return ok }
	text := func(name string) string { s, _ := r.Properties[name].(string); return s }
	switch {
	case has("account"):
		return m.spotOfAccount(text("account"))
	case has("contract") || has("delivery"):
		return m.spotOfPair(text("contract"), text("delivery"))
	case has("company"):
		return m.spotAbove("company", text("company"))
	case has("organization"):
		return m.spotAbove("organization", text("organization"))
	}
	return nil
}

func (m model) naiveToolPlace(r authz.Resource) *spot {
	if _, ok := m.tools[r.ID]; !ok {
		return nil
	}
	at := &spot{}
	if v, named := r.Properties["account"]; named {
		id, _ := v.(string)
		if at = m.spotOfAccount(id); at == nil {
			return nil
		}
	}
	at.scopes = append([]string{"tool:" + r.ID}, at.scopes...)
	return at
}

func (m model) spotOfAccount(id string) *spot {
	a, ok := m.accounts[id]
	if !ok {
		return nil
	}
	at := &spot{account: id, contract: a.contract, delivery: a.delivery}
	return m.finish(at, a.company, m.companies[a.company])
}

func (m model) spotOfPair(contract, delivery string) *spot {
	c, d := m.accounts[contract], m.accounts[delivery]
	organization := m.companies[c.company]
	if c.kind != "contract" || d.kind != "delivery" || organization != m.companies[d.company] {
		return nil
	}
	company := c.company
	if d.company != company {
		company = ""
	}
	return m.finish(&spot{contract: contract, delivery: delivery}, company, organization)
}

func (m model) spotAbove(kind, id string) *spot {
	company, organization, group := "", id, ""
	switch kind {
	case "company":
		company, organization = id, m.companies[id]
	case "account_group":
		group, organization = id, m.groups[id].organization
	}
	if _, ok := m.organizations[organization]; !ok {
		return nil
	}
	at := &spot{}
	if group != "" {
		at.scopes = []string{"account_group:" + group}
	}
	return m.finish(at, company, organization)
}

// finish writes the scopes down, narrowest first.
func (m model) finish(at *spot, company, organization string) *spot {
	add := func(scope string) {
		if !slices.Contains(at.scopes, scope) {
			at.scopes = append(at.scopes, scope)
		}
	}
	accounts := []string{at.account, at.contract, at.delivery}
	for i, id := range accounts {
		if id != "" {
			add("account:" + id)
		}
		if i == 0 && at.contract != "" && at.delivery != "" {
			add("contract:" + at.contract + "+delivery:" + at.delivery)
		}
	}
	for _, id := range accounts {
		for _, g := range m.groupsOf(id) {
			add("account_group:" + g)
		}
	}
	if company != "" {
		add("company:" + company)
	}
	at.organization = organization
	add("organization:" + organization)
	realm := "customer"
	if m.organizations[organization] == "operator" {
		realm = "operator"
	}
	add("realm:" + realm)
	return at
}

func (m model) naiveGoverning(u user, at *spot) int {
	organization := ""
	if at != nil {
		organization = at.organization
	}
	is := func(what func(membership) bool) int { return slices.IndexFunc(u.members, what) }
	if organization != "" {
		if i := is(func(mem membership) bool { return mem.organization == organization }); i >= 0 {
			return i
		}
	}
	if i := is(m.ofOperator); i >= 0 {
		return i
	}
	if organization == "" {
		return is(func(mem membership) bool { return mem.state == "active" })
	}
	return -1
}

func (m model) ofOperator(mem membership) bool {
	return m.organizations[mem.organization] == "operator"
}

func (m model) naiveProfile(id string, u user, governing int, now time.Time) object {
	profile := object{"id": id, "kind": u.kind, "status": "active", "realm": "customer", "cpni": false, "mfa": u.mfa, "tools": object{}}
	if governing >= 0 {
		mem := u.members[governing]
		profile["status"], profile["cpni"] = mem.state, mem.cpni
		profile["organization"], profile["affiliation"], profile["role"] = mem.organization, mem.affiliation, mem.role
		for id, t := range mem.tools {
			if alive(t.expires, now) {
				profile["tools"].(object)[id] = float64(len(t.accounts))
			}
		}
		if mem.affiliation == "account_team" {
			profile["realm"] = "operator"
		}
	}
	for i, mem := range u.members {
		if m.ofOperator(mem) && (mem.state == "active" || i == governing) {
			profile["realm"] = "operator"
		}
	}
	if u.removed {
		profile["status"] = "removed"
	}
	return profile
}

func alive(expires, now time.Time) bool { return expires.IsZero() || now.Before(expires) }

// naiveGrants are the grants that count at a spot.
func (m model) naiveGrants(u user, governing int, at *spot, now time.Time) []any {
	seen := []any{}
	for i, mem := range u.members {
		if at == nil || mem.state != "active" && i != governing {
			continue
		}
		for what, scopes := range m.naivePowers(mem, now) {
			for _, scope := range m.naiveScopes(mem, scopes, at) {
				kind, name, _ := strings.Cut(what, " ")
				seen = append(seen, object{kind: name, "scope": scope})
			}
		}
	}
	sortGrants(seen)
	return seen
}

// naivePowers are the scopes of a membership's role and tools.
func (m model) naivePowers(mem membership, now time.Time) map[string][]string {
	powers := map[string][]string{}
	role := "role " + mem.role
	switch {
	case mem.role == "primary_contact":
		powers[role] = []string{"organization:" + mem.organization}
	case m.ofOperator(mem):
		powers[role] = []string{"realm:customer"}
	default:
		for scope, expires := range mem.grants {
			if alive(expires, now) {
				powers[role] = append(powers[role], string(scope))
			}
		}
	}
	for id, t := range mem.tools {
		if alive(t.expires, now) {
			powers["tool "+id] = []string{"tool:" + id}
			for _, account := range t.accounts {
				powers["tool "+id] = append(powers["tool "+id], "account:"+account)
			}
		}
	}
	return powers
}

// naiveScopes are the scopes of a spot by which granted scopes count there.
func (m model) naiveScopes(mem membership, granted []string, at *spot) []string {
	together := mem.affiliation == "end_customer" && at.contract != "" && at.delivery != ""
	var counting []string
	contract, delivery := false, false
	for _, scope := range granted {
		if !slices.Contains(at.scopes, scope) {
			continue
		}
		contract = contract || m.reaches(scope, at.contract)
		delivery = delivery || m.reaches(scope, at.delivery)
		sideways := m.reaches(scope, at.contract) || m.reaches(scope, at.delivery)
		if !together || !sideways || m.reaches(scope, at.account) {
			counting = append(counting, scope)
		}
	}
	if together && contract && delivery {
		counting = append(counting, "contract:"+at.contract+"+delivery:"+at.delivery)
	}
	return counting
}

// reaches says whether a scope is an account or an account group that holds it.
func (m model) reaches(scope, account string) bool {
	kind, id, _ := strings.Cut(scope, ":")
	return account != "" && (kind == "account" && id == account ||
		kind == "account_group" && slices.Contains(m.groupsOf(account), id))
}

func sortGrants(grants []any) {
	sort.Slice(grants, func(i, j int) bool { return text(grants[i]) < text(grants[j]) })
}

func anys(from []string) []any {
	to := []any{}
	for _, s := range from {
		to = append(to, s)
	}
	return to
}
