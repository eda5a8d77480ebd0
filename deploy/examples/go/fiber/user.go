package main

import (
	"encoding/base64"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/deploy/examples/go/portal"
	"github.com/postern-authz/postern/deploy/examples/go/postern"
)

// user reads HTTP's basic authentication, for which Fiber has no reader.
func user(c *fiber.Ctx) (postern.Entity, bool) {
	text, basic := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Basic ")
	plain, err := base64.StdEncoding.DecodeString(text)
	if !basic || err != nil {
		return postern.Entity{}, false
	}
	name, _, _ := strings.Cut(string(plain), ":")
	return portal.User(name)
}
