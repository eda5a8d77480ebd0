package dataapi

import (
	"maps"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/exchange"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// batch answers POST /v1/batch/data/{path}, which OPA's clients ask and OPA itself
// does not answer: {"inputs": {key: …}} gives {"responses": {key: …}}, all of them
// by one policy on one state of the directory. It is 200 when all were answered,
// 207 when some were, and 500 when none was.
func (a *api) batch(c *fiber.Ctx) error {
	p := a.params(c)
	path, err := pathOf(c)
	if err != nil {
		return err
	}
	members, err := a.members(c)
	if err != nil {
		return err
	}
	keys, items, err := a.inputs(members)
	if err != nil {
		return err
	}
	result, err := a.ask(c, &p.watch, p.query(pdp.APIBatch, path, items...))
	if err != nil {
		return err
	}
	exchange.LogFailures(a.log, c, result)
	answers := make([]answer, len(keys))
	for i, o := range result.Outcomes {
		answers[i] = answerOf(path, o)
	}
	status := statusOf(answers)
	if status == fiber.StatusInternalServerError {
		c.Set(fiber.HeaderRetryAfter, "1")
	}
	b, err := a.batchBody(p, result, keys, answers, status)
	if err != nil {
		return err
	}
	return send(c, p, status, b)
}

// inputs reads the inputs of a batch, by key.
func (a *api) inputs(members object) (keys []string, items []pdp.Item, err error) {
	inputs, ok := members["inputs"].(object)
	switch {
	case members["inputs"] == nil:
		return nil, nil, invalidf("inputs is missing: send an object with an input for each key")
	case !ok:
		return nil, nil, invalidf("inputs is %s: send an object with an input for each key", ijson.Kind(members["inputs"]))
	case len(inputs) > a.MaxBatch:
		return nil, nil, invalidf("inputs has %d members: send %d or fewer at once", len(inputs), a.MaxBatch)
	}
	keys = slices.Sorted(maps.Keys(inputs))
	items = make([]pdp.Item, len(keys))
	for i, key := range keys {
		items[i] = item(inputs[key])
	}
	return keys, items, nil
}

func statusOf(answers []answer) int {
	failed := 0
	for _, o := range answers {
		if o.err != nil {
			failed++
		}
	}
	switch failed {
	case 0:
		return fiber.StatusOK
	case len(answers):
		return fiber.StatusInternalServerError
	}
	return fiber.StatusMultiStatus
}

func (a *api) batchBody(p params, result pdp.Result, keys []string, answers []answer, status int) (b []byte, err error) {
	b = appendString([]byte(`{"batch_decision_id":`), result.ID)
	if p.metrics != nil {
		b = appendValue(append(b, `,"metrics":`...), p.taken())
	}
	b = append(b, `,"responses":{`...)
	for i, o := range answers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, keys[i]), ':')
		if b, err = a.appendResponse(b, p, result, o, status == fiber.StatusMultiStatus); err != nil {
			return nil, err
		}
	}
	return append(b, "}}"...), nil
}

// appendResponse writes what one input came to. Where some failed each says which
// it is.
func (a *api) appendResponse(b []byte, p params, result pdp.Result, o answer, mixed bool) (_ []byte, err error) {
	if o.err != nil {
		status, detail := httpserver.Explain(o.err)
		e := errorOf(httpserver.Problem{Status: status, Detail: detail}, &failure{o.id, o.err})
		if mixed {
			e.HTTPStatus = "500"
		}
		return appendValue(b, e), nil
	}
	b = appendString(append(b, `{"decision_id":`...), o.id)
	if mixed {
		b = append(b, `,"http_status_code":"200"`...)
	}
	if b, err = a.appendAbout(b, p, result, o); err != nil {
		return nil, err
	}
	return append(o.appendResult(b), '}'), nil
}
