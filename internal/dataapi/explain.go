package dataapi

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/open-policy-agent/opa/v1/server/types"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/lineage"

	"github.com/postern-authz/postern/internal/policy"
)

// maxExplained bounds the explanations of an answer, in bytes: each event may have
// the whole input in it.
const maxExplained = 4 << 20

// leftOut ends an explanation that is longer than that.
const leftOut = "the explanation is too long: the rest of it is left out"

// explain writes an explanation as OPA does: its events, or lines of text if pretty.
// It ends where room bytes do, and then says so.
func explain(mode string, x *policy.Explanation, pretty bool, room int) ([]byte, error) {
	var events []*topdown.Event
	if x != nil {
		events = x.Events()
	}
	switch mode {
	case "notes":
		events = lineage.Notes(events)
	case "fails":
		events = lineage.Fails(events)
	case "full":
		events = lineage.Full(events)
	default:
		events = lineage.Debug(events)
	}
	if pretty {
		return lines(events, room)
	}
	return rawEvents(events, room)
}

// rawEvents writes one event after the other.
func rawEvents(events []*topdown.Event, room int) ([]byte, error) {
	b := []byte{'['}
	for i, e := range events {
		if len(b) >= room {
			e, events = &topdown.Event{Op: topdown.NoteOp, Message: leftOut}, events[:i+1]
		}
		one, err := types.NewTraceV1([]*topdown.Event{e}, false)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, bytes.Trim(one, "[]")...)
		if len(events) == i+1 {
			break
		}
	}
	return append(b, ']'), nil
}

// lines writes events as text.
func lines(events []*topdown.Event, room int) ([]byte, error) {
	text := &short{room: room}
	topdown.PrettyTraceWithLocation(text, events)
	all := strings.Split(strings.Trim(text.String(), "\n"), "\n")
	if text.cut {
		all = append(all, leftOut)
	}
	return json.Marshal(all)
}

// A short keeps what is written to it until there is no room, and drops the rest.
type short struct {
	bytes.Buffer
	room int
	cut  bool
}

func (s *short) Write(p []byte) (int, error) {
	if s.cut = s.cut || s.Len() >= s.room; !s.cut {
		return s.Buffer.Write(p)
	}
	return len(p), nil
}
