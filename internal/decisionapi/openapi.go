package decisionapi

import (
	_ "embed" // for the file below

	"github.com/gofiber/fiber/v2"
)

// Document is all that the decision listener serves as OpenAPI 3.1, OPA's Data API
// and the calls of proxies included, as it is served at /openapi.json.
//
//go:embed openapi.json
var Document []byte

func showDocument(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Response().SetBody(Document) // a copy: nobody else writes to this one
	return nil
}
