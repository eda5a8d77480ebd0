// Package proxyauth answers proxies that ask whether to let a request through:
// nginx (auth_request), Traefik, Caddy and HAProxy (forward auth), and Envoy
// (HTTP ext_authz). It reads what the proxy says of the request and of its user,
// has the policy say what that means, and lets the decision point decide that.
// What it is not sure of it refuses.
package proxyauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/jwt"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
)

// A Decider answers queries; pdp.PDP does.
type Decider interface {
	Evaluate(ctx context.Context, q pdp.Query) (pdp.Result, error)
}

// Policies keeps a policy in force; policy.Engine does.
type Policies interface {
	Live() *policy.Generation
	Run(ctx context.Context, fn func(context.Context)) error
}

// Tokens says whose a JWT is; jwt.Verifier does. What is wrong with one is an
// error of kind authz.ErrUnauthenticated.
type Tokens interface {
	Verify(ctx context.Context, text string) (jwt.User, error)
}

// Options says what the routes need.
type Options struct {
	PDP      Decider
	Stages   *pdp.Stages // nil: nobody measures
	Policies Policies
	Trusted  Trust
	// Tokens reads JWTs; nil: whatever Authorization says is the application's.
	Tokens Tokens
	// SubjectHeader is the header in which a proxy names the user by username;
	// empty: none.
	SubjectHeader string
	// Headers are those of the request that the policy sees.
	Headers      []string
	Authenticate fiber.Handler // goes before everything, knows the proxy; nil: every proxy may ask
	Log          *slog.Logger  // slog.Default()
}

// The paths, one for each way in which proxies tell what they were asked.
const (
	Paths           = "/authz/" // what all of them begin with
	PathForwardAuth = "/authz/forward-auth"
	PathAuthRequest = "/authz/auth-request"
	PathExtAuthz    = "/authz/ext-authz"
)

// What an allow says to the application. An empty value takes the place of what
// the client sent under that name.
const (
	HeaderSubject     = "X-Postern-Subject"
	HeaderRole        = "X-Postern-Role"
	HeaderDecisionID  = "X-Postern-Decision-Id"
	HeaderObligations = "X-Postern-Obligations"
	HeaderStale       = "X-Postern-Stale" // true, or empty
)

// api has the handlers.
type api struct {
	Options
	log *slog.Logger
}

// Register adds the routes to r. They take every method: proxies ask with GET,
// or with the method that they were asked with.
func Register(r fiber.Router, o Options) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &api{o, httpserver.Throttled(o.Log)}
	for path, way := range map[string]way{
		PathForwardAuth:     {pdp.APIForwardAuth, readForwardAuth},
		PathAuthRequest:     {pdp.APIAuthRequest, readAuthRequest},
		PathExtAuthz + "/*": {pdp.APIExtAuthz, readExtAuthz},
	} {
		handlers := []fiber.Handler{func(c *fiber.Ctx) error { return a.serve(c, way) }}
		if o.Authenticate != nil {
			handlers = append([]fiber.Handler{o.Authenticate}, handlers...)
		}
		r.All(path, handlers...)
	}
}

// A way is one in which proxies ask.
type way struct {
	api  string // as pdp names it
	read func(*fiber.Ctx) (target, error)
}

// serve answers one call with 200, 401 or 403, or with 503 when there is no
// answer: what other answers mean differs from proxy to proxy.
func (a *api) serve(c *fiber.Ctx, w way) error {
	err := a.answer(c, w)
	var said *httpserver.Problem
	if err == nil || errors.As(err, &said) {
		return err
	}
	return fmt.Errorf("%w: %w", authz.ErrUnavailable, err)
}

func (a *api) answer(c *fiber.Ctx, w way) error {
	watch := a.Stages.Begin()
	if err := a.trusts(c); err != nil {
		return err
	}
	asked, err := a.read(c, w)
	if err != nil {
		return err
	}
	who, err := a.identify(c)
	if err != nil {
		return err
	}
	generation := a.Policies.Live()
	if generation == nil {
		return errors.New("no policy is in force")
	}
	meant, err := a.route(c.UserContext(), generation, asked, who)
	switch {
	case err != nil:
		return err
	case meant.public:
		return allow(c, who.subject, outcome{})
	case !who.known():
		return who.stranger()
	}
	return a.decide(c, &watch, w, generation, who.subject, meant)
}
