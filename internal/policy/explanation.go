package policy

import "github.com/open-policy-agent/opa/v1/topdown"

// maxEvents bounds an explanation: an evaluation makes some thousand of them, each of
// which holds on to what it saw.
const maxEvents = 20_000

// An Explanation is what an evaluation did, step by step. It shows facts.
type Explanation struct {
	events []*topdown.Event
}

// Events are the steps, or the first of them when there were too many to keep;
// then the last one is a note that says so.
func (x *Explanation) Events() []*topdown.Event { return x.events }

// Enabled implements topdown.QueryTracer.
func (x *Explanation) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (x *Explanation) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent implements topdown.QueryTracer.
func (x *Explanation) TraceEvent(e topdown.Event) {
	switch n := len(x.events); {
	case n < maxEvents:
		x.events = append(x.events, &e)
	case n == maxEvents:
		e.Op, e.Message = topdown.NoteOp, "there are too many events: the rest of them is left out"
		x.events = append(x.events, &e)
	}
}
