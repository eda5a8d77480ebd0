package storetest

import (
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// Narrowed is a document that lists at most so many accounts, made of a whole one.
func Narrowed(doc authz.Document, most int) authz.Document {
	if doc.User == nil || listed(doc.User) <= most {
		return doc
	}
	narrow := *doc.User
	narrow.Narrow, narrow.Memberships = true, slices.Clone(doc.User.Memberships)
	for i := range narrow.Memberships {
		m := &narrow.Memberships[i]
		if m.Grants = slices.DeleteFunc(slices.Clone(m.Grants), ofAccount); len(m.Grants) == 0 {
			m.Grants = nil // as a document has it in which none was listed
		}
		m.Tools = slices.Clone(m.Tools)
		for j := range m.Tools {
			m.Tools[j].Unlisted, m.Tools[j].Accounts = len(m.Tools[j].Accounts), nil
		}
	}
	return authz.Document{User: &narrow}
}

// PartOf is what a user's whole document has of one account.
func PartOf(doc authz.Document, account string) (part authz.Document) {
	if doc.User == nil {
		return part
	}
	for _, m := range doc.User.Memberships {
		for _, g := range m.Grants {
			if g.Scope == authz.ScopeOf(authz.KindAccount, account) {
				part.Granted = append(part.Granted, authz.Granted{Membership: m.ID, Expires: g.Expires})
			}
		}
		for _, t := range m.Tools {
			if slices.Contains(t.Accounts, account) {
				part.Granted = append(part.Granted, authz.Granted{Membership: m.ID, Tool: t.ID})
			}
		}
	}
	return part
}

// listed is how many accounts a user's document lists.
func listed(u *authz.User) (n int) {
	for _, m := range u.Memberships {
		for _, g := range m.Grants {
			if ofAccount(g) {
				n++
			}
		}
		for _, t := range m.Tools {
			n += len(t.Accounts)
		}
	}
	return n
}

func ofAccount(g authz.Grant) bool { return strings.HasPrefix(string(g.Scope), "account:") }
