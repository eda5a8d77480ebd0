package policy

import "github.com/open-policy-agent/opa/v1/topdown"

// maxEvents bounds the explanations of a query: an evaluation makes some thousand of
// them, each of which holds on to what it saw.
const maxEvents = 20_000

// An Explanation is what an evaluation did, step by step. It shows facts.
type Explanation struct {
	// Told counts the events of evaluations before, which have taken of the room.
	Told   int
	events []*topdown.Event
	full   bool
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
	switch {
	case x.Told+len(x.events) < maxEvents:
		x.events = append(x.events, &e)
	case !x.full:
		x.full = true
		e.Op, e.Message = topdown.NoteOp, "there are too many events: the rest of them is left out"
		x.events = append(x.events, &e)
	}
}
