package drift

import "github.com/postern-authz/postern/internal/authz"

// memberships wants each to be found by the name of its user, and counts who
// takes a seat: all but the account team (R7).
func (c *check) memberships() error {
	columns := []string{"id", "organization_id", "user_id", "login_key", "temporary_username", "affiliation", "state"}
	return c.pages("memberships", columns, func(page []Row) error {
		named := []string{"id", "username"}
		users, err := c.gathered("users", named, texts(page, "user_id"))
		if err != nil {
			return err
		}
		for _, row := range page {
			if seated(row) {
				c.seats[row.text("organization_id")]++
			}
			name := row.text("temporary_username")
			if row.has("user_id") {
				name = one(users, row.text("user_id"), named).text("username")
			}
			if authz.LoginKey(name).ID == row.text("login_key") {
				continue
			}
			if err := c.find("membership "+row.text("id"), "it is found by another username than that of its user"); err != nil {
				return err
			}
		}
		return nil
	})
}

func seated(row Row) bool {
	if row.text("affiliation") == "account_team" {
		return false
	}
	state := row.text("state")
	return state == "invited" || state == "active" || state == "suspended"
}

// organizations compares their documents, and the seats they say are taken.
func (c *check) organizations() error {
	return c.pages("organizations", []string{"id", "kind", "seats_used"}, func(page []Row) error {
		for _, row := range page {
			id := row.text("id")
			if got, want := row.number("seats_used"), c.seats[id]; got != want {
				if err := c.find("organization "+id, "it counts %d seats as taken, and its members take %d", got, want); err != nil {
					return err
				}
			}
		}
		return c.comparePlaces(authz.KindOrganization, page, func(row Row) authz.Place {
			return authz.Place{Organization: row.text("id"), OrganizationKind: row.text("kind")}
		})
	})
}
