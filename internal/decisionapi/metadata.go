package decisionapi

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
)

// wellKnown is put between the host and the path of the identifier (AuthZEN
// §9.2).
const wellKnown = "/.well-known/authzen-configuration"

// metadataAge is how long metadata may be kept, in seconds. It changes only when
// the settings do.
const metadataAge = "3600"

// metadata is what a decision point says of itself. It comes from configuration
// and never from a request, so that nobody can make it name another host.
type metadata struct {
	path string // where it is served; empty: nowhere
	body []byte
}

// newMetadata makes the metadata of an identifier, which has to be an https URL
// without query and fragment (AuthZEN §9.1.1).
func newMetadata(identifier string) (metadata, error) {
	if identifier == "" {
		return metadata{}, nil
	}
	u, err := url.Parse(identifier)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil:
		return metadata{}, fmt.Errorf("the public URL %q is not one of a decision point: use https://host or https://host/path", identifier)
	case strings.ContainsAny(identifier, "?#"):
		return metadata{}, fmt.Errorf("the public URL %q has a query or a fragment: leave it out", identifier)
	case strings.HasSuffix(identifier, "/"):
		return metadata{}, fmt.Errorf("the public URL %q ends in a slash: leave it out", identifier)
	}
	body, err := httpserver.Encode(struct {
		Identifier  string `json:"policy_decision_point"`
		Evaluation  string `json:"access_evaluation_endpoint"`
		Evaluations string `json:"access_evaluations_endpoint"`
	}{identifier, identifier + pathEvaluation, identifier + pathEvaluations})
	return metadata{wellKnown + u.EscapedPath(), body}, err
}

// serve answers at the one path that belongs to the identifier. Elsewhere the
// identifier would not be the one that the path was made from, and a caller had
// to refuse it (AuthZEN §9.2.3).
func (m metadata) serve(c *fiber.Ctx) error {
	if m.path == "" {
		return fmt.Errorf("this decision point does not publish metadata, because POSTERN_PUBLIC_URL is not set: %w", authz.ErrNotFound)
	}
	if string(c.Context().URI().PathOriginal()) != m.path {
		return fmt.Errorf("there is no decision point with this path: %w", authz.ErrNotFound)
	}
	c.Set(fiber.HeaderCacheControl, "public, max-age="+metadataAge)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(m.body)
	return nil
}
