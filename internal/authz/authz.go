// Package authz is the vocabulary of Postern: the nouns of an authorization
// decision, named as AuthZEN names them. It imports nothing but the standard
// library, and every other package may import it.
package authz

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Properties is a JSON object as its sender wrote it: string, json.Number,
// bool, nil, []any and map[string]any, nested. It is never changed once made.
type Properties = map[string]any

// A Subject is the user or machine that wants to act (AuthZEN 1.0 §5.1).
type Subject struct {
	Type, ID   string
	Properties Properties
}

// An Action is what the subject wants to do (AuthZEN 1.0 §5.3).
type Action struct {
	Name       string
	Properties Properties
}

// A Resource is what the action is done to (AuthZEN 1.0 §5.2).
type Resource struct {
	Type, ID   string
	Properties Properties
}

// A Request asks whether Subject may take Action on Resource (AuthZEN 1.0 §6.1).
// It holds what the caller said and nothing that the directory knows.
type Request struct {
	Subject  Subject
	Action   Action
	Resource Resource
	Context  Properties
}

// A Decision answers a Request. The zero Decision denies.
type Decision struct {
	Allow bool
	// Context is what the policy's decision says beside the boolean: a JSON
	// object, or nil. It goes to the caller as it is (AuthZEN 1.0 §5.5).
	Context json.RawMessage
	// Reasons are the "reasons" of Context in a form that metrics can count.
	Reasons []Reason
	// Rules are the ids of the policy rules that held, sorted.
	Rules []string
}

// Role is the role that permitted, of the first reason that names one; empty if
// none does.
func (d Decision) Role() string {
	for _, r := range d.Reasons {
		if r.Role != "" {
			return r.Role
		}
	}
	return ""
}

// A Reason is one rule that permitted, forbade, or would have been needed.
type Reason struct {
	Rule string // its stable id, such as "access.out_of_scope"
	Role string // the role that permitted, when one did
	// Scope is where that role counts, when the rule says so.
	Scope Scope
}

// A Revision numbers the states of the directory. Every write makes the next
// one; whoever reads at a revision sees every write up to it. The zero Revision
// is that of a directory that was never written.
type Revision uint64

// A Caller is an application that asks for decisions: its key or certificate,
// and what it may ask about. Empty Organizations or Actions do not restrict.
type Caller struct {
	ID            string
	Organizations []string
	Actions       []string // prefixes of action names, such as "invoice."
}

// Kinds of failure a caller can act on. Anything else is internal: it is logged
// for the operator, and the caller learns only the request id.
var (
	// ErrInvalid says that the request itself is wrong and will stay wrong.
	ErrInvalid = errors.New("invalid")
	// ErrUnauthenticated says that nobody is known by the credentials given.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrForbidden says that this caller may not ask this.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound says that the directory has no such thing.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the directory's state does not allow the change.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable says that the answer cannot be known now: a deadline
	// passed, a dependency is away, facts are too old. It is never a denial.
	ErrUnavailable = errors.New("unavailable")
)

// ErrAhead says that a consistency token is of a state which the directory does
// not have: it has lost that state, as a failover may (F13). It is a conflict.
var ErrAhead = fmt.Errorf("the token is ahead: %w", ErrConflict)

// AppendJSON appends the decision as its caller gets it: "decision" first, then
// "context" if there is one (AuthZEN 1.0 §5.5).
func (d Decision) AppendJSON(b []byte) []byte {
	b = append(b, `{"decision":`...)
	b = strconv.AppendBool(b, d.Allow)
	if len(d.Context) > 0 {
		b = append(b, `,"context":`...)
		b = append(b, d.Context...)
	}
	return append(b, '}')
}
