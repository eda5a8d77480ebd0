package directory

import (
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Validate says what is wrong with the record by itself.
func (g GrantRecord) Validate() error {
	return first(
		checkKey("organization", g.Organization),
		CheckUsername(g.User),
		checkOptionalKey("company", g.Company),
		checkOptionalKey("account", g.Account),
		checkOptionalKey("account_group", g.AccountGroup),
		checkOptionalKey("tool", g.Tool),
		g.checkThing(),
		g.checkTerms(),
		checkOneOf("granted_by", g.GrantedBy, ByOperator, ByUser, BySCIM, ByRequest, BySystem),
	)
}

// checkThing: one grant gives one thing.
func (g GrantRecord) checkThing() error {
	things := count(g.Company != "") + count(g.AccountGroup != "") + count(g.Account != "" || g.Tool != "")
	if things != 1 {
		return invalid("a grant gives exactly one of company, account, account_group and tool, or account and tool together; this one gives %d", things)
	}
	return nil
}

func (g GrantRecord) checkTerms() error {
	expires := !g.Expires.IsZero()
	switch {
	case g.AllAccounts && g.Company == "":
		return invalid("all_accounts goes with company only")
	case g.Revoked && (g.AllAccounts || expires):
		return invalid("a revoked grant has neither all_accounts nor expires")
	case expires && (g.Company != "" || g.AccountGroup != ""):
		return invalid("companies and account groups are granted without expires")
	case expires && g.Tool != "" && g.Account != "":
		return invalid("an account of a tool's list has no expires of its own; it ends with the tool")
	case expires && g.Expires != g.Expires.Truncate(time.Millisecond):
		return invalid("expires is kept to the millisecond")
	case expires && (g.Expires.Unix() <= 0 || g.Expires.Year() > 9999):
		return invalid("expires is not between the years 1970 and 9999")
	}
	return nil
}

func decodeGrant(m *members) record {
	return GrantRecord{
		Organization: m.text("organization"),
		User:         m.text("user"),
		Company:      m.text("company"),
		AllAccounts:  m.flag("all_accounts"),
		Account:      m.text("account"),
		AccountGroup: m.text("account_group"),
		Tool:         m.text("tool"),
		Expires:      m.time("expires"),
		GrantedBy:    m.textOr("granted_by", BySystem),
		Revoked:      m.flag("revoked"),
	}
}

func (g GrantRecord) append(b []byte) []byte {
	l := startLine(b, "grant")
	l.text("organization", g.Organization)
	l.text("user", g.User)
	l.text("company", g.Company)
	l.flag("all_accounts", g.AllAccounts)
	l.text("account_group", g.AccountGroup)
	l.text("tool", g.Tool)
	l.text("account", g.Account)
	l.time("expires", g.Expires)
	l.text("granted_by", g.GrantedBy)
	l.flag("revoked", g.Revoked)
	return l.end()
}

func (g GrantRecord) put(tx Tx) error { return tx.PutGrant(g) }

// A grantKey is what a membership is granted, by ordinals: 20 bytes each, for
// a million grants are ordinary.
type grantKey struct{ member, company, account, accountGroup, tool ordinal }

// A grantEntry is a grant of a company or tool that stands, or any grant that
// this import has seen.
type grantEntry struct {
	sighting
	revoked bool
}

// subjects are what a grant refers to; what it does not name is nil.
type subjects struct {
	member       *memberEntry
	company      *companyEntry
	account      *accountEntry
	accountGroup *accountGroupEntry
	tool         *toolEntry
}

func (s subjects) key() grantKey {
	key := grantKey{member: s.member.ordinal}
	switch {
	case s.company != nil:
		key.company = s.company.ordinal
	case s.accountGroup != nil:
		key.accountGroup = s.accountGroup.ordinal
	}
	if s.account != nil {
		key.account = s.account.ordinal
	}
	if s.tool != nil {
		key.tool = s.tool.ordinal
	}
	return key
}

func (g GrantRecord) subjects(l *ledger) subjects {
	member := memberKey{l.organizations[g.Organization], l.names[authz.LoginKey(g.User).ID]}
	return subjects{
		member:       l.memberships[member],
		company:      l.companies[g.Company],
		account:      l.accounts[g.Account],
		accountGroup: l.accountGroups[g.AccountGroup],
		tool:         l.tools[g.Tool],
	}
}

func (g GrantRecord) check(l *ledger) error {
	s := g.subjects(l)
	if err := g.checkFound(l, s); err != nil {
		return err
	}
	known, ok := l.grants[s.key()]
	switch {
	case ok && known.seenOtherwise(l, g):
		return l.twice(known.sighting, "grant")
	case g.Revoked:
		return l.checkUnused(s)
	case g.Tool != "" && g.Account == "" && s.tool.restricted && g.GrantedBy != ByOperator:
		return conflict("tool %q is restricted: only the operator grants it, and granted_by is %s (R29)", g.Tool, g.GrantedBy)
	}
	return g.checkAllowed(l, s)
}

func (g GrantRecord) checkFound(l *ledger, s subjects) error {
	switch {
	case l.organizations[g.Organization] == nil:
		return l.missing("organization", g.Organization)
	case s.member == nil:
		return l.missingMembership(g.User, g.Organization)
	case g.Company != "" && s.company == nil:
		return l.missing("company", g.Company)
	case g.Account != "" && s.account == nil:
		return l.missing("account", g.Account)
	case g.AccountGroup != "" && s.accountGroup == nil:
		return l.missing("account_group", g.AccountGroup)
	case g.Tool != "" && s.tool == nil:
		return l.missing("tool", g.Tool)
	}
	return g.checkOrganization(s)
}

// checkOrganization: nothing of another organization is granted.
func (g GrantRecord) checkOrganization(s subjects) error {
	own := s.member.key.organization
	switch {
	case s.company != nil && s.company.organization != own:
		return conflict("company %q belongs to organization %q, and the membership to %q", g.Company, s.company.organization.id, g.Organization)
	case s.account != nil && s.account.company.organization != own:
		return conflict("account %q belongs to organization %q, and the membership to %q", g.Account, s.account.company.organization.id, g.Organization)
	case s.accountGroup != nil && s.accountGroup.organization != own:
		return conflict("account group %q belongs to organization %q, and the membership to %q", g.AccountGroup, s.accountGroup.organization.id, g.Organization)
	}
	return nil
}

// checkAllowed: accounts are granted inside authorized companies (R24), and an
// account joins the list of a tool that the membership holds (R31).
func (g GrantRecord) checkAllowed(l *ledger, s subjects) error {
	if s.account == nil {
		return nil
	}
	if s.tool != nil && !l.stands(grantKey{member: s.member.ordinal, tool: s.tool.ordinal}) {
		return conflict("%q in organization %q does not hold tool %q; grant the tool above this line", g.User, g.Organization, g.Tool)
	}
	company := s.account.company
	if !l.stands(grantKey{member: s.member.ordinal, company: company.ordinal}) {
		return conflict("%q in organization %q is not authorized for company %q of account %q; grant the company above this line (R24)", g.User, g.Organization, company.id, g.Account)
	}
	return nil
}

// checkUnused: taking away a company or tool takes its accounts along. What
// this import granted above would be lost again, and not come back when it is
// imported a second time.
func (l *ledger) checkUnused(s subjects) error {
	if by, ok := l.used[s.key()]; ok && s.account == nil {
		return conflict("this revokes what the grant at %s rests on; leave one of them out", l.place(by))
	}
	return nil
}

func (g GrantRecord) enter(l *ledger, at sighting) {
	s := g.subjects(l)
	l.grants[s.key()] = grantEntry{at, g.Revoked}
	if s.account == nil || g.Revoked {
		return
	}
	l.use(grantKey{member: s.member.ordinal, company: s.account.company.ordinal}, at)
	if s.tool != nil {
		l.use(grantKey{member: s.member.ordinal, tool: s.tool.ordinal}, at)
	}
}
