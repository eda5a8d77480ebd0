package managementapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pap"
)

// show answers with one resource and its ETag, or that the caller has it.
func (r *request) show(v any, err error) error {
	if err != nil {
		return err
	}
	body, err := httpserver.Encode(v)
	if err != nil {
		return err
	}
	tag := etag(v, body)
	r.c.Set(fiber.HeaderETag, tag)
	if r.c.Method() != fiber.MethodPost && matches(r.c.Get(fiber.HeaderIfNoneMatch), tag) {
		r.c.Status(fiber.StatusNotModified)
		return nil
	}
	return r.send(fiber.StatusOK, body)
}

// changed answers with what a change made, and with the token that lets a
// decision see it. What was only validated is 200, whatever it would be.
func (r *request) changed(status int, v any, change pap.Change, err error) error {
	if err != nil {
		return err
	}
	body, err := httpserver.Encode(v)
	if err != nil {
		return err
	}
	if change.Decision != "" {
		r.c.Set(headerDecision, change.Decision)
	}
	if change.Replayed {
		r.c.Set(headerReplayed, "true")
	}
	if r.call.ValidateOnly {
		return r.send(fiber.StatusOK, body)
	}
	if _, single := revisionOf(v); single {
		r.c.Set(fiber.HeaderETag, etag(v, body))
	}
	token := r.tokens.Issue(change.Revision)
	r.c.Set(headerToken, token)
	return r.send(status, withToken(body, token))
}

// withToken adds a member to an object. A token is base64url and needs no
// escaping.
func withToken(object []byte, token string) []byte {
	open := object[:len(object)-1]
	if len(open) > 1 {
		open = append(open, ',')
	}
	return fmt.Appendf(open, `"consistency_token":"%s"}`, token)
}

// A page is what every list answers with.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_page_token"` // empty: this is the end
}

// listed answers with a part of a list; next is where it ended, empty at the end.
func listed[T any](r *request, items []T, next string, err error) error {
	if err != nil {
		return err
	}
	if items == nil {
		items = []T{}
	}
	p := page[T]{Items: items}
	if next != "" {
		p.Next = r.seal.page(next, r.about())
	}
	body, err := httpserver.Encode(p)
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, body)
}

// send answers with a body that nobody else holds.
func (r *request) send(status int, body []byte) error {
	r.c.Status(status).Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	r.c.Response().SetBodyRaw(body)
	return nil
}

// etag is the strong ETag of a resource: the revision it changed at last, which
// is what If-Match compares, and a hash of what this caller sees of it. An
// invitation expires, and an actor gains sight, without a change of the
// resource; the hash then differs and the revision does not.
func etag(v any, body []byte) string {
	sum := sha256.Sum256(body)
	seen := hex.EncodeToString(sum[:8])
	if revision, ok := revisionOf(v); ok {
		return fmt.Sprintf(`"%d-%s"`, revision, seen)
	}
	return `"` + seen + `"`
}

// matches reports whether If-None-Match names the ETag (RFC 9110 §13.1.2).
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}

// revisionOf is when a resource changed last. Companies, accounts, tools and
// roles do not know.
func revisionOf(v any) (authz.Revision, bool) {
	switch v := v.(type) {
	case part:
		return v.whole, true
	case pap.Organization:
		return v.Revision, true
	case pap.AccountGroup:
		return v.Revision, true
	case pap.Member:
		return v.Revision, true
	case pap.Removal:
		return v.Member.Revision, true
	case pap.Invitation:
		return v.Revision, true
	case pap.Webhook:
		return v.Revision, true
	case pap.NewSecret:
		return v.Revision, true
	}
	return 0, false
}
