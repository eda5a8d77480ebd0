package drift

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// saidAtMost is how many differences of one document are named.
const saidAtMost = 5

// compare reads the documents of keys as decisions do and says how they differ
// from those that the records make.
func (c *check) compare(keys []authz.Key, want []authz.Document) error {
	got, err := c.Documents(keys)
	if err != nil {
		return err
	}
	for i, key := range keys {
		c.summary.Documents++
		if err := c.parts(got[i].User, want[i].User); err != nil {
			return err
		}
		if err := c.difference(string(key.Kind)+" "+key.ID, statements(got[i]), statements(want[i])); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) difference(about string, got, want []string) error {
	more, less := without(got, want), without(want, got)
	if len(more)+len(less) == 0 {
		return nil
	}
	return c.find(about, "decisions are made on %s, and the records say %s", said(more), said(less))
}

// without is what of the sorted list a is not in the sorted list b.
func without(a, b []string) (left []string) {
	for _, s := range a {
		if _, found := slices.BinarySearch(b, s); !found {
			left = append(left, s)
		}
	}
	return left
}

func said(statements []string) string {
	if len(statements) == 0 {
		return "no such thing"
	}
	if len(statements) > saidAtMost {
		statements = append(statements[:saidAtMost:saidAtMost], "and more")
	}
	return strings.Join(statements, "; ")
}

// statements are all that a document says, sorted.
func statements(d authz.Document) (all []string) {
	say := func(words ...string) { all = append(all, strings.Join(slices.DeleteFunc(words, empty), " ")) }
	if d.Login != "" {
		say("user", d.Login)
	}
	if p := d.Place; p != nil {
		say("account", p.Account, p.AccountKind)
		say("contract", p.Contract)
		say("delivery", p.Delivery)
		say("company", p.Company)
		say("organization", p.Organization, p.OrganizationKind)
		say("tool", p.Tool, when(p.Restricted, "restricted"))
		for _, group := range p.AccountGroups {
			say("account group", group)
		}
	}
	if u := d.User; u != nil {
		say("user", u.ID, u.Kind, when(u.Removed, "removed"), when(u.MFA, "second factor"), when(u.Narrow, "narrow"))
		for _, m := range u.Memberships {
			member(m, say)
		}
	}
	for _, g := range d.Granted {
		say("granted to", g.Membership+":", when(g.Tool == "", "its role"), when(g.Tool != "", "tool"), g.Tool, until(g.Expires))
	}
	slices.Sort(all)
	return all
}

func member(m authz.Membership, say func(...string)) {
	in := "in " + m.Organization + ":"
	say(in, m.ID, m.OrganizationKind, m.Affiliation, m.State, m.Role, when(m.CPNI, "CPNI"))
	for _, g := range m.Grants {
		say(in, string(g.Scope), until(g.Expires))
	}
	for _, t := range m.Tools {
		say(in, "tool", t.ID, until(t.Expires))
		if t.Unlisted > 0 {
			say(in, "tool", t.ID, "on accounts:", strconv.Itoa(t.Unlisted))
		}
		for _, account := range t.Accounts {
			say(in, "tool", t.ID, "on account", account)
		}
	}
}

func empty(s string) bool { return s == "" }

func when(so bool, word string) string {
	if so {
		return word
	}
	return ""
}

func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "until " + t.Format(time.RFC3339Nano)
}
