// Package postern asks Postern what a user may do. It needs nothing but the
// standard library and is meant to be copied into an application.
//
// It fails closed: whatever goes wrong, the Answer denies, and its Err says why.
package postern

import (
	"context"
	"strings"
)

// An Entity is who asks or what is asked about, as AuthZEN names them: a user is
// {"user", "usr_..."}, or {"login", username}; a resource is for example
// {"service", "a-1001"}. Properties place a resource that the directory does not
// hold, such as {"account": "b-1900"} for an invoice.
type Entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitempty"`
}

// A Question is what a user wants to do, and with what.
type Question struct {
	Action   string // such as service.view; `postern policy matrix` lists them
	Resource Entity
	Context  map[string]any // for the policy, such as {"tool": "wan_analysis"}
}

// An Answer says whether the user may. The zero Answer denies.
type Answer struct {
	Allowed     bool
	Reasons     []Reason
	Obligations []Obligation // all known to the client, and the application's to carry out
	DecisionID  string       // of the decision log, if there was a decision
	Err         error        // why there is no decision; nil for a true denial. For the log, not for the user.
}

// A Reason is a rule that allowed or denied. Text is there for some denials.
type Reason struct {
	Rule string `json:"rule"`
	Role string `json:"role"`
	Text string `json:"text"`
}

// An Obligation is what the application has to do if it lets the user, such as
// {"redact", "financial"}: show no prices.
type Obligation struct {
	ID   string `json:"id"`
	What string `json:"what"`
}

// Must tells whether the application has to carry out an obligation.
func (a Answer) Must(id, what string) bool {
	for _, o := range a.Obligations {
		if o == (Obligation{id, what}) {
			return true
		}
	}
	return false
}

// A Trace is what the request of a user brought along. Postern writes it into its
// logs, so that one id finds the request everywhere.
type Trace struct{ RequestID, Parent string }

type traceKey struct{}

// WithTrace makes questions that are asked with the context carry an X-Request-ID
// and a traceparent (W3C Trace Context). Empty ones are left out, and so is an id
// of more than the 256 bytes that Postern takes. The strings are copied: those of
// Fiber are only valid until its handler returns.
func WithTrace(ctx context.Context, requestID, parent string) context.Context {
	if len(requestID) > 256 {
		requestID = ""
	}
	return context.WithValue(ctx, traceKey{}, Trace{strings.Clone(requestID), strings.Clone(parent)})
}
