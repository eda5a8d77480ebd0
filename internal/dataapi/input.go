package dataapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authzen"
	"github.com/postern-authz/postern/internal/exchange"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// object is a JSON object.
type object = map[string]any

// body reads the value that a body is. An empty body is no value, as in OPA,
// whatever it says that it is.
func (a *api) body(c *fiber.Ctx) (any, error) {
	if len(c.BodyRaw()) == 0 {
		return nil, nil
	}
	return exchange.Body(c, a.limits)
}

// members reads the object that a body of version 1 is, or none.
func (a *api) members(c *fiber.Ctx) (object, error) {
	v, err := a.body(c)
	if err != nil || v == nil {
		return nil, err
	}
	members, ok := v.(object)
	if !ok {
		return nil, invalidf("the body is %s: send an object", ijson.Kind(v))
	}
	return members, nil
}

// parameter reads the input in a query string; none is nil. As in OPA the last one
// counts.
func (a *api) parameter(c *fiber.Ctx) (any, error) {
	sent := c.Context().QueryArgs().PeekMulti("input")
	if len(sent) == 0 {
		return nil, nil
	}
	v, err := ijson.Decode(sent[len(sent)-1], a.limits)
	if err != nil {
		return nil, invalidf("the parameter input: %w", err)
	}
	return v, nil
}

// item is one input. One that is meant as an AuthZEN request is one, with nothing
// in it that AuthZEN does not know; any other goes to the policy as it is. Facts
// are the directory's, and never a caller's.
func item(input any) pdp.Item {
	members, _ := input.(object)
	if _, claimed := members["facts"]; claimed {
		return pdp.Item{Bare: true, Err: invalidf("the input has facts: leave them out, they are the directory's to tell")}
	}
	if !authzen.Is(members) {
		return pdp.Item{Bare: true, Input: input}
	}
	request, err := authzen.ReadRequest(members)
	return pdp.Item{Request: request, Err: err}
}
