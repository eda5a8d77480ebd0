package dataapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/exchange"
)

// health answers GET /health as OPA does: {} if the policy is in force, and with
// "plugins" if the directory is followed too, which "exclude-plugin=directory"
// leaves out again. With "bundles" or without it the policy has to be there. It
// asks nobody who they are, and tells nothing.
func (a *api) health(c *fiber.Ctx) error {
	message := ""
	switch {
	case a.Policy() != nil:
		message = "one or more bundles are not activated"
	case flag(c, "plugins") && !excluded(c) && a.Directory() != nil:
		message = "one or more plugins are not up"
	default:
		return exchange.Send(c, []byte("{}"))
	}
	c.Status(fiber.StatusInternalServerError)
	return exchange.Send(c, appendValue(nil, map[string]string{"error": message}))
}

func excluded(c *fiber.Ctx) bool {
	for _, name := range c.Context().QueryArgs().PeekMulti("exclude-plugin") {
		if string(name) == "directory" {
			return true
		}
	}
	return false
}
