package pap_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// A landscape is where the accounts of one organization lie, as the model knows
// it without asking the product.
type landscape struct {
	organization string
	accounts     map[string]directory.Account
	groups       map[string][]string // accounts, by account group
	restricted   map[string]bool     // by tool
}

// A caps is what somebody can do, one capability per entry: "pc", "appointed" to
// be an administrator, "administrator@a1", "tool:wan_analysis", "tool:wan_analysis@a1", "cpni".
type caps map[string]bool

// capsOf works out what a grant document comes to in the landscape, account by
// account: the plain reading of the requirements, and nothing of the product's
// own way to get there.
func (l landscape) capsOf(u *authz.User, now time.Time) caps {
	c := caps{}
	if u == nil || u.Removed {
		return c
	}
	for _, m := range u.Memberships {
		if m.Organization == l.organization && m.State == directory.StateActive {
			l.add(c, m, now)
		}
	}
	return c
}

func (l landscape) add(c caps, m authz.Membership, now time.Time) {
	holds := func(at time.Time) bool { return at.IsZero() || now.Before(at) }
	switch m.Role {
	case directory.RolePrimaryContact:
		c["pc"] = true
	case directory.RoleAdministrator:
		c["appointed"] = true
	}
	if m.CPNI {
		c["cpni"] = true
	}
	m.Grants = slices.DeleteFunc(slices.Clone(m.Grants), func(g authz.Grant) bool { return !holds(g.Expires) })
	direct := map[string]bool{} // accounts that a grant names or contains
	for _, g := range m.Grants {
		maps.Copy(direct, l.named(g.Scope))
	}
	for id, account := range l.accounts {
		if m.Role == directory.RolePrimaryContact || l.counts(m, direct, account) {
			c[m.Role+"@"+id] = true
		}
	}
	for _, t := range m.Tools {
		if holds(t.Expires) {
			l.addTool(c, t)
		}
	}
}

// named are the accounts that a scope names or contains, without those that
// lie in them.
func (l landscape) named(s authz.Scope) map[string]bool {
	kind, id, _ := strings.Cut(string(s), ":")
	found := map[string]bool{}
	for account, a := range l.accounts {
		switch authz.Kind(kind) {
		case authz.KindAccount:
			found[account] = account == id
		case authz.KindCompany:
			found[account] = a.Company == id
		case authz.KindAccountGroup:
			found[account] = slices.Contains(l.groups[id], account)
		}
	}
	maps.DeleteFunc(found, func(_ string, in bool) bool { return !in })
	return found
}

// counts: a role counts in an account that was named, or through an account that
// it lies in; for an end customer through both, where it lies in both (R36).
// Companies do not reach through.
func (l landscape) counts(m authz.Membership, direct map[string]bool, a directory.Account) bool {
	if direct[a.ID] {
		return true
	}
	through := map[string]bool{}
	for _, g := range m.Grants {
		if kind, _, _ := strings.Cut(string(g.Scope), ":"); kind != string(authz.KindCompany) {
			for id := range l.named(g.Scope) {
				through[id] = direct[id]
			}
		}
	}
	contract, delivery := a.Contract != "" && through[a.Contract], a.Delivery != "" && through[a.Delivery]
	if m.Affiliation == directory.AffiliationEndCustomer && a.Contract != "" && a.Delivery != "" {
		return contract && delivery
	}
	return contract || delivery
}

func (l landscape) addTool(c caps, t authz.Tool) {
	c["tool:"+t.ID] = true
	for _, listed := range t.Accounts {
		for id, a := range l.accounts {
			if id == listed || a.Contract == listed || a.Delivery == listed {
				c["tool:"+t.ID+"@"+id] = true
			}
		}
	}
}

// gained are the capabilities that after has and before has not.
func gained(before, after caps) []string {
	var more []string
	for c := range after {
		if !before[c] {
			more = append(more, c)
		}
	}
	slices.Sort(more)
	return more
}

// rank is how high somebody stands, which decides who may touch them (C16).
func (c caps) rank() int {
	switch {
	case c["pc"]:
		return 2
	case c["appointed"]:
		return 1
	}
	return 0
}

// mayGive says whether somebody with these capabilities may give or take that one
// (R2, R3, R6, R23, R29): a role below its own where it has it, a tool it holds
// itself, and nothing that only the operator gives.
func (l landscape) mayGive(giver, holder caps, capability string) error {
	what, account, _ := strings.Cut(capability, "@")
	tool, isTool := strings.CutPrefix(what, "tool:")
	switch {
	case (isTool || capability == "cpni") && giver.rank() <= holder.rank():
		return fmt.Errorf("the giver does not stand above")
	case capability == "pc", what == directory.RolePrimaryContact:
		return fmt.Errorf("only the operator makes a Primary Contact")
	case capability == "cpni" && !giver["cpni"]:
		return fmt.Errorf("the giver is not authorized for CPNI itself")
	case capability == "cpni":
		return nil
	case isTool && l.restricted[tool]:
		return fmt.Errorf("only the operator grants tool %s", tool)
	case isTool && giver["pc"]:
		return nil
	case isTool && account == "":
		return when(giver["tool:"+tool], "the giver does not hold tool %s", tool)
	case isTool:
		return when(giver["tool:"+tool+"@"+account] && giver["administrator@"+account], "the giver does not hold tool %s for %s", tool, account)
	case giver["pc"]:
		return nil
	case what == directory.RoleAdministrator, capability == "appointed":
		return fmt.Errorf("an administrator makes no administrator")
	}
	return when(giver["administrator@"+account], "the giver administers nothing at %s", account)
}

func when(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
