package drift

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// parts makes want narrow if decisions are made on a document that is, and
// compares what they are made on for each account that it leaves out.
func (c *check) parts(got, want *authz.User) error {
	if got == nil || want == nil || !got.Narrow {
		return nil
	}
	left := narrow(want)
	for accounts := range slices.Chunk(slices.Sorted(maps.Keys(left)), atOnce) {
		var keys []authz.Key
		var parts []authz.Document
		for _, account := range accounts {
			keys = append(keys, authz.UserAccountKey(want.ID, account))
			parts = append(parts, authz.Document{Granted: left[account]})
		}
		if err := c.compare(keys, parts); err != nil {
			return err
		}
	}
	return nil
}

// narrow takes out of a user's document what was granted on single accounts, and
// returns that by account.
func narrow(u *authz.User) map[string][]authz.Granted {
	left := map[string][]authz.Granted{}
	u.Narrow = true
	for i := range u.Memberships {
		m := &u.Memberships[i]
		m.Grants = slices.DeleteFunc(m.Grants, func(g authz.Grant) bool {
			account, found := strings.CutPrefix(string(g.Scope), string(authz.KindAccount)+":")
			if found {
				left[account] = append(left[account], authz.Granted{Membership: m.ID, Expires: g.Expires})
			}
			return found
		})
		for j := range m.Tools {
			t := &m.Tools[j]
			for _, account := range t.Accounts {
				left[account] = append(left[account], authz.Granted{Membership: m.ID, Tool: t.ID})
			}
			t.Unlisted, t.Accounts = len(t.Accounts), nil
		}
	}
	return left
}
