package managementapi

import (
	"crypto/sha256"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/secret"
)

// Media types of bodies.
const (
	mediaJSON  = fiber.MIMEApplicationJSON
	mediaPatch = "application/merge-patch+json" // RFC 7396
)

// Sizes of pages.
const (
	defaultPage = 50
	maxPage     = 200
)

// readQuery takes the parameters that the operation has, each once. One that is
// misspelt would otherwise do more than was asked, such as validate_onyl.
func (r *request) readQuery() error {
	known := slices.Clone(r.op.query)
	if r.op.list {
		known = append(known, "page_size", "page_token")
	}
	if r.op.changes() {
		known = append(known, "validate_only")
	}
	r.query = map[string]string{}
	var wrong error
	for k, v := range r.c.Context().QueryArgs().All() {
		name := string(k)
		_, twice := r.query[name]
		switch {
		case !slices.Contains(known, name):
			wrong = badRequest("there is no query parameter %.60q here: take it out, or see /openapi.json", name)
		case twice:
			wrong = badRequest("the query parameter %s comes twice: send it once", name)
		}
		r.query[name] = string(v)
	}
	if wrong != nil {
		return wrong
	}
	only, err := r.flag("validate_only")
	r.call.ValidateOnly = only != nil && *only
	return err
}

// flag reads a parameter that is true or false; nil: it is neither.
func (r *request) flag(name string) (*bool, error) {
	text, sent := r.query[name]
	if !sent {
		return nil, nil
	}
	if text != "true" && text != "false" {
		return nil, badRequest("the query parameter %s is %.20q: send true or false", name, text)
	}
	yes := text == "true"
	return &yes, nil
}

// readMatch reads If-Match: one ETag as it came, or a star.
func (r *request) readMatch() error {
	text := r.c.Get(fiber.HeaderIfMatch)
	if text == "" {
		return nil
	}
	if text == "*" {
		r.call.MatchAny = true
		return nil
	}
	revision, ok := readETag(text)
	if !ok {
		return badRequest("If-Match is not an ETag of this API: send one as it came in the ETag header, or *")
	}
	r.call.IfMatch = &revision
	return nil
}

// readETag is the revision of an ETag that etag made, with or without what
// follows it.
func readETag(text string) (authz.Revision, bool) {
	inner, ok := strings.CutSuffix(strings.TrimPrefix(text, `"`), `"`)
	if !ok || len(text) > 64 {
		return 0, false
	}
	number, _, _ := strings.Cut(inner, "-")
	revision, err := strconv.ParseUint(number, 10, 64)
	return authz.Revision(revision), err == nil && `"`+inner+`"` == text
}

// readBody checks what the body is, and leaves the reading to the handler.
func (r *request) readBody() error {
	r.body = r.c.BodyRaw()
	switch {
	case len(r.body) > MaxBody:
		return &httpserver.Problem{Status: fiber.StatusRequestEntityTooLarge, Detail: "the body is too large: send less at once"}
	case r.op.body == "" && len(r.body) > 0 && string(r.body) != "{}":
		return badRequest("this takes no body: leave it out")
	case r.op.body != "" && !httpserver.IsMedia(string(r.c.Request().Header.ContentType()), r.op.body):
		return &httpserver.Problem{Status: fiber.StatusUnsupportedMediaType, Detail: "the Content-Type is not " + r.op.body + ": send it, and the body in UTF-8"}
	}
	return nil
}

// readIdempotency reads Idempotency-Key, which a POST may have.
func (r *request) readIdempotency() error {
	key := r.c.Get(headerIdempotency)
	if key == "" || r.op.method != fiber.MethodPost {
		return nil
	}
	invisible := func(c rune) bool { return c <= ' ' || c > '~' }
	if len(key) > 255 || strings.ContainsFunc(key, invisible) {
		return badRequest("the Idempotency-Key is not 1 to 255 visible ASCII characters: send a UUID, for one")
	}
	r.call.Idempotency = &pap.Idempotency{Key: strings.Clone(key), Fingerprint: r.seal.fingerprint(r.c.OriginalURL(), r.body)}
	return nil
}

// param is a parameter of the path. One that is not percent-encoded text is
// nothing's id, and empty; so is one that is a whole key in place of its id, which
// the decision log and the answer would repeat.
func (r *request) param(name string) string {
	text, err := url.PathUnescape(r.c.Params(name))
	if err != nil || secret.In(text) {
		return ""
	}
	return strings.Clone(text)
}

func (r *request) organization() string { return r.param("organization") }

// read reads the body into T, whose JSON tags say what may be in it.
func read[T any](r *request) (in T, err error) {
	v, err := ijson.Decode(r.body, ijson.Limits{})
	if err != nil {
		return in, malformed(err)
	}
	return in, invalid(bind(v, &in))
}

// page reads which part of a list is asked for. The position is where the page
// before ended; empty: there was none.
func (r *request) page() (size int, position string, err error) {
	size = defaultPage
	if text, sent := r.query["page_size"]; sent {
		if size, err = strconv.Atoi(text); err != nil || size < 0 {
			return 0, "", badRequest("the query parameter page_size is %.20q: send a number from 1 to %d", text, maxPage)
		}
	}
	if size == 0 {
		size = defaultPage
	}
	token := r.query["page_token"]
	if token == "" {
		return min(size, maxPage), "", nil
	}
	position, ok := r.seal.position(token, r.about())
	if !ok {
		return 0, "", badRequest("the page_token is not one of this list, with these filters and this caller, or is older than an hour: begin again without it")
	}
	return min(size, maxPage), position, nil
}

// about names the list that is asked for: its path, filters and caller.
func (r *request) about() string {
	p := r.call.Principal
	about := []string{string(r.c.Context().URI().PathOriginal()), string(p.Kind), p.ID, p.Actor}
	for _, name := range slices.Sorted(maps.Keys(r.query)) {
		if name != "page_size" && name != "page_token" {
			about = append(about, name, r.query[name])
		}
	}
	sum := sha256.New()
	for _, part := range about {
		sum.Write([]byte(strconv.Quote(part)))
	}
	return string(sum.Sum(nil))
}
