// Package dataapi is OPA's Data API over the decision point, for OPA's own
// clients: it reads, asks and answers in OPA's shapes, decides nothing and changes
// nothing.
package dataapi

import (
	"context"
	"log/slog"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/exchange"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// A Decider answers queries about the values at paths, one outcome for each item,
// and gives rules as filters.
type Decider interface {
	Ask(ctx context.Context, q pdp.Query) (pdp.Result, error)
	Translate(ctx context.Context, q pdp.Translation) (pdp.Translated, error)
}

// Options says what the routes need.
type Options struct {
	PDP      Decider
	Tokens   exchange.Tokens
	Stages   *pdp.Stages // nil: nobody measures
	Default  string      // the path that POST / asks, as policy.Generation.Ask has it
	MaxBatch int         // inputs in one request; 1,000
	Build    Build
	// Policy and Directory say why decisions cannot be made now, if so, for the
	// policy's and the directory's part.
	Policy, Directory func() error
	Authenticate      fiber.Handler // goes before every question; nil: everybody may ask
	Log               *slog.Logger  // slog.Default()
}

// A Build is what "provenance" tells of the program.
type Build struct {
	Version string
	Commit  string
}

// api has the handlers.
type api struct {
	Options
	limits ijson.Limits
	log    *slog.Logger
}

// Register adds the routes to r. Its errors are in OPA's shape if the server has
// ErrorForm.
func Register(r fiber.Router, o Options) {
	if o.MaxBatch <= 0 {
		o.MaxBatch = 1000
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &api{o, ijson.Limits{Values: max(ijson.DefaultValues, 64*o.MaxBatch)}, httpserver.Throttled(o.Log)}
	handlers := func(h fiber.Handler) []fiber.Handler {
		if o.Authenticate == nil {
			return []fiber.Handler{h}
		}
		return []fiber.Handler{o.Authenticate, h}
	}
	r.Post("/v1/data/*", handlers(a.post)...)
	r.Get("/v1/data/*", handlers(a.get)...)
	r.Get("/v1/data", handlers(a.list)...)
	r.Post("/v1/data", handlers(a.list)...)
	r.Post("/v0/data/*", handlers(a.bare)...)
	r.Post("/", handlers(a.standard)...)
	r.Post("/v1/batch/data/*", handlers(a.batch)...)
	r.Post("/v1/compile/*", handlers(a.compile)...)
	r.Get("/health", a.health)
}

// list refuses to list what there is: data roots are not for callers.
func (a *api) list(*fiber.Ctx) error {
	return notFoundf("all data at once is not served: ask for one path, such as /v1/data/postern/access/decision")
}

// ask asks about items and says in the header what the answer rests on.
func (a *api) ask(c *fiber.Ctx, watch *pdp.Stopwatch, q pdp.Query) (result pdp.Result, err error) {
	q.RequestID, q.Caller = httpserver.RequestID(c), httpserver.Caller(c)
	if q.AtLeast, err = exchange.AtLeast(c, a.Tokens); err != nil {
		return pdp.Result{}, err
	}
	ctx, cancel := exchange.Within(c.UserContext(), len(q.Items))
	defer cancel()
	watch.Parsed()
	result, err = a.PDP.Ask(ctx, q)
	watch.Answered()
	exchange.Decided(c, result.ID, result.Policy)
	if err != nil {
		return pdp.Result{}, &failure{result.ID, exchange.Explain(err)}
	}
	if got, want := len(result.Outcomes), len(q.Items); got != want {
		return pdp.Result{}, mismatch(result.ID, got, want)
	}
	if slices.ContainsFunc(q.Items, func(it pdp.Item) bool { return !it.Bare }) {
		exchange.RestsOn(c, a.Tokens, result.Data)
	}
	return result, nil
}
