package dataapi

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// pathOf is the path that a request asks about, as policy.Generation.Ask has it.
// As in OPA a slash too many makes no difference, and an escaped slash belongs to
// a segment.
func pathOf(c *fiber.Ctx) (string, error) {
	var segments []string
	asked := strings.Clone(c.Params("*")) // fiber writes the next request's over it, and paths are kept
	for segment := range strings.SplitSeq(asked, "/") {
		if segment == "" {
			continue
		}
		name, err := url.PathUnescape(segment)
		if err != nil {
			return "", invalidf("the path is not escaped as in a URL: write %%25 for a percent sign")
		}
		segments = append(segments, url.PathEscape(name))
	}
	if len(segments) == 0 {
		return "", notFoundf("all data at once is not served: ask for one path, such as /v1/data/postern/access/decision")
	}
	return strings.Join(segments, "/"), nil
}

// dotted is a path as OPA writes it in messages: data.postern.access.decision.
func dotted(path string) string { return "data." + strings.ReplaceAll(path, "/", ".") }
