package dataapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/pdp"
)

// post answers POST /v1/data/{path}: {"input": …} gives {"result": …}.
func (a *api) post(c *fiber.Ctx) error {
	p := a.params(c)
	members, err := a.members(c)
	if err != nil {
		return err
	}
	input := members["input"]
	return a.data(c, p, input, input == nil)
}

// get answers GET /v1/data/{path}?input=…
func (a *api) get(c *fiber.Ctx) error {
	p := a.params(c)
	input, err := a.parameter(c)
	if err != nil {
		return err
	}
	return a.data(c, p, input, false)
}

func (a *api) data(c *fiber.Ctx, p params, input any, warn bool) error {
	path, err := pathOf(c)
	if err != nil {
		return err
	}
	q := p.query(pdp.APIData, path, item(input))
	result, err := a.ask(c, &p.watch, q)
	if err != nil {
		return err
	}
	o := answerOf(path, result.Outcomes[0])
	if o.err != nil {
		return &failure{result.ID, o.err}
	}
	b := appendString([]byte(`{"decision_id":`), o.id)
	if b, err = a.appendAbout(b, p, result, o); err != nil {
		return err
	}
	if p.metrics != nil {
		b = appendValue(append(b, `,"metrics":`...), p.taken())
	}
	b = o.appendResult(b)
	if warn {
		b = append(b, `,"warning":{"code":"api_usage_warning","message":"'input' key missing from the request"}`...)
	}
	return send(c, p, fiber.StatusOK, append(b, '}'))
}

// bare answers POST /v0/data/{path}: the input gives the result, both bare.
func (a *api) bare(c *fiber.Ctx) error {
	path, err := pathOf(c)
	if err != nil {
		return err
	}
	return a.bareAt(c, path)
}

// standard answers POST /, which asks the default path as bare does.
func (a *api) standard(c *fiber.Ctx) error { return a.bareAt(c, a.Default) }

func (a *api) bareAt(c *fiber.Ctx, path string) error {
	p := params{pretty: flag(c, "pretty"), watch: a.Stages.Begin()}
	input, err := a.body(c)
	if err != nil {
		return err
	}
	result, err := a.ask(c, &p.watch, p.query(pdp.APIData, path, item(input)))
	if err != nil {
		return err
	}
	o := answerOf(path, result.Outcomes[0])
	switch {
	case o.err != nil:
		return &failure{result.ID, o.err}
	case o.undefined():
		return undefined(path)
	}
	return send(c, p, fiber.StatusOK, o.appendValue(nil))
}
