package managementapi

import (
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
)

// A problemPage tells about one reason of a problem.
type problemPage struct {
	Reason  string `json:"reason"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
}

// titleOf is the title of a reason.
func titleOf(reason string) string { return problems[reason][0] }

func pageOf(reason string) problemPage {
	p := problems[reason]
	return problemPage{reason, "urn:postern:problem:" + reason, p[0], p[1], p[2]}
}

// showProblems lists the reasons.
func showProblems(c *fiber.Ctx) error {
	var all page[problemPage]
	for _, reason := range sorted(problems) {
		all.Items = append(all.Items, pageOf(reason))
	}
	return sendStatic(c, all)
}

// showProblem tells about one reason.
func showProblem(c *fiber.Ctx) error {
	reason := strings.Clone(c.Params("reason"))
	if _, known := problems[reason]; !known {
		return fmt.Errorf("there is no such reason: see /problems for all of them: %w", authz.ErrNotFound)
	}
	return sendStatic(c, pageOf(reason))
}

func sendStatic(c *fiber.Ctx, v any) error {
	body, err := httpserver.Encode(v)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(body)
	return nil
}
