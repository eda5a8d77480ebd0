package directory

import "github.com/postern-authz/postern/internal/authz"

// A record is one line of the import format. Each kind of record keeps in its
// own file what it is, what is right about it, how it is written and read.
type record interface {
	// Validate says what is wrong with the record by itself.
	Validate() error
	// check says what is wrong with it in this directory.
	check(*ledger) error
	// enter adds it to what the directory holds, once check has passed.
	enter(*ledger, sighting)
	put(Tx) error
	// append writes it as a line of NDJSON: members in a fixed order, empty
	// ones left out.
	append([]byte) []byte
}

// A recordType is one of the nine types of record.
type recordType struct {
	name   string // as the member "type" says it
	plural string // as a file is named
	decode func(*members) record
}

// recordTypes are the types in the order of dependency: each refers only to
// those before it, and accounts and grants to others of their own type.
func recordTypes() []recordType {
	return []recordType{
		{"organization", "organizations", decodeOrganization},
		{"company", "companies", decodeCompany},
		{"account", "accounts", decodeAccount},
		{"account_group", "account_groups", decodeAccountGroup},
		{"tool", "tools", decodeTool},
		{"role", "roles", decodeRole},
		{"user", "users", decodeUser},
		{"membership", "memberships", decodeMembership},
		{"grant", "grants", decodeGrant},
	}
}

// name is how a record is spoken of where one that refers to it says "type key".
func name(r record) string {
	switch r := r.(type) {
	case Organization:
		return "organization " + r.ID
	case Company:
		return "company " + r.ID
	case Account:
		return "account " + r.ID
	case AccountGroup:
		return "account_group " + r.ID
	case Tool:
		return "tool " + r.ID
	case Role:
		return "role " + r.ID
	case User:
		return "user " + authz.LoginKey(r.Username).ID
	case Membership:
		return "membership " + r.Organization + " " + authz.LoginKey(r.User).ID
	}
	return "grant" // nothing refers to a grant by name
}
