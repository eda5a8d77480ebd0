package pap

import (
	"encoding/json"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Prefixes of the ids that are made here.
const (
	PrefixInvitation = "inv_"
	PrefixEvent      = "evt_"
	PrefixMessage    = "msg_"
	PrefixWebhook    = "whk_"
)

// StateSuperseded is the state of a membership in waiting in whose place another
// was accepted, and of an invitation likewise (R54).
const StateSuperseded = "superseded"

// A Member is a user in one organization, or somebody invited to be one.
type Member struct {
	ID           string `json:"id"` // mem_…
	Organization string `json:"organization"`
	User         string `json:"user,omitempty"` // usr_…; empty until an invitation is accepted
	Kind         string `json:"kind"`           // personal or group (R37)
	Username     string `json:"username,omitempty"`
	// TemporaryUsername tracks an invitation and never signs in (R33).
	TemporaryUsername string `json:"temporary_username,omitempty"`
	Email             string `json:"email,omitempty"`
	Profile
	Role        string `json:"role"`
	RoleName    string `json:"role_name"`   // as the organization calls it
	Affiliation string `json:"affiliation"` // customer, end_customer or account_team
	State       string `json:"state"`       // invited, active, suspended, removed or superseded
	// CanSignIn: the user is linked and active (R83).
	CanSignIn   bool            `json:"can_sign_in"`
	CPNI        bool            `json:"cpni_authorized"`
	MFA         MFA             `json:"mfa"`
	Grants      Grants          `json:"grants"`
	Preferences json.RawMessage `json:"preferences"` // a JSON object
	Invitation  string          `json:"invitation,omitempty"`
	CreatedAt   time.Time       `json:"created_at"`
	ActivatedAt *time.Time      `json:"activated_at,omitempty"`
	SuspendedAt *time.Time      `json:"suspended_at,omitempty"`
	RemovedAt   *time.Time      `json:"removed_at,omitempty"`
	PurgeAt     *time.Time      `json:"purge_at,omitempty"`
	// Redacted says that grants outside the actor's own scope are left out.
	Redacted bool           `json:"redacted"`
	Revision authz.Revision `json:"revision"` // of the last change to any of this; its ETag
	// Impact is what a change took along; only in the answer to it.
	Impact *Impact `json:"impact,omitempty"`

	RoleAssignedBy string     `json:"-"` // operator, user or system
	PurgedAt       *time.Time `json:"-"`
}

// A Profile is who a person is to people.
type Profile struct {
	GivenName  string   `json:"given_name,omitempty"`
	FamilyName string   `json:"family_name,omitempty"`
	Phone      string   `json:"phone,omitempty"`
	Country    string   `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Address    *Address `json:"address,omitempty"`
}

// An Address is where a person gets post.
type Address struct {
	Street     string `json:"street,omitempty"`
	City       string `json:"city,omitempty"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
}

// MFA is whether a user has a second factor, as the identity source said (R84).
type MFA struct {
	Enrolled bool `json:"enrolled"`
}

// Grants are what a membership was given beside its role. Lists are sorted by id
// and hold nothing twice.
type Grants struct {
	Companies     []CompanyGrant `json:"companies"`
	Accounts      []AccountGrant `json:"accounts"`
	AccountGroups []string       `json:"account_groups"`
	Tools         []ToolGrant    `json:"tools"`
}

// A CompanyGrant authorizes a company (R24), with or without all its accounts
// (R26).
type CompanyGrant struct {
	ID          string `json:"id"`
	AllAccounts bool   `json:"all_accounts"`
}

// An AccountGrant gives one account (R25).
type AccountGrant struct {
	ID        string     `json:"id"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// A ToolGrant gives a product tool with its own list of accounts, which is empty
// at first (R30, R31).
type ToolGrant struct {
	ID        string     `json:"id"`
	Accounts  []string   `json:"accounts"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// A Person is a login identity, whatever organizations it belongs to.
type Person struct {
	ID       string // usr_…
	Kind     string // personal or group
	Username string
	Email    string
	Profile
	EmailVerifiedAt *time.Time
	MFA             bool
	Removed         bool
	Revision        authz.Revision
	Memberships     []MembershipRef // living and removed ones, for who asks whose it is
}

// A MembershipRef names one membership of a person.
type MembershipRef struct{ ID, Organization, State string }

// An Invitation is an offer of a membership, made to an address.
type Invitation struct {
	ID           string `json:"id"` // inv_…
	Organization string `json:"organization"`
	Member       string `json:"member"` // mem_…: the membership in waiting
	Email        string `json:"email"`
	// State is pending, accepted, expired, revoked or superseded. Expired is
	// never kept: it is pending and past ExpiresAt.
	State string `json:"state"`
	// SignupCompleted: this very invitation was accepted (R53).
	SignupCompleted bool `json:"signup_completed"`
	// UserCreated: the address is a member of the organization, however it
	// came (R55).
	UserCreated bool           `json:"user_created"`
	Role        string         `json:"role"`
	Grants      Grants         `json:"grants"`
	Inviter     Actor          `json:"inviter"`
	SendCount   int            `json:"send_count"`
	LastSentAt  *time.Time     `json:"last_sent_at,omitempty"`
	ExpiresAt   time.Time      `json:"expires_at"`
	CreatedAt   time.Time      `json:"created_at"`
	AcceptedAt  *time.Time     `json:"accepted_at,omitempty"`
	Delivery    Delivery       `json:"delivery"`
	Revision    authz.Revision `json:"revision"`

	EmailKey       string        `json:"-"`
	Generation     int           `json:"-"` // of the link; a resend counts it up
	FailedAttempts int           `json:"-"`
	TTL            time.Duration `json:"-"`
	AcceptedUser   string        `json:"-"`
	Deliver        string        `json:"-"` // email, return_link or none
}

// Delivery is what became of the mail of an invitation.
type Delivery struct {
	State        string `json:"state"` // none, queued, sent or failed
	FailedReason string `json:"failed_reason,omitempty"`
}

// An Actor is who did something, as the audit trail keeps it.
type Actor struct {
	ID   string `json:"id"`   // usr_… or the id of a key or token
	Kind string `json:"kind"` // user, operator, operator_key, service_token, link or system
	// Via is the credential that a portal acted for its user with.
	Via            string `json:"via,omitempty"`
	IP             string `json:"ip,omitempty"`
	SharedIdentity bool   `json:"shared_identity,omitempty"` // the user is of kind group (R37)
}

// An Event is one row of the audit trail. Each organization has a chain of its
// own; what belongs to none is in the chain of organization "".
type Event struct {
	ID           string          `json:"id"` // evt_…
	Organization string          `json:"organization"`
	Sequence     int64           `json:"sequence"` // 1, 2, 3, … within the organization
	Revision     authz.Revision  `json:"revision"`
	At           time.Time       `json:"at"` // milliseconds
	Actor        Actor           `json:"actor"`
	Type         string          `json:"type"`             // such as member.created
	Target       string          `json:"target"`           // id of what changed
	Before       json.RawMessage `json:"before,omitempty"` // changed members only
	After        json.RawMessage `json:"after,omitempty"`
	Decision     string          `json:"decision_id,omitempty"`
	RequestID    string          `json:"request_id,omitempty"`
	// Acknowledgement is what the inviter agreed to (R43).
	Acknowledgement string `json:"acknowledgement,omitempty"`
	PreviousHash    []byte `json:"previous_hash"` // of the row before; empty in the first
	Hash            []byte `json:"hash"`          // see Seal
}

// A Message waits in the outbox to be delivered, at least once. Its payload
// holds no secret: links and signatures are made when it leaves.
type Message struct {
	ID           string // msg_…; the same at every attempt
	Organization string
	Revision     authz.Revision
	Channel      string // mail or webhook
	Type         string // of a mail: its template, of a webhook: the event's type
	Recipient    string // of a mail: the address; of a webhook: whk_…
	Payload      json.RawMessage
	CreatedAt    time.Time
	AvailableAt  time.Time // not before
	Attempts     int
	LockedUntil  *time.Time
	DeliveredAt  *time.Time
	FailedAt     *time.Time // given up
	LastError    string
	Traceparent  string // of the request that caused it (W3C Trace Context); empty: it belongs to no trace
}

// A Webhook is where a portal wants to hear of events.
type Webhook struct {
	ID           string   `json:"id"`           // whk_…
	Organization string   `json:"organization"` // "": of all
	URL          string   `json:"url"`
	Events       []string `json:"events"` // types or prefixes that end in ".*"; empty: all
	State        string   `json:"state"`  // enabled or disabled
	// Generation of the secret, which is derived and never kept. Until
	// PreviousUntil the one before signs too.
	Generation    int            `json:"-"`
	PreviousUntil *time.Time     `json:"-"`
	CreatedAt     time.Time      `json:"created_at"`
	Revision      authz.Revision `json:"revision"`
}

// A Token is what is kept of an operator key or service token.
type Token struct {
	ID            string        `json:"id"` // public part
	Name          string        `json:"name"`
	Kind          PrincipalKind `json:"kind"` // operator_key or service_token
	Hash          [32]byte      `json:"-"`    // SHA-256 of the whole secret
	Scopes        []Scope       `json:"scopes"`
	Organizations []string      `json:"organizations"` // that it is bound to; empty: to none in particular
	CreatedAt     time.Time     `json:"created_at"`
	ExpiresAt     time.Time     `json:"expires_at,omitzero"` // zero: never
	RevokedAt     time.Time     `json:"revoked_at,omitzero"` // zero: not
}

// A Credential is a user's own password, as a hash in PHC form.
type Credential struct {
	User  string // usr_…
	Hash  string
	SetAt time.Time
	SetBy string // user or administrator (R41)
	// Failures since the last success, and until when checks are refused.
	Failures    int
	LockedUntil *time.Time
}

// A Reset is a link to set a new password.
type Reset struct {
	User       string
	Generation int
	ExpiresAt  time.Time
	UsedAt     *time.Time
}

// An EmailChange is a new address that waits to be confirmed.
type EmailChange struct {
	User            string
	Email, EmailKey string
	Generation      int
	ExpiresAt       time.Time
	ConfirmedAt     *time.Time
	EffectiveAt     *time.Time // with a hold; the change is done then
}

// A Replay is what a request with an idempotency key came to.
type Replay struct {
	Principal, Route, Key string
	Fingerprint           [32]byte
	Resource              string // id of what it made or changed
	Revision              authz.Revision
	ExpiresAt             time.Time
}
