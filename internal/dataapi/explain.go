package dataapi

import (
	"github.com/open-policy-agent/opa/v1/server/types"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/lineage"

	"github.com/postern-authz/postern/internal/policy"
)

// explain writes an explanation as OPA does: its events, or lines of text if pretty.
func explain(mode string, x *policy.Explanation, pretty bool) ([]byte, error) {
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
	return types.NewTraceV1(events, pretty)
}
