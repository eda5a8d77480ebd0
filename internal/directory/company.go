package directory

import "strings"

// Validate says what is wrong with the record by itself.
func (c Company) Validate() error {
	return first(
		checkKey("id", c.ID),
		checkKey("organization", c.Organization),
		checkText("name", c.Name),
	)
}

func decodeCompany(m *members) record {
	return Company{ID: m.text("id"), Organization: m.text("organization"), Name: m.text("name")}
}

func (c Company) append(b []byte) []byte {
	l := startLine(b, "company")
	l.text("id", c.ID)
	l.text("organization", c.Organization)
	l.text("name", c.Name)
	return l.end()
}

func (c Company) put(tx Tx) error { return tx.PutCompany(c) }

type companyEntry struct {
	sighting
	ordinal
	id           string
	organization *organizationEntry
}

func (c Company) check(l *ledger) error {
	known := l.companies[c.ID]
	switch {
	case l.organizations[c.Organization] == nil:
		return l.missing("organization", c.Organization)
	case known == nil:
		return nil
	case known.seenOtherwise(l, c):
		return l.twice(known.sighting, "company %q", c.ID)
	case known.organization.id != c.Organization:
		return conflict("company %q belongs to organization %q and cannot move to another", c.ID, known.organization.id)
	}
	return nil
}

func (c Company) enter(l *ledger, at sighting) {
	known := named(l.companies, c.ID)
	*known = companyEntry{at, l.number(known.ordinal), strings.Clone(c.ID), l.organizations[c.Organization]}
}
