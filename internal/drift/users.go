package drift

import (
	"slices"

	"github.com/postern-authz/postern/internal/authz"
)

// users works out the grant document of every user, and whom its username names.
func (c *check) users() error {
	columns := []string{"id", "kind", "username", "mfa_enrolled", "removed_at"}
	return c.pages("users", columns, func(page []Row) error {
		owned, err := c.membershipsOf(texts(page, "id"))
		if err != nil {
			return err
		}
		var keys []authz.Key
		var want []authz.Document
		for _, row := range page {
			u := &authz.User{ID: row.text("id"), Kind: row.text("kind"), Removed: row.has("removed_at"), MFA: row.flag("mfa_enrolled")}
			u.Memberships = owned[u.ID]
			keys = append(keys, authz.Key{Kind: authz.KindUser, ID: u.ID}, authz.LoginKey(row.text("username")))
			want = append(want, authz.Document{User: u}, authz.Document{Login: u.ID})
		}
		if err := c.named(page); err != nil {
			return err
		}
		return c.compare(keys, want)
	})
}

// named wants every username among those that were ever given, so that it is
// given to nobody else (R33, R78).
func (c *check) named(page []Row) error {
	names := make([]string, len(page))
	for i, row := range page {
		names[i] = authz.LoginKey(row.text("username")).ID
	}
	given, err := c.gathered("usernames", []string{"username_key", "user_id"}, names)
	if err != nil {
		return err
	}
	for i, row := range page {
		if len(given[names[i]]) > 0 {
			continue
		}
		if err := c.find("user "+row.text("id"), "its username is not among those that were given, so that another could get it"); err != nil {
			return err
		}
	}
	return nil
}

// membershipsOf are what users hold, by user, each in the order of organizations.
func (c *check) membershipsOf(users []string) (map[string][]authz.Membership, error) {
	columns := []string{"user_id", "id", "organization_id", "affiliation", "state", "role_id", "cpni_authorized"}
	rows, err := c.Of("memberships", columns, users)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(m Row) bool { return m.text("state") == "invited" || m.text("state") == "superseded" })
	kind, err := c.kinds(texts(rows, "organization_id"))
	if err != nil {
		return nil, err
	}
	held, err := c.heldBy(texts(rows, "id"))
	if err != nil {
		return nil, err
	}
	owned := map[string][]authz.Membership{}
	for _, row := range rows {
		m := authz.Membership{
			ID: row.text("id"), Organization: row.text("organization_id"), OrganizationKind: kind(row.text("organization_id")),
			Affiliation: row.text("affiliation"), State: row.text("state"), Role: row.text("role_id"), CPNI: row.flag("cpni_authorized"),
		}
		m.Grants, m.Tools = held.grants(m.ID), held.tools(m.ID)
		owned[row.text("user_id")] = append(owned[row.text("user_id")], m)
	}
	return owned, nil
}

// holdings are the rows of what memberships hold, by membership.
type holdings struct{ companies, accounts, groups, tool, lists map[string][]Row }

func (c *check) heldBy(memberships []string) (h holdings, err error) {
	gather := func(into *map[string][]Row, table string, columns ...string) func() error {
		return func() (err error) {
			*into, err = c.gathered(table, append([]string{"membership_id"}, columns...), memberships)
			return err
		}
	}
	return h, inOrder(
		gather(&h.companies, "membership_companies", "company_id", "all_accounts"),
		gather(&h.accounts, "account_grants", "account_id", "expires_at"),
		gather(&h.groups, "account_group_grants", "account_group_id"),
		gather(&h.tool, "tool_grants", "tool_id", "expires_at"),
		gather(&h.lists, "tool_account_grants", "tool_id", "account_id"),
	)
}

// grants are where the membership's role counts: a company only if all its
// accounts were granted (R26).
func (h holdings) grants(membership string) (grants []authz.Grant) {
	for _, row := range h.companies[membership] {
		if row.flag("all_accounts") {
			grants = append(grants, authz.Grant{Scope: authz.ScopeOf(authz.KindCompany, row.text("company_id"))})
		}
	}
	for _, row := range h.accounts[membership] {
		grants = append(grants, authz.Grant{Scope: authz.ScopeOf(authz.KindAccount, row.text("account_id")), Expires: row.instant("expires_at")})
	}
	for _, row := range h.groups[membership] {
		grants = append(grants, authz.Grant{Scope: authz.ScopeOf(authz.KindAccountGroup, row.text("account_group_id"))})
	}
	return grants
}

// tools are those the membership holds, each with its own list (R31).
func (h holdings) tools(membership string) (tools []authz.Tool) {
	for _, row := range h.tool[membership] {
		t := authz.Tool{ID: row.text("tool_id"), Expires: row.instant("expires_at")}
		for _, listed := range h.lists[membership] {
			if listed.text("tool_id") == t.ID {
				t.Accounts = append(t.Accounts, listed.text("account_id"))
			}
		}
		tools = append(tools, t)
	}
	return tools
}
