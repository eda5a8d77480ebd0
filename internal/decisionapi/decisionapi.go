// Package decisionapi is the HTTP face of the decision point: AuthZEN
// Authorization API 1.0, evaluation, evaluations and metadata. It reads and
// writes, and decides nothing.
package decisionapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// A Decider answers queries. It returns one outcome for each item, or, with a
// semantic that stops, for the items up to the one that stopped it.
type Decider interface {
	Evaluate(ctx context.Context, q pdp.Query) (pdp.Result, error)
}

// Tokens turns revisions into consistency tokens and back. A token that was not
// issued for this directory is an error of kind authz.ErrInvalid.
type Tokens interface {
	Issue(authz.Revision) string
	Read(string) (authz.Revision, error)
}

// Options says what the routes need.
type Options struct {
	PDP          Decider
	Tokens       Tokens
	PublicURL    string        // what applications know this decision point by; empty: no metadata is published
	MaxBatch     int           // evaluations in one request; 1,000
	Authenticate fiber.Handler // goes before every decision; nil: everybody may ask
	Log          *slog.Logger  // slog.Default()
}

// The paths (AuthZEN §10.1, table 1) and the headers that say what an answer
// rests on (ruling A13: the body says nothing that changes from call to call).
const (
	pathEvaluation  = "/access/v1/evaluation"
	pathEvaluations = "/access/v1/evaluations"

	headerDecisionID = "Postern-Decision-Id"
	headerPolicy     = "Postern-Policy-Revision"
	headerData       = "Postern-Data-Revision"
	headerToken      = "Postern-Consistency-Token"
)

// api has the handlers.
type api struct {
	pdp      Decider
	tokens   Tokens
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
	a := &api{o.PDP, o.Tokens, o.MaxBatch, ijson.Limits{Values: max(ijson.DefaultValues, 64*o.MaxBatch)}, httpserver.Throttled(o.Log)}
	handlers := func(h fiber.Handler) []fiber.Handler {
		if o.Authenticate == nil {
			return []fiber.Handler{h}
		}
		return []fiber.Handler{o.Authenticate, h}
	}
	r.Post(pathEvaluation, handlers(a.evaluation)...)
	r.Post(pathEvaluations, handlers(a.evaluations)...)
	r.Get(wellKnown, published.serve)
	r.Get(wellKnown+"/*", published.serve)
	return nil
}

// evaluation answers one request (AuthZEN §6).
func (a *api) evaluation(c *fiber.Ctx) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	return a.single(c, body)
}

// single decides the request that body is.
func (a *api) single(c *fiber.Ctx, body object) error {
	req, err := readRequest(body, nil, spot{})
	if err != nil {
		return err
	}
	result, err := a.ask(c, pdp.Query{API: pdp.APIEvaluation, Items: []pdp.Item{{Request: req}}})
	if err != nil {
		return err
	}
	if err := result.Outcomes[0].Err; err != nil {
		return err
	}
	return send(c, appendOutcome(nil, result.Outcomes[0]))
}

// evaluations answers a batch (AuthZEN §7). Without a batch it is evaluation.
func (a *api) evaluations(c *fiber.Ctx) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	batch, ok, err := readBatch(body, a.maxBatch)
	if err != nil {
		return err
	}
	if !ok {
		return a.single(c, body)
	}
	batch.API = pdp.APIEvaluations
	result, err := a.ask(c, batch)
	if err != nil {
		return err
	}
	a.logFailures(c, result)
	return send(c, batchBody(result.Outcomes))
}

// logFailures tells the operator what the answer to a batch does not tell the
// caller: how many items failed here, and why the first of them did.
func (a *api) logFailures(c *fiber.Ctx, result pdp.Result) {
	var first error
	failed := 0
	for _, o := range result.Outcomes {
		if status, _ := httpserver.Explain(o.Err); o.Err != nil && status >= fiber.StatusInternalServerError {
			first = cmp.Or(first, o.Err)
			failed++
		}
	}
	if failed > 0 {
		a.log.Error("items of a batch failed", "err", first, "failed", failed, "decision_id", result.ID, "request_id", httpserver.RequestID(c))
	}
}

// ask decides a query and says in the header what the answer rests on. Answers
// that do not belong to the questions are not passed on.
func (a *api) ask(c *fiber.Ctx, q pdp.Query) (pdp.Result, error) {
	q.RequestID, q.Caller = httpserver.RequestID(c), httpserver.Caller(c)
	if sent := c.Request().Header.Peek(headerToken); len(sent) > 0 {
		atLeast, err := a.tokens.Read(string(sent))
		if err != nil {
			return pdp.Result{}, err
		}
		q.AtLeast = atLeast
	}
	ctx, cancel := within(c.UserContext(), len(q.Items))
	defer cancel()
	result, err := a.pdp.Evaluate(ctx, q)
	c.Set(headerDecisionID, result.ID)
	c.Set(headerPolicy, result.Policy)
	if err != nil {
		return pdp.Result{}, explain(err)
	}
	got, want := len(result.Outcomes), len(q.Items)
	if got == 0 || got > want || got < want && q.Semantic == pdp.ExecuteAll {
		return pdp.Result{}, fmt.Errorf("decision %s has %d outcomes for %d items", result.ID, got, want)
	}
	c.Set(headerData, strconv.FormatUint(uint64(result.Data), 10))
	c.Set(headerToken, a.tokens.Issue(result.Data))
	return result, nil
}

// explain gives a token of a lost state a reason that callers can tell.
func explain(err error) error {
	if !errors.Is(err, authz.ErrAhead) {
		return err
	}
	return &httpserver.Problem{
		Status: fiber.StatusConflict, Reason: "token-ahead", Title: "The directory has not come so far",
		Detail: "The consistency token is of a state that the directory has lost. Do again what the token is of, or leave the token out.", Err: err,
	}
}

// perItem is what each item of a batch beyond the first adds to the deadline: a
// batch is given the time of one decision, and what so many more may take.
const perItem = time.Millisecond

// within is ctx with the deadline for a number of items.
func within(ctx context.Context, items int) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if !limited || items < 2 {
		return ctx, func() {}
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(time.Duration(items-1)*perItem))
}

// send answers 200 with a body that nobody else holds.
func send(c *fiber.Ctx, body []byte) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(body)
	return nil
}
