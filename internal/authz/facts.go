package authz

import (
	"strings"
	"time"
)

// A Key names one thing of the directory that facts are read by, and that the
// change log speaks of.
type Key struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

// A Kind is what a Key names.
type Kind string

// The kinds. A login is a user by name: its document says which user it is. A
// user account is what one user was granted on one account.
const (
	KindUser         Kind = "user"
	KindLogin        Kind = "login"
	KindAccount      Kind = "account"
	KindCompany      Kind = "company"
	KindOrganization Kind = "organization"
	KindAccountGroup Kind = "account_group"
	KindTool         Kind = "tool"
	KindUserAccount  Kind = "user_account"
)

// UserAccountKey is the key of what a user was granted on an account. Neither id
// holds a space, so it reads one way only.
func UserAccountKey(user, account string) Key { return Key{KindUserAccount, user + " " + account} }

// UserAccount is the user and the account of a key of kind KindUserAccount, and
// empty for any other.
func (k Key) UserAccount() (user, account string) {
	if k.Kind != KindUserAccount {
		return "", ""
	}
	user, account, _ = strings.Cut(k.ID, " ")
	return user, account
}

// Logged is the key under which the change log says that what k names may have
// changed: what a user was granted on an account changes with the user.
func (k Key) Logged() Key {
	if user, _ := k.UserAccount(); user != "" {
		return Key{KindUser, user}
	}
	return k
}

// LoginKey is the key of a username, and the one rule by which two usernames
// are the same: ASCII letters in either case. Other characters stay as they are,
// because strings.ToLower also turns the Kelvin sign into a k, which would make
// one person of two (CVE-2019-19844).
func LoginKey(username string) Key {
	if strings.IndexFunc(username, upper) < 0 {
		return Key{KindLogin, username}
	}
	b := []byte(username)
	for i, c := range b {
		if upper(rune(c)) {
			b[i] = c + ('a' - 'A')
		}
	}
	return Key{KindLogin, string(b)}
}

func upper(c rune) bool { return 'A' <= c && c <= 'Z' }

// A Document is what the directory knows by one Key. The zero Document is that
// of a key the directory does not know.
type Document struct {
	Login string `json:"login,omitempty"` // the user's id, for KindLogin
	User  *User  `json:"user,omitempty"`  // for KindUser
	// Granted is for KindUserAccount, by organization and tool: what the user's
	// document has of one account, or would have if it were not narrow.
	Granted []Granted `json:"granted,omitempty"`
	Place   *Place    `json:"place,omitempty"` // for every other kind
}

// A User is a login identity with everything it has been granted: the grant
// document. A removed user keeps its document, so that "removed" and "unknown"
// differ.
type User struct {
	ID      string `json:"id"`   // usr_…
	Kind    string `json:"kind"` // personal or group
	Removed bool   `json:"removed,omitempty"`
	MFA     bool   `json:"mfa,omitempty"`
	// Narrow says that there are too many accounts to list here: no membership
	// has a grant of one, and no tool names those on its list. What was granted
	// on an account is a document of its own, of kind KindUserAccount.
	Narrow      bool         `json:"narrow,omitempty"`
	Memberships []Membership `json:"memberships"` // by organization; superseded and invited ones are left out
}

// A Membership is a user in one organization. Role, grants and state belong to
// it and not to the user.
type Membership struct {
	ID               string  `json:"id"` // mem_…
	Organization     string  `json:"organization"`
	OrganizationKind string  `json:"organization_kind"` // customer, partner or operator
	Affiliation      string  `json:"affiliation"`       // customer, end_customer or account_team
	State            string  `json:"state"`             // active, suspended or removed
	Role             string  `json:"role"`
	CPNI             bool    `json:"cpni,omitempty"` // may see customer proprietary network information (R23)
	Grants           []Grant `json:"grants,omitempty"`
	Tools            []Tool  `json:"tools,omitempty"`
}

// A Grant lets a membership's role count in a scope.
type Grant struct {
	Scope   Scope     `json:"scope"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// A Tool is a product tool a membership holds. A tool starts with no accounts
// (R30); its list is its own, whatever the account grants say (R31).
type Tool struct {
	ID       string    `json:"id"`
	Accounts []string  `json:"accounts,omitempty"`
	Unlisted int       `json:"unlisted,omitempty"` // how many accounts are on the list and not in Accounts: all, if the user is Narrow
	Expires  time.Time `json:"expires,omitzero"`   // zero: never
}

// Granted is what a membership was granted on one account: that its role counts
// there, or a tool of its own.
type Granted struct {
	Membership string    `json:"membership"`       // mem_…
	Tool       string    `json:"tool,omitempty"`   // empty: the role
	Expires    time.Time `json:"expires,omitzero"` // of the role; zero: never. A tool ends when the membership's Tool says
}

// AsOf says which state of the directory facts are of.
type AsOf struct {
	Revision Revision
	// Stale says that the directory could not be asked for longer than the
	// staleness bound, and that the facts may have changed since.
	Stale bool
}

// A Scope is where a grant counts, as one string: "account:a1",
// "account_group:east", "company:acme-south", "organization:acme",
// "realm:customer", "tool:wan_analysis", or where a contract account and a
// delivery account meet: "contract:k1+delivery:d1" (R36). Ids hold neither ":"
// nor "+", so a scope reads one way only.
type Scope string

// ScopeOf is the scope of one thing.
func ScopeOf(kind Kind, id string) Scope { return Scope(string(kind) + ":" + id) }

// PairScope is where a contract account and a delivery account meet.
func PairScope(contract, delivery string) Scope {
	return Scope("contract:" + contract + "+delivery:" + delivery)
}

// A Place is where a thing lies in the directory. What does not apply is empty.
type Place struct {
	Account       string   `json:"account,omitempty"`
	AccountKind   string   `json:"account_kind,omitempty"` // contract, delivery, billing or service
	Contract      string   `json:"contract,omitempty"`     // the account's contract account; its own id if it is one
	Delivery      string   `json:"delivery,omitempty"`     // likewise
	AccountGroups []string `json:"account_groups,omitempty"`
	Company       string   `json:"company,omitempty"`
	Organization  string   `json:"organization,omitempty"`
	// OrganizationKind is customer, partner or operator.
	OrganizationKind string `json:"organization_kind,omitempty"`
	Tool             string `json:"tool,omitempty"`
	Restricted       bool   `json:"restricted,omitempty"` // of a tool: only the operator grants it (R29)
}

// A Point is one state in the history of one directory: its revision, and the
// number that the transaction which made it drew at random. A directory that
// lost its newest writes and went on without them comes to the same revisions
// again, with other stamps. The zero Point is that of a directory that was
// never written.
type Point struct {
	Revision Revision `json:"revision"`
	Stamp    uint64   `json:"stamp,string"`
}

// Changes is the change log after a point: the keys whose documents may no
// longer be what they were.
type Changes struct {
	Head Point `json:"head"`
	// Reset says that the log no longer reaches back that far, that too much
	// changed to be listed, or that the point is not of this history: no document
	// read before Head may be used.
	Reset bool `json:"reset,omitempty"`
	// Lost says that the point is not of this history: the directory has lost
	// what it knew at that point.
	Lost bool     `json:"lost,omitempty"`
	Keys []Change `json:"keys,omitempty"`
	// Floor is where Keys and Points begin, if the log was Reset and they are
	// known all the same: what a server may learn of the past when it starts.
	Floor Point `json:"-"`
	// Points are those that the directory passed on the way to Head, in their
	// order and with Head.
	Points []Point `json:"points,omitempty"`
	// WrittenAt is when the oldest of the changes was written, by the clock of the
	// server that wrote it; zero if that is not known.
	WrittenAt time.Time `json:"written_at,omitzero"`
	// Held is how long the look waited before it saw this: what it tells is that
	// much younger than its beginning.
	Held time.Duration `json:"-"`
}

// A Change says that a key's document changed in a revision.
type Change struct {
	Revision Revision `json:"revision"`
	Key      Key      `json:"key"`
}

// Kept is what a tier keeps of a document: it was true of the directory at AsOf.
// If OK is not set the tier has nothing that could be used.
type Kept struct {
	Document Document
	AsOf     Point
	OK       bool
}
