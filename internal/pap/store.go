package pap

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// A Store keeps what a PAP changes. It is the directory's own store.
type Store interface {
	// Change runs fn once in one transaction and returns the revision it made,
	// or the current one if it changed nothing. When fn fails nothing is kept
	// and its error comes back unchanged. While fn runs nobody else writes, so
	// what it reads stays true.
	Change(ctx context.Context, fn func(Tx) error) (authz.Revision, error)
	// Look runs fn on one unchanging state.
	Look(ctx context.Context, fn func(Reader) error) error
}

// A Reader reads one state. What is not there is an error of kind
// authz.ErrNotFound; lists are empty instead. Within a change it sees what the
// change has written so far.
type Reader interface {
	Revision() authz.Revision
	// Documents are the grant documents and places of keys, as decisions see
	// them; a key the directory does not know has the zero Document.
	Documents(keys []authz.Key) ([]authz.Document, error)

	Organization(id string) (directory.Organization, error)
	// Changed is the revision of the last change to an organization or account
	// group: what its ETag says. Within a change it is the one being made for
	// what was written so far.
	Changed(authz.Key) (authz.Revision, error)
	// SeatsUsed counts living and waiting memberships, account teams left out (R7).
	SeatsUsed(organization string) (int, error)
	Organizations(after string, limit int) ([]directory.Organization, error)
	Company(id string) (directory.Company, error)
	Companies(organization, after string, limit int) ([]directory.Company, error)
	Account(id string) (directory.Account, error)
	Accounts(q AccountQuery) ([]directory.Account, error)
	AccountGroup(id string) (directory.AccountGroup, error)
	AccountGroups(organization, after string, limit int) ([]directory.AccountGroup, error)
	// RolesHolding are the roles of the living and waiting memberships that hold
	// an account group, in order.
	RolesHolding(accountGroup string) ([]string, error)
	// EnclosedCompanies are the companies, beside its own, of accounts that lie in
	// a contract or delivery account.
	EnclosedCompanies(account string) ([]string, error)
	// HoldersOutside counts the memberships that were granted the account, also
	// for a tool, without being authorized for the company: while there are any,
	// the account cannot move there (R24).
	HoldersOutside(account, company string) (int, error)
	Tools() ([]Tool, error)
	Roles() ([]directory.Role, error)

	// Member reads one membership of the organization, in any state.
	Member(organization, id string) (Member, error)
	Members(q MemberQuery) ([]Member, error)
	// MemberOf is the living or removed membership of a user, if any.
	MemberOf(organization, user string) (Member, error)
	// PrimaryContacts counts active memberships with that role.
	PrimaryContacts(organization string) (int, error)

	Person(id string) (Person, error)
	PersonByEmail(emailKey string) (Person, error)
	PersonByUsername(username string) (Person, error)
	// UsernameTaken says whether a username is or was anybody's, temporary
	// ones included (R33, R78).
	UsernameTaken(username string) (bool, error)
	// UsernameOf is the user (usr_…) that a username is or was of, who may have
	// it again; "" for a temporary one.
	UsernameOf(username string) (string, error)

	// Invitation reads one of the organization; an empty organization means any.
	Invitation(organization, id string) (Invitation, error)
	Invitations(q InvitationQuery) ([]Invitation, error)
	// OpenInvitations counts those pending that have not expired by now.
	OpenInvitations(organization string, now time.Time) (int, error)
	// Sent counts the mails that were to go to an address, and the invitations
	// that an actor and an organization made, since then.
	Sent(since time.Time, emailKey, inviter, organization string) (Counts, error)

	Credential(user string) (Credential, error)
	Reset(user string) (Reset, error)
	EmailChange(user string) (EmailChange, error)
	// EmailChangesDue are confirmed ones whose hold has passed by now, the oldest
	// first.
	EmailChangesDue(now time.Time, limit int) ([]EmailChange, error)

	// LastEvent is the end of an organization's chain; the zero Event begins it.
	LastEvent(organization string) (Event, error)
	Events(q EventQuery) ([]Event, error)

	Webhook(id string) (Webhook, error)
	Webhooks(organization string) ([]Webhook, error)
	Messages(q MessageQuery) ([]Message, error)
	Message(id string) (Message, error)

	Token(id string) (Token, error)
	Tokens() ([]Token, error)

	Replay(principal, route, key string) (Replay, error)
}

// A Tx is one change. The directory's Put… are those of an import, and put
// organizations, companies, accounts, account groups, tools and roles.
type Tx interface {
	Reader
	directory.Tx

	// PutMember writes a membership, but neither its grants nor its person. The
	// store sets Revision, keeps the count of seats, and says whose document
	// changed.
	PutMember(Member) error
	// SetGrants makes a membership's grants exactly these; granted says what
	// those that are new were granted by: operator or user. A grant that stays
	// keeps who granted it.
	SetGrants(member string, g Grants, granted string) error
	PutPerson(Person) error
	// Purge takes what is personal from a removed membership and, when it was
	// the last, from its user: names, addresses, preferences. Ids stay.
	Purge(member string) error

	// To delete what is still referred to is of kind authz.ErrConflict, at once
	// and not first at the end of the change.
	DeleteCompany(id string) error
	DeleteAccount(id string) error
	DeleteAccountGroup(id string) error
	DeleteRole(id string) error
	// SetRecommendations says for which products a tool is recommended (R28).
	SetRecommendations(tool string, products []string) error

	PutInvitation(Invitation) error
	PutCredential(Credential) error
	PutReset(Reset) error
	PutEmailChange(EmailChange) error
	PutEvent(Event) error
	PutMessage(Message) error
	PutWebhook(Webhook) error
	DeleteWebhook(id string) error
	PutToken(Token) error
	PutReplay(Replay) error
}

// A Tool is a product tool, and the products it is recommended for (R28).
type Tool struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	Restricted     bool     `json:"restricted"`
	RecommendedFor []string `json:"recommended_for"`
}

// An AccountQuery asks for accounts by id order. Empty fields ask for all.
type AccountQuery struct {
	Organization, Company, Kind string
	Within                      string // a contract or delivery account that they lie in (R36)
	After                       string // id
	Limit                       int
}

// A MemberQuery asks for members of an organization, newest first. Empty fields
// ask for all, except that removed and superseded ones are shown only when asked
// for.
type MemberQuery struct {
	Organization                         string
	State, Role, Affiliation, Kind       string
	Company, Account, AccountGroup, Tool string // granted, directly
	MFA                                  *bool
	Text                                 string // in the name, username, temporary username or address
	TemporaryUsername                    string
	ShowRemoved                          bool
	Page
}

// An InvitationQuery asks for invitations of an organization, newest first.
// State may be expired, as of Now.
type InvitationQuery struct {
	Organization, State, EmailKey string
	Now                           time.Time
	Page
}

// Counts are how many mails and invitations there were.
type Counts struct{ Recipient, Inviter, Organization int }

// An EventQuery asks for audit rows by sequence, oldest first unless Newest.
type EventQuery struct {
	Organization        string
	Type, Actor, Target string
	Since, Until        time.Time
	Newest              bool
	After               int64 // sequence; 0: from the beginning (or the end)
	Limit               int
}

// A MessageQuery asks for outbox rows, newest first. A Recipient is asked for
// in all organizations when none is named.
type MessageQuery struct {
	Organization, Channel, Recipient, State string // state: waiting, delivered or failed
	Page
}
