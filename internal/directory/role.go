package directory

// The roles that a rule of the directory names.
const (
	RolePrimaryContact = "primary_contact"
	RoleAdministrator  = "administrator"
	RoleOperator       = "operator"
)

// BuiltinRoles are the roles of a new directory: the six of the portal and that
// of the operator's own staff. An operator may add others and rename these.
func BuiltinRoles() []Role {
	return []Role{
		{ID: RoleAdministrator, Name: "Administrator"},
		{ID: RoleOperator, Name: "Operator", OperatorOnly: true},
		{ID: RolePrimaryContact, Name: "Primary Contact", OperatorOnly: true},
		{ID: "read_only", Name: "Read-Only"},
		{ID: "regular", Name: "Regular"},
		{ID: "sales", Name: "Sales", PartnerOnly: true},
		{ID: "support", Name: "Support"},
	}
}

// Validate says what is wrong with the record by itself. Who may be Primary
// Contact and operator is no setting: those two stay operator-only (R3).
func (r Role) Validate() error {
	return first(checkKey("id", r.ID), checkText("name", r.Name), r.checkOperatorOnly())
}

func (r Role) checkOperatorOnly() error {
	if (r.ID == RolePrimaryContact || r.ID == RoleOperator) && !r.OperatorOnly {
		return invalid("role %s is always operator_only; add \"operator_only\":true", r.ID)
	}
	return nil
}

func decodeRole(m *members) record {
	return Role{
		ID:           m.text("id"),
		Name:         m.text("name"),
		PartnerOnly:  m.flag("partner_only"),
		OperatorOnly: m.flag("operator_only"),
	}
}

func (r Role) append(b []byte) []byte {
	l := startLine(b, "role")
	l.text("id", r.ID)
	l.text("name", r.Name)
	l.flag("partner_only", r.PartnerOnly)
	l.flag("operator_only", r.OperatorOnly)
	return l.end()
}

func (r Role) put(tx Tx) error { return tx.PutRole(r) }

type roleEntry struct {
	sighting
	partnerOnly, operatorOnly bool
}

func (r Role) check(l *ledger) error {
	if known := l.roles[r.ID]; known != nil && known.seenOtherwise(l, r) {
		return l.twice(known.sighting, "role %q", r.ID)
	}
	return nil
}

func (r Role) enter(l *ledger, at sighting) {
	*named(l.roles, r.ID) = roleEntry{at, r.PartnerOnly, r.OperatorOnly}
}
