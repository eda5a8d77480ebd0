package directory

import "slices"

// Validate says what is wrong with the record by itself. A record that would
// not fit in a line of MaxLine bytes is refused, so that every account group
// can be exported and imported again.
func (g AccountGroup) Validate() error {
	return first(
		checkKey("id", g.ID),
		checkKey("organization", g.Organization),
		checkOneOf("kind", g.Kind, ServiceGroup, CustomerGroupIdentifier, EMediaConfiguration),
		checkText("name", g.Name),
		g.checkAccounts(),
	)
}

func (g AccountGroup) checkAccounts() error {
	size := 2 * MaxText // what the other members need
	for i, id := range g.Accounts {
		if err := checkKey("accounts", id); err != nil {
			return err
		}
		if i > 0 && g.Accounts[i-1] >= id {
			return invalid("accounts are not sorted or name %q twice", id)
		}
		size += len(id) + len(`"",`)
	}
	if size > MaxLine-1<<10 {
		return invalid("%d accounts are more than one record can name; make two account groups", len(g.Accounts))
	}
	return nil
}

func decodeAccountGroup(m *members) record {
	return AccountGroup{
		ID:           m.text("id"),
		Organization: m.text("organization"),
		Kind:         m.text("kind"),
		Name:         m.text("name"),
		Accounts:     sorted(m.list("accounts")),
	}
}

// sorted sorts the list in place and leaves out what it says twice.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func (g AccountGroup) append(b []byte) []byte {
	l := startLine(b, "account_group")
	l.text("id", g.ID)
	l.text("organization", g.Organization)
	l.text("kind", g.Kind)
	l.text("name", g.Name)
	l.list("accounts", g.Accounts)
	return l.end()
}

func (g AccountGroup) put(tx Tx) error { return tx.PutAccountGroup(g) }

type accountGroupEntry struct {
	sighting
	ordinal
	organization *organizationEntry
}

func (g AccountGroup) check(l *ledger) error {
	known := l.accountGroups[g.ID]
	switch {
	case l.organizations[g.Organization] == nil:
		return l.missing("organization", g.Organization)
	case known != nil && known.seenOtherwise(l, g):
		return l.twice(known.sighting, "account group %q", g.ID)
	case known != nil && known.organization.id != g.Organization:
		return conflict("account group %q belongs to organization %q and cannot move to another", g.ID, known.organization.id)
	}
	for _, id := range g.Accounts {
		if err := g.checkMember(l, id); err != nil {
			return err
		}
	}
	return nil
}

func (g AccountGroup) checkMember(l *ledger, id string) error {
	account := l.accounts[id]
	switch {
	case account == nil:
		return l.missing("account", id)
	case account.company.organization.id != g.Organization:
		return conflict("account %q belongs to another organization than the account group", id)
	}
	return nil
}

func (g AccountGroup) enter(l *ledger, at sighting) {
	known := named(l.accountGroups, g.ID)
	*known = accountGroupEntry{at, l.number(known.ordinal), l.organizations[g.Organization]}
}
