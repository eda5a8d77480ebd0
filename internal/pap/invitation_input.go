package pap

import (
	"encoding/json"
	"time"
)

// A NewInvitation is an offer to be made: who, and everything that the person
// has once it accepts (R21, R46).
type NewInvitation struct {
	Email string `json:"email"`
	Profile
	Kind            string          `json:"kind,omitempty"`        // default personal
	Affiliation     string          `json:"affiliation,omitempty"` // default customer
	Role            string          `json:"role"`
	CPNI            bool            `json:"cpni_authorized,omitempty"` // must be said each time (R23)
	Grants          Grants          `json:"grants,omitzero"`
	Preferences     json.RawMessage `json:"preferences,omitempty"`     // a JSON object
	Acknowledgement string          `json:"acknowledgement,omitempty"` // see R43
	TTL             string          `json:"ttl,omitempty"`             // Go duration from 1h to 720h; default: the organization's
	Deliver         string          `json:"deliver,omitempty"`         // email (default), return_link or none
}

// How the link of an invitation gets to the invited.
const (
	DeliverEmail      = "email"       // by mail from here
	DeliverReturnLink = "return_link" // the answer has it, and whoever asked passes it on
	DeliverNone       = "none"        // not yet: by a later resend
)

// What became of the mail of an invitation; DeliveryFailed is the fourth.
const (
	DeliveryNone   = "none"
	DeliveryQueued = "queued"
	DeliverySent   = "sent"
)

// States of an invitation.
const (
	InvitationPending    = "pending"
	InvitationAccepted   = "accepted"
	InvitationExpired    = "expired" // never kept
	InvitationRevoked    = "revoked"
	InvitationSuperseded = "superseded"
)

// Invited is an invitation with the member in waiting.
type Invited struct {
	Invitation Invitation `json:"invitation"`
	Member     Member     `json:"member"`
	Link       string     `json:"link,omitempty"` // with deliver return_link
}

// MaxBatch is how many invitations may be made in one request (R42).
const MaxBatch = 100

// An InviteResult is what became of one item of a batch: created, with what was
// made, or refused, with why.
type InviteResult struct {
	Index   int    `json:"index"`
	Outcome string `json:"outcome"` // OutcomeCreated or OutcomeRefused
	*Invited
	Reason     string  `json:"reason,omitempty"`
	Detail     string  `json:"detail,omitempty"`
	Errors     []Field `json:"errors,omitempty"`
	Decision   string  `json:"decision_id,omitempty"` // that forbade
	RetryAfter int     `json:"retry_after,omitempty"` // seconds
}

// An InvitationPatch changes what it names of an invitation that nobody has
// accepted. The address is what it was made to and stays.
type InvitationPatch struct {
	Role        *string         `json:"role,omitempty"`
	Affiliation *string         `json:"affiliation,omitempty"`
	CPNI        *bool           `json:"cpni_authorized,omitempty"`
	Grants      *Grants         `json:"grants,omitempty"` // all of them
	GivenName   *string         `json:"given_name,omitempty"`
	FamilyName  *string         `json:"family_name,omitempty"`
	Phone       *string         `json:"phone,omitempty"`
	Country     *string         `json:"country,omitempty"`
	Address     *Address        `json:"address,omitempty"`     // the whole of it
	Preferences json.RawMessage `json:"preferences,omitempty"` // the whole object
}

// A Preview is what somebody with a link may know before accepting (C7). It does
// not say whether the address is anybody's.
type Preview struct {
	Organization string    `json:"organization"` // its name
	Inviter      string    `json:"inviter,omitempty"`
	Email        string    `json:"email"` // masked
	ExpiresAt    time.Time `json:"expires_at"`
}

// An Acceptance is what a person who is new here says of itself. Somebody who
// has an account signs in and says nothing: nothing here changes an account.
type Acceptance struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"` // where credentials are kept here
	Profile
}

// Accepted is the member that an invitation led to.
type Accepted struct {
	User   string `json:"user"` // usr_…
	Member Member `json:"member"`
}
