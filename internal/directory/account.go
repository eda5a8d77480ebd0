package directory

import "strings"

// Validate says what is wrong with the record by itself.
func (a Account) Validate() error {
	return first(
		checkKey("id", a.ID),
		checkKey("company", a.Company),
		checkOneOf("kind", a.Kind, AccountContract, AccountDelivery, AccountBilling, AccountService),
		checkText("name", a.Name),
		checkOptionalKey("contract", a.Contract),
		checkOptionalKey("delivery", a.Delivery),
		a.checkEnds(),
	)
}

// checkEnds: a contract or delivery account is an end itself and lies in no
// other (R36).
func (a Account) checkEnds() error {
	lies := a.Contract != "" || a.Delivery != ""
	if lies && a.Kind != AccountService && a.Kind != AccountBilling {
		return invalid("an account of kind %s lies in no contract or delivery account; leave both out", a.Kind)
	}
	return nil
}

func decodeAccount(m *members) record {
	return Account{
		ID:       m.text("id"),
		Company:  m.text("company"),
		Kind:     m.text("kind"),
		Name:     m.text("name"),
		Contract: m.text("contract"),
		Delivery: m.text("delivery"),
	}
}

func (a Account) append(b []byte) []byte {
	l := startLine(b, "account")
	l.text("id", a.ID)
	l.text("company", a.Company)
	l.text("kind", a.Kind)
	l.text("name", a.Name)
	l.text("contract", a.Contract)
	l.text("delivery", a.Delivery)
	return l.end()
}

func (a Account) put(tx Tx) error { return tx.PutAccount(a) }

type accountEntry struct {
	sighting
	ordinal
	kind    string
	company *companyEntry
}

func (a Account) check(l *ledger) error {
	company := l.companies[a.Company]
	if company == nil {
		return l.missing("company", a.Company)
	}
	return first(
		a.checkKnown(l, company.organization),
		l.checkEnd(a.Contract, AccountContract, company.organization),
		l.checkEnd(a.Delivery, AccountDelivery, company.organization),
	)
}

// checkKnown keeps what others rely on: grants that an account stays in its
// organization, services that it stays of its kind.
func (a Account) checkKnown(l *ledger, organization *organizationEntry) error {
	known := l.accounts[a.ID]
	switch {
	case known == nil:
		return nil
	case known.seenOtherwise(l, a):
		return l.twice(known.sighting, "account %q", a.ID)
	case known.company.organization != organization:
		return conflict("account %q belongs to organization %q and cannot move to another", a.ID, known.company.organization.id)
	case known.kind != a.Kind:
		return conflict("account %q is of kind %s, and its kind never changes", a.ID, known.kind)
	}
	return nil
}

// checkEnd checks the contract or delivery account that an account lies in.
func (l *ledger) checkEnd(id, kind string, organization *organizationEntry) error {
	if id == "" {
		return nil
	}
	end := l.accounts[id]
	switch {
	case end == nil:
		return l.missing("account", id)
	case end.kind != kind:
		return conflict("%s names account %q, which is of kind %s", kind, id, end.kind)
	case end.company.organization != organization:
		return conflict("%s names account %q, which belongs to another organization", kind, id)
	}
	return nil
}

func (a Account) enter(l *ledger, at sighting) {
	known := named(l.accounts, a.ID)
	*known = accountEntry{at, l.number(known.ordinal), strings.Clone(a.Kind), l.companies[a.Company]}
}
