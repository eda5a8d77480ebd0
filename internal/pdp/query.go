package pdp

import (
	"github.com/open-policy-agent/opa/v1/metrics"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/policy"
)

// A Query is one call of an application: one request, or a batch of them.
type Query struct {
	API       string // APIEvaluation or another of them, for metrics and the log
	RequestID string // of the HTTP request, as its answer has it in visible ASCII, or empty
	Caller    authz.Caller
	Items     []Item
	Semantic  Semantic
	// AtLeast is the oldest revision of the directory the caller accepts; zero
	// accepts whatever is within the staleness bound.
	AtLeast authz.Revision
	// Generation decides, so that who asked the policy something else before is
	// answered by the same one; nil: the one in force.
	Generation *policy.Generation

	// The others are for Ask alone.
	Path       string          // as policy.Generation.Ask has it
	Explain    bool            // whether outcomes have an Explanation
	Metrics    metrics.Metrics // what the evaluations took, under OPA's names; nil: nobody wants to know
	Instrument bool            // and each part of them
}

// An Item is one request of a Query. An item that could not be read has an Err
// of kind authz.ErrInvalid instead of a Request: it fails alone (AuthZEN §7.1.3).
type Item struct {
	Request authz.Request
	// Bare says that the item is no request: Ask gives the policy Input, of JSON
	// values, as it is and without facts. A nil Input is none.
	Bare  bool
	Input any
	Err   error
}

// A Semantic says when a batch is done (AuthZEN 1.0 §7.1.2).
type Semantic int

// The semantics. A stop includes the item that caused it.
const (
	ExecuteAll          Semantic = iota
	DenyOnFirstDeny              // a failure is a denial here
	PermitOnFirstPermit          // a failure is not a permit
)

// A Result answers a Query: all its outcomes were decided by one generation of
// the policy on one revision of the directory.
type Result struct {
	ID       string // of the decision, or of the batch
	Policy   string // revision of the generation
	Data     authz.Revision
	Outcomes []Outcome // in the order of the items; cut where the semantic stopped
}

// An Outcome is the decision on one item. With an Err there is no decision, and
// its Decision denies.
type Outcome struct {
	ID       string // of the decision
	Decision authz.Decision
	Err      error
	Stale    bool // the decision rests on stale facts, and its context says so

	// Found is the value at another Path than the decision's, and what Decision
	// then is nothing of; the zero Value is an undefined one.
	Found policy.Value
	// Explanation is there if the Query wanted one.
	Explanation *policy.Explanation
}
