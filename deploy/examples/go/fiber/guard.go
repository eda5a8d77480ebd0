package main

import (
	"log/slog"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/deploy/examples/go/postern"
)

// A Guard lets requests through to the next handler of Fiber if their user may.
type Guard struct {
	Client *postern.Client
	User   func(*fiber.Ctx) (postern.Entity, bool) // from the application's own session; false: nobody is signed in
	Log    *slog.Logger
}

type answerKey struct{}

// Allowed is the answer that let a request through to its handler.
func Allowed(c *fiber.Ctx) postern.Answer {
	answer, _ := c.Locals(answerKey{}).(postern.Answer)
	return answer
}

// Allow guards a route: the action it is, and the resource it is done to. Nobody
// signed in is a 401, a denial a 403, and no answer from Postern a 503.
func (g Guard) Allow(action string, resource func(*fiber.Ctx) postern.Entity) fiber.Handler {
	return func(c *fiber.Ctx) error {
		user, ok := g.User(c)
		if !ok {
			c.Set(fiber.HeaderWWWAuthenticate, `Basic realm="portal"`)
			return c.Status(fiber.StatusUnauthorized).SendString("Sign in.")
		}
		ctx := postern.WithTrace(c.UserContext(), c.Get(fiber.HeaderXRequestID), c.Get("traceparent"))
		q := postern.Question{Action: action, Resource: resource(c)}
		answer := g.Client.Evaluate(ctx, user, q)
		if !answer.Allowed {
			status, text := postern.Refuse(g.Log, user, q, answer)
			return c.Status(status).SendString(text)
		}
		c.SetUserContext(ctx)
		c.Locals(answerKey{}, answer)
		return c.Next()
	}
}
