package pap

import (
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
)

// A Refusal is why a change or view was not to be had, in words for the caller.
// It unwraps to its kind: one of authz's, or ErrPrecondition and ErrTooMany.
type Refusal struct {
	Kind   error
	Reason string // a stable code in kebab case, such as seat-limit; see Reasons in the API's description
	Detail string // a sentence that says how to mend it; holds no secret and no address
	Fields []Field
	// Decision is the id of the decision that forbade, if one did.
	Decision string
	// RetryAfter is how many seconds to wait, if waiting helps.
	RetryAfter int
}

// A Field is one member of the request that is wrong.
type Field struct {
	Pointer string `json:"pointer"` // JSON Pointer (RFC 6901)
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

func (r *Refusal) Error() string { return r.Detail }
func (r *Refusal) Unwrap() error { return r.Kind }

// Kinds of refusal that only a change over HTTP knows.
var (
	// ErrPrecondition says that the resource is not the one the caller saw.
	ErrPrecondition = fmt.Errorf("precondition failed: %w", authz.ErrConflict)
	// ErrPreconditionRequired says that the caller has to say what it saw.
	ErrPreconditionRequired = fmt.Errorf("precondition required: %w", authz.ErrInvalid)
	// ErrTooMany says that the caller has to wait.
	ErrTooMany = fmt.Errorf("too many requests: %w", authz.ErrConflict)
)

// ErrOutcomeUnknown says that nobody can tell whether a change was kept: the
// database was lost between the commit and its answer (F12).
var ErrOutcomeUnknown = fmt.Errorf("whether the change was kept is not known: %w", authz.ErrUnavailable)

func refuse(kind error, reason, format string, args ...any) *Refusal {
	return &Refusal{Kind: kind, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// invalid refuses one member of a request; pointer is its JSON Pointer.
func invalid(pointer, code, format string, args ...any) *Refusal {
	detail := fmt.Sprintf(format, args...)
	return &Refusal{
		Kind: authz.ErrInvalid, Reason: "validation", Detail: detail,
		Fields: []Field{{Pointer: pointer, Code: code, Detail: detail}},
	}
}

func conflict(reason, format string, args ...any) *Refusal {
	return refuse(authz.ErrConflict, reason, format, args...)
}

// notFound is also said of what the actor may not know of.
func notFound(noun, id string) *Refusal {
	return refuse(authz.ErrNotFound, "not-found", "there is no %s %q here", noun, id)
}
