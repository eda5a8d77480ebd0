package pdp

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/histogram"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/trace"
)

// What a decision came to, as metrics say it.
const (
	allow  = "allow"
	deny   = "deny"
	failed = "error"
)

// The names that stand for what has none and for what nobody declared, so that
// no label value is ever a caller's choice.
const (
	none  = "none"
	other = "other"
)

type meters struct {
	decisions *prometheus.CounterVec
	actions   *prometheus.CounterVec
	denials   *prometheus.CounterVec
	durations map[string]prometheus.Observer
	stale     prometheus.Counter
	parse     prometheus.Observer
	facts     prometheus.Observer
	eval      prometheus.Observer
	encode    prometheus.Observer
	sizes     prometheus.Histogram
	current   atomic.Pointer[series]
}

func newMeters(r prometheus.Registerer, native histogram.Native) *meters {
	buckets := []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	seconds := func(name, help, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(native.Options(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}), []string{label})
	}
	durations := seconds("postern_decision_duration_seconds", "Time from a query to its answer.", "api")
	stages := seconds("postern_decision_stage_duration_seconds", "Time a query took in one stage: parse makes it of a request, facts and eval decide it, encode writes the answer. A batch is one query; what is refused before it is a query has no stage.", "stage")
	m := &meters{
		decisions: counter("postern_decisions_total", "Decisions by API, outcome, and the role that permitted; none is an answer of the Data API that is no decision.", "api", "decision", "role"),
		actions:   counter("postern_decision_actions_total", "Decisions by action and outcome; actions that the policy does not declare are other.", "action", "decision"),
		denials:   counter("postern_denials_total", "Reasons of denials by rule; a denial may have several.", "reason"),
		stale: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_decisions_stale_total", Help: "Decisions on facts older than the staleness bound, as POSTERN_SERVE_STALE_FOR allows.",
		}),
		durations: map[string]prometheus.Observer{},
		parse:     stages.WithLabelValues("parse"),
		facts:     stages.WithLabelValues("facts"),
		eval:      stages.WithLabelValues("eval"),
		encode:    stages.WithLabelValues("encode"),
		sizes: prometheus.NewHistogram(native.Options(prometheus.HistogramOpts{
			Name: "postern_decision_batch_size", Help: "Items per batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		})),
	}
	r.MustRegister(m.decisions, m.actions, m.denials, m.stale, durations, stages, m.sizes)
	for _, api := range apis() {
		m.durations[api] = durations.WithLabelValues(api)
	}
	return m
}

func (m *meters) observe(q Query, d time.Duration, in *trace.Span) {
	m.took(q.API, d, in)
	if q.API == APIEvaluations || q.API == APIBatch {
		m.sizes.Observe(float64(len(q.Items)))
	}
}

func (m *meters) took(api string, d time.Duration, in *trace.Span) {
	if known := m.durations[api]; known != nil {
		in.Observe(known, d.Seconds())
	}
}

// series are the counters of one generation's names, resolved once: looking a
// counter up costs ten times what counting does.
type series struct {
	generation *policy.Generation
	decisions  map[seriesKey]prometheus.Counter
	actions    map[seriesKey]prometheus.Counter
	denials    map[string]prometheus.Counter
}

type seriesKey struct{ of, decision, role string }

func (m *meters) of(g *policy.Generation) *series {
	if s := m.current.Load(); s != nil && s.generation == g {
		return s
	}
	s := m.resolve(g)
	m.current.Store(s)
	return s
}

func (m *meters) resolve(g *policy.Generation) *series {
	roles, actions, rules := []string{none, other}, []string{other}, []string{none, other}
	if g != nil {
		roles, actions, rules = append(roles, g.Roles()...), append(actions, g.Actions()...), append(rules, g.Rules()...)
	}
	s := &series{g, map[seriesKey]prometheus.Counter{}, map[seriesKey]prometheus.Counter{}, map[string]prometheus.Counter{}}
	for _, api := range apis() {
		for _, role := range roles {
			s.decisions[seriesKey{api, allow, role}] = m.decisions.WithLabelValues(api, allow, role)
		}
		for _, decision := range []string{deny, failed} {
			s.decisions[seriesKey{api, decision, none}] = m.decisions.WithLabelValues(api, decision, none)
		}
	}
	for _, api := range []string{APIData, APIBatch, APICompile} {
		s.decisions[seriesKey{api, none, none}] = m.decisions.WithLabelValues(api, none, none)
	}
	for _, action := range actions {
		for _, decision := range []string{allow, deny, failed} {
			s.actions[seriesKey{of: action, decision: decision}] = m.actions.WithLabelValues(action, decision)
		}
	}
	for _, rule := range rules {
		s.denials[rule] = m.denials.WithLabelValues(rule)
	}
	return s
}

func (s *series) count(api, action string, o Outcome) {
	decision, role := deny, none
	switch {
	case o.Err != nil:
		decision = failed
	case o.Decision.Allow:
		decision, role = allow, cmp.Or(o.Decision.Role(), none)
	}
	c, known := s.decisions[seriesKey{api, decision, role}]
	if !known {
		c, known = s.decisions[seriesKey{api, decision, other}]
	}
	if known {
		c.Inc()
	}
	s.countAction(action, decision)
	if decision == deny {
		s.countReasons(o)
	}
}

// countFound counts an answer that is no decision, or that there is none.
func (s *series) countFound(api string, err error) {
	outcome := none
	if err != nil {
		outcome = failed
	}
	if c, known := s.decisions[seriesKey{api, outcome, none}]; known {
		c.Inc()
	}
}

func (s *series) countAction(action, decision string) {
	c, known := s.actions[seriesKey{of: action, decision: decision}]
	if !known {
		c = s.actions[seriesKey{of: other, decision: decision}]
	}
	c.Inc()
}

func (s *series) countReasons(o Outcome) {
	if len(o.Decision.Reasons) == 0 {
		s.denials[none].Inc()
	}
	for _, r := range o.Decision.Reasons {
		c, known := s.denials[r.Rule]
		if !known {
			c = s.denials[other]
		}
		c.Inc()
	}
}
