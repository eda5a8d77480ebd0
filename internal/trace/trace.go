// Package trace carries W3C Trace Context (Level 1) through Postern, so that its
// logs are found from the trace of whoever asked. Postern keeps no spans.
package trace

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// The headers, as net/http and fasthttp write them.
const (
	HeaderParent = "Traceparent"
	HeaderState  = "Tracestate"
)

// A Span is what this server does as a part of a trace. It never changes, and any
// number of goroutines may use it. A nil Span is that of no trace, and may be
// asked everything.
type Span struct {
	trace   [16]byte
	id      [8]byte
	parent  [8]byte // zero: the trace begins here
	sampled bool
	state   string
}

// begin is a span of a new trace that nobody samples.
func begin() *Span {
	s := &Span{id: newID()}
	half := newID()
	copy(s.trace[:], half[:])
	half = newID()
	copy(s.trace[len(half):], half[:])
	return s
}

// newID is random and not zero, which would be no id (§3.2.2.4).
func newID() (id [8]byte) {
	binary.BigEndian.PutUint64(id[:], max(1, rand.Uint64()))
	return id
}

// TraceID is the id of the trace, 32 lower-case hexadecimal digits, or empty.
func (s *Span) TraceID() string {
	if s == nil {
		return ""
	}
	return hex.EncodeToString(s.trace[:])
}

// SpanID is the id of the span, 16 lower-case hexadecimal digits, or empty.
func (s *Span) SpanID() string {
	if s == nil {
		return ""
	}
	return hex.EncodeToString(s.id[:])
}

// ParentID is the id of the span that asked for this one, in the same form; it is
// empty if the trace begins with this one.
func (s *Span) ParentID() string {
	if s == nil || s.parent == [8]byte{} {
		return ""
	}
	return hex.EncodeToString(s.parent[:])
}

// Sampled says whether who asked records the trace.
func (s *Span) Sampled() bool { return s != nil && s.sampled }

// State is what tracestate goes on with: what came, or empty.
func (s *Span) State() string {
	if s == nil {
		return ""
	}
	return s.state
}

// String is the traceparent of what this span asks of others, of version 00, or
// empty.
func (s *Span) String() string {
	if s == nil {
		return ""
	}
	b := append(make([]byte, 0, length), "00-"...)
	b = append(hex.AppendEncode(b, s.trace[:]), '-')
	b = append(hex.AppendEncode(b, s.id[:]), '-', '0', '0')
	if s.sampled {
		b[length-1] = '1'
	}
	return string(b)
}

// Send adds the headers to a request that is made as a part of the span.
func (s *Span) Send(h http.Header) {
	if s == nil {
		return
	}
	h.Set(HeaderParent, s.String())
	if s.state != "" {
		h.Set(HeaderState, s.state)
	}
}

// Attr is trace_id and span_id for a line of a log, or nothing.
func (s *Span) Attr() slog.Attr {
	if s == nil {
		return slog.Attr{}
	}
	return slog.Group("", "trace_id", s.TraceID(), "span_id", s.SpanID())
}

// Observe adds a value to a histogram, with the trace as its exemplar if somebody
// samples it: an exemplar of a trace that is not kept leads nowhere, and costs
// more than all else that is counted.
func (s *Span) Observe(o prometheus.Observer, value float64) {
	if e, ok := o.(prometheus.ExemplarObserver); ok && s.Sampled() {
		e.ObserveWithExemplar(value, prometheus.Labels{"trace_id": s.TraceID()})
		return
	}
	o.Observe(value)
}

type key struct{}

// With is ctx for what is done as a part of a span.
func With(ctx context.Context, s *Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// From is the span that something is done as a part of, or nil.
func From(ctx context.Context) *Span {
	s, _ := ctx.Value(key{}).(*Span)
	return s
}
