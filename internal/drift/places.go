package drift

import "github.com/postern-authz/postern/internal/authz"

// places works out where everything lies that is not a user.
func (c *check) places() error {
	return inOrder(c.tools, c.companies, c.accounts, c.accountGroups)
}

func (c *check) tools() error {
	return c.pages("tools", []string{"id", "restricted"}, func(page []Row) error {
		return c.comparePlaces(authz.KindTool, page, func(row Row) authz.Place {
			return authz.Place{Tool: row.text("id"), Restricted: row.flag("restricted")}
		})
	})
}

// comparePlaces compares a page of one kind.
func (c *check) comparePlaces(kind authz.Kind, page []Row, place func(Row) authz.Place) error {
	keys, want := make([]authz.Key, len(page)), make([]authz.Document, len(page))
	for i, row := range page {
		p := place(row)
		keys[i], want[i] = authz.Key{Kind: kind, ID: row.text("id")}, authz.Document{Place: &p}
	}
	return c.compare(keys, want)
}

// kinds are the kinds of organizations.
func (c *check) kinds(ids []string) (func(string) string, error) {
	columns := []string{"id", "kind"}
	organizations, err := c.gathered("organizations", columns, ids)
	return func(id string) string { return one(organizations, id, columns).text("kind") }, err
}

func (c *check) companies() error {
	return c.pages("companies", []string{"id", "organization_id"}, func(page []Row) error {
		kind, err := c.kinds(texts(page, "organization_id"))
		if err != nil {
			return err
		}
		return c.comparePlaces(authz.KindCompany, page, func(row Row) authz.Place {
			o := row.text("organization_id")
			return authz.Place{Company: row.text("id"), Organization: o, OrganizationKind: kind(o)}
		})
	})
}

func (c *check) accountGroups() error {
	return c.pages("account_groups", []string{"id", "organization_id"}, func(page []Row) error {
		kind, err := c.kinds(texts(page, "organization_id"))
		if err != nil {
			return err
		}
		return c.comparePlaces(authz.KindAccountGroup, page, func(row Row) authz.Place {
			o := row.text("organization_id")
			return authz.Place{AccountGroups: []string{row.text("id")}, Organization: o, OrganizationKind: kind(o)}
		})
	})
}

// accounts lie where their company lies, whatever they say themselves.
func (c *check) accounts() error {
	columns := []string{"id", "company_id", "kind", "contract_id", "delivery_id"}
	return c.pages("accounts", columns, func(page []Row) error {
		owned := []string{"id", "organization_id"}
		companies, err := c.gathered("companies", owned, texts(page, "company_id"))
		if err != nil {
			return err
		}
		groups, err := c.gathered("account_group_members", []string{"account_id", "account_group_id"}, texts(page, "id"))
		if err != nil {
			return err
		}
		organization := func(row Row) string { return one(companies, row.text("company_id"), owned).text("organization_id") }
		kind, err := c.kinds(organizationsOf(page, organization))
		if err != nil {
			return err
		}
		return c.comparePlaces(authz.KindAccount, page, func(row Row) authz.Place {
			p := accountPlace(row, texts(groups[row.text("id")], "account_group_id"))
			p.Organization, p.OrganizationKind = organization(row), kind(organization(row))
			return p
		})
	})
}

func organizationsOf(page []Row, organization func(Row) string) []string {
	ids := make([]string, len(page))
	for i, row := range page {
		ids[i] = organization(row)
	}
	return ids
}

// accountPlace is an account's place: one that is a contract or a delivery
// account lies in itself (R36).
func accountPlace(row Row, groups []string) authz.Place {
	p := authz.Place{
		Account: row.text("id"), AccountKind: row.text("kind"), Company: row.text("company_id"),
		Contract: row.text("contract_id"), Delivery: row.text("delivery_id"), AccountGroups: groups,
	}
	switch p.AccountKind {
	case "contract":
		p.Contract = p.Account
	case "delivery":
		p.Delivery = p.Account
	}
	return p
}
