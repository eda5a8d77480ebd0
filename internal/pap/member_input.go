package pap

import (
	"encoding/json"
	"time"
)

// A NewMember is somebody to be created with a password, without any mail (R40).
type NewMember struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Email    string `json:"email"`
	Profile
	Kind            string          `json:"kind,omitempty"`        // default personal
	Affiliation     string          `json:"affiliation,omitempty"` // default customer
	Role            string          `json:"role"`
	CPNI            bool            `json:"cpni_authorized,omitempty"` // must be said each time (R23)
	Grants          Grants          `json:"grants,omitzero"`
	Preferences     json.RawMessage `json:"preferences,omitempty"`     // a JSON object
	Acknowledgement string          `json:"acknowledgement,omitempty"` // see R43
}

// A MemberPatch changes what it names. A new address is only asked for: it is
// the member's once it is confirmed there (R78).
type MemberPatch struct {
	Username    *string  `json:"username,omitempty"`
	Email       *string  `json:"email,omitempty"`
	GivenName   *string  `json:"given_name,omitempty"`
	FamilyName  *string  `json:"family_name,omitempty"`
	Phone       *string  `json:"phone,omitempty"`
	Country     *string  `json:"country,omitempty"`
	Address     *Address `json:"address,omitempty"` // the whole of it
	Kind        *string  `json:"kind,omitempty"`
	Affiliation *string  `json:"affiliation,omitempty"`
}

// A GrantPatch adds and removes grants: what is there stays, what is not is not
// missed. Removing a company removes what lies in it (R24); adding an account
// authorizes its company.
type GrantPatch struct {
	Add    Grants `json:"add,omitzero"`
	Remove Grants `json:"remove,omitzero"`
}

// A Restoration says what a removed member comes back with.
type Restoration struct {
	Role   string `json:"role,omitempty"` // default: the one it had
	Grants Grants `json:"grants,omitzero"`
}

// A Removal is a member that was removed, and what went with it.
type Removal struct {
	Member Member `json:"member"`
	Impact Impact `json:"impact"`
}

// An Impact is what a change takes along that it does not name.
type Impact struct {
	Grants      Grants   `json:"grants"`      // that end
	Invitations []string `json:"invitations"` // inv_… that are revoked
	// LastPrimaryContact: the organization has none after this (R4).
	LastPrimaryContact bool `json:"last_primary_contact"`
}

// A Clone is the person who gets what an active member has (R44). Identity and
// CPNI are stated anew and never copied.
type Clone struct {
	Email string `json:"email"`
	Profile
	Kind            string `json:"kind,omitempty"` // default personal
	CPNI            bool   `json:"cpni_authorized,omitempty"`
	Acknowledgement string `json:"acknowledgement,omitempty"`
	TTL             string `json:"ttl,omitempty"`     // see NewInvitation
	Deliver         string `json:"deliver,omitempty"` // email (default), return_link or none
	// Strict refuses a clone that would lack something.
	Strict bool `json:"strict,omitempty"`
}

// A Cloned is the member in waiting, its invitation, and what the cloner could
// not pass on.
type Cloned struct {
	Member     Member     `json:"member"`
	Invitation Invitation `json:"invitation"`
	Link       string     `json:"link,omitempty"` // with deliver return_link
	Omitted    []Omitted  `json:"omitted"`
}

// An Omitted is one thing that was not copied, and the reason of the refusal
// that it would have met.
type Omitted struct {
	Kind   string `json:"kind"` // role, company, account, account_group or tool
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// An AccessQuery asks for what a member can reach, its accounts by id order.
type AccessQuery struct {
	Organization string
	Member       string // mem_…; empty: the actor's own
	After        string // id of an account
	Limit        int    // of accounts; 1 to 200
}

// An Access is what a member can reach by decisions now (R57-R60). Somebody who
// is not active reaches nothing.
type Access struct {
	Organization string          `json:"organization"`
	Member       string          `json:"member"`
	State        string          `json:"state"`
	Role         AccessRole      `json:"role"`
	Accounts     []AccessAccount `json:"accounts"`
	// Next is the id to go on after; empty: that was all.
	Next  string      `json:"-"`
	Tools AccessTools `json:"tools"`
	// Redacted says that what lies outside the actor's own scope is left out.
	Redacted bool `json:"redacted"`
}

// An AccessRole is a role with all that it permits, by action (R60).
type AccessRole struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"` // as the organization calls it
	Permissions []string `json:"permissions"`
}

// An AccessAccount is an account that a member can reach.
type AccessAccount struct {
	ID      string `json:"id"`
	Company string `json:"company"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
}

// AccessTools are the product tools of a member (R58).
type AccessTools struct {
	Count int          `json:"count"`
	Items []AccessTool `json:"items"`
}

// An AccessTool is a product tool with the accounts it shows (R59). A Primary
// Contact's tool shows all of the organization's.
type AccessTool struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	AllAccounts bool       `json:"all_accounts"`
	Accounts    []string   `json:"accounts"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
}
