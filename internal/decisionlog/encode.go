package decisionlog

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// An encoder writes events as lines, in the shape of OPA's decision log event
// (EventV1). Beside OPA's members, "custom" has what only Postern knows.
type encoder struct {
	labels  []byte // as JSON
	scratch []byte
}

func newEncoder(labels map[string]string) encoder {
	if labels == nil {
		labels = map[string]string{}
	}
	text, _ := json.Marshal(labels) // of strings: cannot fail
	return encoder{labels: text}
}

// append writes e and a line end to b.
func (n *encoder) append(b []byte, e entry) []byte {
	b = append(append(b, `{"labels":`...), n.labels...)
	b = appendMember(b, "decision_id", e.ID)
	if e.BatchID != "" {
		b = appendMember(b, "batch_decision_id", e.BatchID)
	}
	if e.Trace != nil {
		b = appendMember(appendMember(b, "trace_id", e.Trace.TraceID()), "span_id", e.Trace.SpanID())
	}
	b = append(b, `,"bundles":{"core":{"revision":`...)
	b = append(appendString(b, e.Policy), "}}"...)
	b = appendMember(b, "path", e.Path)
	b = n.appendInput(b, e.Input)
	b = appendOutcome(b, e.Event)
	b = append(b, `,"timestamp":"`...)
	b = append(e.Time.UTC().AppendFormat(b, time.RFC3339Nano), `","metrics":{"timer_rego_query_eval_ns":`...)
	b = append(strconv.AppendInt(b, e.Elapsed.Nanoseconds(), 10), '}')
	return append(appendCustom(b, e), "}\n"...)
}

// appendInput writes what the policy was asked, without the personal data that
// applications send along (B8).
func (n *encoder) appendInput(b []byte, input JSON) []byte {
	if input == nil {
		return b
	}
	n.scratch = input.AppendJSON(n.scratch[:0])
	start := len(b)
	b, erased, ok := appendErased(append(b, `,"input":`...), n.scratch)
	if !ok {
		return append(b[:start], `,"input":null`...)
	}
	if len(erased) == 0 {
		return b
	}
	return append(appendStrings(append(b, `,"erased":[`...), erased), ']')
}

func appendOutcome(b []byte, e Event) []byte {
	if e.Err != nil {
		b = append(appendString(append(b, `,"error":{"code":`...), code(e.Err)), `,"message":`...)
		return append(appendString(b, e.Err.Error()), '}')
	}
	if e.Found != nil {
		return e.Found.AppendJSON(append(b, `,"result":`...))
	}
	b = append(b, `,"result":{"decision":`...)
	b = strconv.AppendBool(b, e.Decision.Allow)
	if e.Decision.Context != nil {
		start := len(b)
		context, ok := appendCompact(append(b, `,"context":`...), e.Decision.Context)
		if b = context; !ok {
			b = b[:start]
		}
	}
	return append(b, '}')
}

func code(err error) string {
	for _, kind := range []error{authz.ErrInvalid, authz.ErrUnauthenticated, authz.ErrForbidden, authz.ErrNotFound, authz.ErrConflict, authz.ErrUnavailable} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "internal"
}

func appendCustom(b []byte, e entry) []byte {
	b = append(appendString(append(b, `,"custom":{"api":`...), e.API), `,"data_revision":`...)
	b = append(strconv.AppendUint(b, uint64(e.Data), 10), `,"sequence":`...)
	b = strconv.AppendUint(b, e.sequence, 10)
	if e.Stale {
		b = append(b, `,"stale":true`...)
	}
	if e.Caller != "" {
		b = appendMember(b, "caller", e.Caller)
	}
	if e.RequestID != "" {
		b = appendMember(b, "request_id", e.RequestID)
	}
	if parent := e.Trace.ParentID(); parent != "" {
		b = appendMember(b, "parent_span_id", parent)
	}
	if len(e.Decision.Rules) > 0 {
		b = append(appendStrings(append(b, `,"rules":[`...), e.Decision.Rules), ']')
	}
	return append(b, '}')
}

// appendMember writes a member that is not the first.
func appendMember(b []byte, name, value string) []byte {
	b = append(append(append(b, ',', '"'), name...), '"', ':')
	return appendString(b, value)
}

func appendStrings(b []byte, list []string) []byte {
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return b
}

// appendString writes s as a JSON string, whatever is in it (T18).
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // of a string: cannot fail
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
