// Package directory knows the rules of the portal's users, accounts and grants:
// what a record must be to enter the directory. Store implementations keep what
// it says and never judge.
package directory

import (
	"context"
	"encoding/json"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// An Organization is a customer, a partner who resells, or the operator itself.
type Organization struct {
	ID        string
	Kind      string // customer, partner or operator; never changes
	Name      string
	SeatLimit int             // 0: no limit
	Settings  json.RawMessage // a JSON object, or nil for none
}

// A Company is a part of an organization that owns accounts.
type Company struct {
	ID, Organization, Name string
}

// An Account is what services are ordered, delivered and billed under. An
// account of kind service or billing may lie in a contract account and a
// delivery account of its organization (R36).
type Account struct {
	ID, Company        string
	Kind               string // contract, delivery, billing or service
	Name               string
	Contract, Delivery string // account ids, or empty
}

// An AccountGroup is a named set of accounts of one organization (R27). Its
// members change without anything being granted again.
type AccountGroup struct {
	ID, Organization string
	Kind             string // service_group, customer_group_identifier or emedia_configuration
	Name             string
	Accounts         []string // sorted, without duplicates
}

// A Tool is a product tool (R29-R31).
type Tool struct {
	ID, Name   string
	Restricted bool // only the operator grants it
}

// A Role is what a membership can be. The six built-in ones and the operator's
// are there from the first migration; what a role may do is the policy's.
type Role struct {
	ID, Name     string
	PartnerOnly  bool // only in partner organizations (R16)
	OperatorOnly bool // only the operator assigns it (R3)
}

// A User is a login identity.
type User struct {
	ID        string // usr_…; empty: the store finds it by Username or makes one
	Kind      string // personal or group (R37)
	Username  string // unique; how a login asks
	Email     string
	GivenName string
	// FamilyName, Phone and Country are as the profile shows them.
	FamilyName, Phone, Country string
	MFA                        bool // has a second factor, as the identity source reports (R84)
	Removed                    bool
}

// A Membership is a user in one organization, or an invitation to be one.
type Membership struct {
	ID           string // mem_…; empty: the store finds it by Organization and User or makes one
	Organization string
	User         string // the username; for state invited, the temporary username (R33)
	Email        string // for state invited: who was invited
	Role         string
	Affiliation  string // customer, end_customer or account_team
	State        string // invited, active, suspended or removed
	CPNI         bool
	// AssignedBy says who gave the role: operator, user, scim or system. Only
	// operator and system may give an operator-only role.
	AssignedBy string
}

// A GrantRecord gives a membership one thing, or takes it away. Exactly one of
// Company, Account, AccountGroup and Tool is set, except that Tool with Account
// puts the account on the tool's own list (R31).
type GrantRecord struct {
	Organization, User string // the membership
	Company            string // authorizes the company (R24)
	AllAccounts        bool   // with Company: all its accounts, also later ones (R26)
	Account            string
	AccountGroup       string
	Tool               string
	Expires            time.Time // zero: never; not for companies and account groups
	GrantedBy          string    // operator, user, scim, request or system
	Revoked            bool
}

// A Store keeps the directory.
type Store interface {
	// Update runs fn once, in one transaction, and returns the revision it made,
	// or the current one if it changed nothing. When fn fails nothing is kept
	// and its error comes back unchanged. It is the only way to write: the
	// revision and the change log cannot be forgotten. While fn runs nobody else
	// writes, and a View within it shows the state before it.
	Update(ctx context.Context, fn func(Tx) error) (authz.Revision, error)
	// View runs fn on one unchanging state of the directory.
	View(ctx context.Context, fn func(Reader) error) error
}

// A Tx is one change to the directory. Each Put inserts the record, or replaces
// the one with the same key; putting what is already there changes nothing. A
// Put may be kept back and written later in the transaction, so what SQL
// refuses may be reported by a later call or by Update itself: errors of kind
// authz.ErrConflict.
type Tx interface {
	PutOrganization(Organization) error
	PutCompany(Company) error
	PutAccount(Account) error
	PutAccountGroup(AccountGroup) error
	PutTool(Tool) error
	PutRole(Role) error
	PutUser(User) error
	PutMembership(Membership) error
	PutGrant(GrantRecord) error
}

// A Reader reads one state of the directory, every kind in the order of its
// key. A function that returns an error ends the reading with that error.
type Reader interface {
	Organizations(func(Organization) error) error
	Companies(func(Company) error) error
	Accounts(func(Account) error) error
	AccountGroups(func(AccountGroup) error) error
	Tools(func(Tool) error) error
	Roles(func(Role) error) error
	Users(func(User) error) error             // by username
	Memberships(func(Membership) error) error // by organization, then user
	Grants(func(GrantRecord) error) error     // by organization, user, then what is granted
}
