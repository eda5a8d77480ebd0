package pap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// A Call is who asks for a change or a view, and how.
type Call struct {
	Principal Principal
	RequestID string
	Route     string     // method and path template: what an idempotency key belongs to
	IP        netip.Addr // of the caller, for the audit trail
	Portal    string     // that the actor is in, such as partner; the policy may ask
	IfMatch   *authz.Revision
	MatchAny  bool // If-Match: *, so that whatever there is may be replaced
	// ValidateOnly does everything but keep it (AIP-163).
	ValidateOnly bool
	// Idempotency is the key of the request, if it has one.
	Idempotency *Idempotency
}

// An Idempotency is the key that the caller gave a request, and what the request
// says (draft-ietf-httpapi-idempotency-key-header-07).
type Idempotency struct {
	Key         string
	Fingerprint [32]byte // of what is asked: a MAC over path and body
}

// A Principal is a credential and, when it speaks for somebody, for whom. The
// zero Principal is a stranger, who may follow a link and nothing else.
type Principal struct {
	Kind   PrincipalKind
	ID     string  // of the key or token; of a JWT, its issuer and subject
	Scopes []Scope // what a service token may be used for; an operator key has ScopeOperator
	// Organizations that the credential is bound to; empty: none in particular.
	Organizations []string
	// Actor is the user acted for (usr_…), or empty: the credential acts by
	// itself, as operator, sync or identity.
	Actor string
	// Expires is when a key or token ends; zero: never. Of a JWT it is not known.
	Expires time.Time
}

// A PrincipalKind is what sort of credential was shown.
type PrincipalKind string

// The kinds.
const (
	Stranger     PrincipalKind = ""
	OperatorKey  PrincipalKind = "operator_key"
	ServiceToken PrincipalKind = "service_token"
	JWT          PrincipalKind = "jwt"
)

// A Scope is one use of a service token.
type Scope string

// The scopes. What operator, sync, identity and replicate may do by themselves is the
// policy's: each is a role of that name.
const (
	ScopeOperator Scope = "operator" // everything, everywhere; may act for the operator's staff
	ScopeAct      Scope = "act"      // whatever its actor may do
	ScopeActRead  Scope = "act.read" // of that, what changes nothing
	ScopeSync     Scope = "sync"     // keeps companies, accounts and account groups up to date
	ScopeIdentity Scope = "identity" // reports second factors and sign-ins, checks passwords
	// ScopeReplicate is that of a server which decides and has no database: it
	// reads every grant document, and changes nothing.
	ScopeReplicate Scope = "replicate"
)

// Has reports whether the principal's credential may be used so.
func (p Principal) Has(s Scope) bool { return slices.Contains(p.Scopes, s) }

// Bound reports whether the credential may be used in the organization.
func (p Principal) Bound(organization string) bool {
	return len(p.Organizations) == 0 || slices.Contains(p.Organizations, organization)
}

// A Change is what came of a change: what a caller needs to see it in decisions.
type Change struct {
	Revision authz.Revision
	Decision string // id of the decision that allowed it
	// Replayed says that nothing was done now: the same request was done before.
	Replayed bool
}

// A Page is a part of a list, newest first.
type Page struct {
	Size  int     // at most; 1 to 200
	After *Cursor // nil: from the beginning
}

// A Cursor is where a page ended.
type Cursor struct {
	At time.Time
	ID string
}

// A PageByID is a part of a list that is in the order of its ids.
type PageByID struct {
	Size  int    // at most; 1 to 200
	After string // the last id of the part before; "": from the beginning
}
