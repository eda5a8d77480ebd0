package pap

import (
	"slices"
	"time"
)

// size is how many things the grants name.
func (g Grants) size() int {
	return len(g.Companies) + len(g.Accounts) + len(g.AccountGroups) + len(g.Tools)
}

// with is the grants and those others, which win where both name a thing. A
// company keeps all its accounts, a tool its accounts and, unless the other says
// when it ends, its end.
func (g Grants) with(more Grants) Grants {
	g = g.sorted()
	for _, c := range more.Companies {
		put(&g.Companies, c, func(o CompanyGrant) bool { return o.ID == c.ID }, func(o *CompanyGrant) { o.AllAccounts = o.AllAccounts || c.AllAccounts })
	}
	for _, a := range more.Accounts {
		put(&g.Accounts, a, func(o AccountGrant) bool { return o.ID == a.ID }, func(o *AccountGrant) { *o = a })
	}
	for _, id := range more.AccountGroups {
		put(&g.AccountGroups, id, func(o string) bool { return o == id }, func(*string) {})
	}
	for _, t := range more.Tools {
		put(&g.Tools, t, func(o ToolGrant) bool { return o.ID == t.ID }, func(o *ToolGrant) {
			o.Accounts = union(o.Accounts, t.Accounts)
			if t.ExpiresAt != nil {
				o.ExpiresAt = t.ExpiresAt
			}
		})
	}
	return g.sorted()
}

// union is a list and what another has beside it.
func union(list, more []string) []string {
	list = slices.Clone(list)
	for _, id := range more {
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// put adds one, or changes the one that is there.
func put[T any](list *[]T, one T, same func(T) bool, change func(*T)) {
	if i := slices.IndexFunc(*list, same); i >= 0 {
		change(&(*list)[i])
		return
	}
	*list = append(*list, one)
}

// without is the grants less those others. With a company goes what lies in it
// (R24). A tool that is named with accounts loses these, else it goes.
func (g Grants) without(less Grants, company map[string]string) Grants {
	g = g.sorted()
	gone := func(account string) bool {
		return slices.ContainsFunc(less.Companies, func(c CompanyGrant) bool { return c.ID == company[account] })
	}
	g.Companies = slices.DeleteFunc(g.Companies, func(c CompanyGrant) bool {
		return slices.ContainsFunc(less.Companies, func(o CompanyGrant) bool { return o.ID == c.ID })
	})
	g.Accounts = slices.DeleteFunc(g.Accounts, func(a AccountGrant) bool {
		return gone(a.ID) || slices.ContainsFunc(less.Accounts, func(o AccountGrant) bool { return o.ID == a.ID })
	})
	g.AccountGroups = slices.DeleteFunc(g.AccountGroups, func(id string) bool { return slices.Contains(less.AccountGroups, id) })
	var kept []ToolGrant
	for _, t := range g.Tools {
		i := slices.IndexFunc(less.Tools, func(o ToolGrant) bool { return o.ID == t.ID })
		if i >= 0 && len(less.Tools[i].Accounts) == 0 {
			continue
		}
		t.Accounts = slices.DeleteFunc(t.Accounts, func(id string) bool {
			return gone(id) || i >= 0 && slices.Contains(less.Tools[i].Accounts, id)
		})
		kept = append(kept, t)
	}
	g.Tools = kept
	return g.sorted()
}

// beyond is what the grants give and the others do not: a later end counts.
func (g Grants) beyond(other Grants) (rest Grants) {
	for _, c := range g.Companies {
		o, there := byID(other.Companies, func(o CompanyGrant) bool { return o.ID == c.ID })
		if !there || c.AllAccounts && !o.AllAccounts {
			rest.Companies = append(rest.Companies, c)
		}
	}
	for _, a := range g.Accounts {
		o, there := byID(other.Accounts, func(o AccountGrant) bool { return o.ID == a.ID })
		if !there || later(a.ExpiresAt, o.ExpiresAt) {
			rest.Accounts = append(rest.Accounts, a)
		}
	}
	for _, id := range g.AccountGroups {
		if !slices.Contains(other.AccountGroups, id) {
			rest.AccountGroups = append(rest.AccountGroups, id)
		}
	}
	for _, t := range g.Tools {
		o, there := byID(other.Tools, func(o ToolGrant) bool { return o.ID == t.ID })
		if !there || later(t.ExpiresAt, o.ExpiresAt) {
			rest.Tools = append(rest.Tools, t)
			continue
		}
		t.Accounts = slices.DeleteFunc(slices.Clone(t.Accounts), func(id string) bool { return slices.Contains(o.Accounts, id) })
		if len(t.Accounts) > 0 {
			rest.Tools = append(rest.Tools, t)
		}
	}
	return rest
}

func byID[T any](list []T, same func(T) bool) (one T, there bool) {
	if i := slices.IndexFunc(list, same); i >= 0 {
		return list[i], true
	}
	return one, false
}

// later says whether something ends after something else; nil is never.
func later(a, b *time.Time) bool {
	return b != nil && (a == nil || a.After(*b))
}

// apart parts grants into what roles count for, and tools.
func (g Grants) apart() (places, tools Grants) {
	places, tools = g, Grants{Tools: g.Tools}
	places.Tools = nil
	return places, tools
}

// both is all that two grants name, without regard to what is there twice.
func (g Grants) both(more Grants) Grants {
	return Grants{
		Companies: slices.Concat(g.Companies, more.Companies), Accounts: slices.Concat(g.Accounts, more.Accounts),
		AccountGroups: slices.Concat(g.AccountGroups, more.AccountGroups), Tools: slices.Concat(g.Tools, more.Tools),
	}
}
