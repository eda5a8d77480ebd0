// Package decisionapi is the HTTP face of the decision point: AuthZEN
// Authorization API 1.0, evaluation, evaluations and metadata. It reads and
// writes, and decides nothing.
package decisionapi

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/authzen"
	"github.com/postern-authz/postern/internal/exchange"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// A Decider answers queries. It returns one outcome for each item, or, with a
// semantic that stops, for the items up to the one that stopped it.
type Decider interface {
	Evaluate(ctx context.Context, q pdp.Query) (pdp.Result, error)
}

// Options says what the routes need.
type Options struct {
	PDP          Decider
	Tokens       exchange.Tokens
	Stages       *pdp.Stages   // nil: nobody measures
	PublicURL    string        // what applications know this decision point by; empty: no metadata is published
	MaxBatch     int           // evaluations in one request; 1,000
	Authenticate fiber.Handler // goes before every decision; nil: everybody may ask
	Log          *slog.Logger  // slog.Default()
}

// The paths (AuthZEN §10.1, table 1).
const (
	pathEvaluation  = "/access/v1/evaluation"
	pathEvaluations = "/access/v1/evaluations"
)

// api has the handlers.
type api struct {
	pdp      Decider
	tokens   exchange.Tokens
	stages   *pdp.Stages
	maxBatch int
	limits   ijson.Limits
	log      *slog.Logger
}

// Register adds the routes to r. It refuses a public URL that AuthZEN does not
// allow as the identifier of a decision point.
func Register(r fiber.Router, o Options) error {
	if o.MaxBatch <= 0 {
		o.MaxBatch = 1000
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	published, err := newMetadata(o.PublicURL)
	if err != nil {
		return err
	}
	a := &api{o.PDP, o.Tokens, o.Stages, o.MaxBatch, ijson.Limits{Values: max(ijson.DefaultValues, 64*o.MaxBatch)}, httpserver.Throttled(o.Log)}
	handlers := func(h fiber.Handler) []fiber.Handler {
		if o.Authenticate == nil {
			return []fiber.Handler{h}
		}
		return []fiber.Handler{o.Authenticate, h}
	}
	r.Post(pathEvaluation, handlers(a.evaluation)...)
	r.Post(pathEvaluations, handlers(a.evaluations)...)
	r.Get("/openapi.json", showDocument)
	r.Get(wellKnown, published.serve)
	r.Get(wellKnown+"/*", published.serve)
	return nil
}

// evaluation answers one request (AuthZEN §6).
func (a *api) evaluation(c *fiber.Ctx) error {
	watch := a.stages.Begin()
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	return a.single(c, &watch, body)
}

// single decides the request that body is.
func (a *api) single(c *fiber.Ctx, watch *pdp.Stopwatch, body map[string]any) error {
	req, err := authzen.ReadRequest(body)
	if err != nil {
		return err
	}
	result, err := a.ask(c, watch, pdp.Query{API: pdp.APIEvaluation, Items: []pdp.Item{{Request: req}}})
	if err != nil {
		return err
	}
	if err := result.Outcomes[0].Err; err != nil {
		return err
	}
	answer := appendOutcome(nil, result.Outcomes[0])
	watch.Encoded()
	return exchange.Send(c, answer)
}

// evaluations answers a batch (AuthZEN §7). Without a batch it is evaluation.
func (a *api) evaluations(c *fiber.Ctx) error {
	watch := a.stages.Begin()
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	batch, ok, err := authzen.ReadBatch(body, a.maxBatch)
	if err != nil {
		return err
	}
	if !ok {
		return a.single(c, &watch, body)
	}
	batch.API = pdp.APIEvaluations
	result, err := a.ask(c, &watch, batch)
	if err != nil {
		return err
	}
	answer := batchBody(result.Outcomes)
	watch.Encoded()
	exchange.LogFailures(a.log, c, result)
	return exchange.Send(c, answer)
}

// ask decides a query and says in the header what the answer rests on. Answers
// that do not belong to the questions are not passed on.
func (a *api) ask(c *fiber.Ctx, watch *pdp.Stopwatch, q pdp.Query) (result pdp.Result, err error) {
	q.RequestID, q.Caller = httpserver.RequestID(c), httpserver.Caller(c)
	if q.AtLeast, err = exchange.AtLeast(c, a.tokens); err != nil {
		return pdp.Result{}, err
	}
	ctx, cancel := exchange.Within(c.UserContext(), len(q.Items))
	defer cancel()
	watch.Parsed()
	result, err = a.pdp.Evaluate(ctx, q)
	watch.Answered()
	exchange.Decided(c, result.ID, result.Policy)
	if err != nil {
		return pdp.Result{}, exchange.Explain(err)
	}
	got, want := len(result.Outcomes), len(q.Items)
	if got == 0 || got > want || got < want && q.Semantic == pdp.ExecuteAll {
		return pdp.Result{}, fmt.Errorf("decision %s has %d outcomes for %d items", result.ID, got, want)
	}
	exchange.RestsOn(c, a.tokens, result.Data)
	return result, nil
}

// readBody reads the JSON object that every request body is (AuthZEN §10.1).
func (a *api) readBody(c *fiber.Ctx) (map[string]any, error) {
	v, err := exchange.Body(c, a.limits)
	if err != nil {
		return nil, err
	}
	body, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the body is %s: send an object: %w", ijson.Kind(v), authz.ErrInvalid)
	}
	return body, nil
}
