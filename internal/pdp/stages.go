package pdp

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stages measure what a listener does before a query and after its answer, beside
// what the PDP measures itself. Nil measures nothing.
type Stages struct {
	parse, encode prometheus.Observer
	now           func() time.Time
}

// Stages are for the listeners that queries come from.
func (p *PDP) Stages() *Stages { return &Stages{p.metrics.parse, p.metrics.encode, p.now} }

// Begin starts the watch for one call, whose body is at hand.
func (s *Stages) Begin() Stopwatch {
	if s == nil {
		return Stopwatch{}
	}
	return Stopwatch{s, s.now()}
}

// A Stopwatch is for one call. One that comes to no query, or whose query has no
// answer, has no such stage; the zero Stopwatch has none.
type Stopwatch struct {
	stages *Stages
	since  time.Time
}

// Parsed says that the query is made, and is asked next.
func (w *Stopwatch) Parsed() {
	if w.stages != nil {
		w.stages.parse.Observe(w.stages.now().Sub(w.since).Seconds())
	}
}

// Answered says that the answer is there, and has to be written.
func (w *Stopwatch) Answered() {
	if w.stages != nil {
		w.since = w.stages.now()
	}
}

// Encoded says that the answer is written, and is sent next.
func (w *Stopwatch) Encoded() {
	if w.stages != nil {
		w.stages.encode.Observe(w.stages.now().Sub(w.since).Seconds())
	}
}
