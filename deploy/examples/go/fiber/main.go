// Command fiber is an application on Fiber v2 whose routes Postern guards.
package main

import (
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/deploy/examples/go/portal"
	"github.com/postern-authz/postern/deploy/examples/go/postern"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(log); err != nil {
		log.Error("ended", "err", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger) error {
	client, err := postern.New(postern.Options{
		URL: os.Getenv("POSTERN_URL"), Key: os.Getenv("POSTERN_KEY"),
		Timeout:     2 * time.Second,
		Obligations: []string{"redact", "record"}, // the page shows no prices; every request is logged
	})
	if err != nil {
		return err
	}
	app := portal.Portal{Decisions: client, Management: os.Getenv("POSTERN_SERVER"), Token: os.Getenv("POSTERN_TOKEN"), Log: log}
	ln, err := net.Listen("tcp", os.Getenv("LISTEN"))
	if err != nil {
		return err
	}
	log.Info("serving", "addr", ln.Addr().String())
	return routes(app).Listener(ln)
}

// routes says of each route what it does to what. A route without Allow is open
// to everybody.
func routes(app portal.Portal) *fiber.App {
	guard := Guard{Client: app.Decisions, User: user, Log: app.Log}
	service := func(c *fiber.Ctx) postern.Entity { return portal.Service(c.Params("id")) }
	account := func(c *fiber.Ctx) postern.Entity { return portal.Account(c.Params("account")) }

	routes := fiber.New(fiber.Config{DisableStartupMessage: true, ReadTimeout: 5 * time.Second})
	routes.Get("/services/:id", guard.Allow("service.view", service), func(c *fiber.Ctx) error {
		who, _ := user(c)
		body, err := app.Page(c.UserContext(), who, c.Params("id"), Allowed(c))
		if err != nil {
			return err
		}
		c.Type("html")
		return c.Send(body)
	})
	routes.Post("/services/:id/orders", guard.Allow("order.create", service), func(c *fiber.Ctx) error {
		return c.SendStatus(fiber.StatusCreated)
	})
	routes.Delete("/members/:member/accounts/:account", guard.Allow("member.account.revoke", account), func(c *fiber.Ctx) error {
		who, _ := user(c)
		if err := app.TakeAccount(c.UserContext(), who, c.Params("member"), c.Params("account")); err != nil {
			app.Log.Error("an account was not taken", "err", err)
			return c.Status(fiber.StatusBadGateway).SendString("The account was not taken.")
		}
		return nil
	})
	return routes
}
