package decisionapi

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pdp"
)

// errUndecided has no kind, so it tells a caller nothing but that.
var errUndecided = errors.New("undecided")

// batchBody is the answer to a batch (AuthZEN §7.2): an array in the order of the
// items, and no decision beside it.
func batchBody(outcomes []pdp.Outcome) []byte {
	size := 0
	for _, o := range outcomes {
		size += len(o.Decision.Context) + len(`{"decision":false,"context":},`)
	}
	b := make([]byte, 0, size+len(`{"evaluations":[]}`))
	b = append(b, `{"evaluations":[`...)
	for i, o := range outcomes {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendOutcome(b, o)
	}
	return append(b, "]}"...)
}

// appendOutcome writes a decision. A failed item denies, whatever it holds.
func appendOutcome(b []byte, o pdp.Outcome) []byte {
	if o.Err != nil {
		return appendFailure(b, o.Err)
	}
	return o.Decision.AppendJSON(b)
}

// appendFailure writes an item that could not be decided (AuthZEN §7.2.1).
func appendFailure(b []byte, err error) []byte {
	status, message := httpserver.Explain(err)
	switch status {
	case fiber.StatusBadRequest, fiber.StatusForbidden, fiber.StatusNotFound, fiber.StatusServiceUnavailable:
	default:
		status, message = httpserver.Explain(errUndecided)
	}
	text, err := json.Marshal(message)
	if err != nil {
		panic(err) // a string always marshals
	}
	b = append(b, `{"decision":false,"context":{"error":{"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"message":`...)
	b = append(b, text...)
	return append(b, "}}}"...)
}
