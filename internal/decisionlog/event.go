// Package decisionlog remembers decisions, in the shape of OPA's decision log
// events, without ever making a decision wait.
package decisionlog

import (
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/trace"
)

// An Event is one decision to be remembered. What it points to never changes.
type Event struct {
	ID        string      // of the decision
	BatchID   string      // of the batch it was part of, or empty
	RequestID string      // as the caller sent it, or empty
	Trace     *trace.Span // that it was a part of, or nil
	Caller    string      // id of the application that asked, or empty
	API       string      // evaluation, data or another of package pdp
	Path      string      // the policy's entrypoint: postern/access/decision
	Policy    string      // revision of the policy generation
	Data      authz.Revision
	Stale     bool // Data is older than the staleness bound
	Time      time.Time
	Elapsed   time.Duration
	Input     JSON // what the policy was asked, facts included; nil if it never was
	Size      int  // what Input keeps in memory for itself, in bytes, about
	Decision  authz.Decision
	Found     JSON  // instead of Decision, at a Path that is no decision: what is there; it may write null for nothing
	Err       error // why there is no decision, or nil
}

// JSON is a value that can write itself as JSON.
type JSON interface {
	AppendJSON(b []byte) []byte
}
