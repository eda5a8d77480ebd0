package httpserver

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/postern-authz/postern/internal/authz"
)

// A problem is the body of every answer that is an error (RFC 9457).
type problem struct {
	Type      string          `json:"type"`
	Title     string          `json:"title"`
	Status    int             `json:"status"`
	Detail    string          `json:"detail,omitempty"`
	Reason    string          `json:"reason"`
	RequestID string          `json:"request_id"`
	Errors    []Field         `json:"errors,omitempty"`
	Decision  string          `json:"decision_id,omitempty"`
	Reasons   json.RawMessage `json:"reasons,omitempty"`
}

// A Field is one member of a request that is wrong.
type Field struct {
	Pointer string `json:"pointer"` // JSON Pointer (RFC 6901)
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// A Problem is an error that says how it is answered. Only Status has to be set.
type Problem struct {
	Status     int
	Reason     string // a stable code in kebab case, which the problem's type is named after; default: the status's
	Title      string // of the reason; default: the status's
	Detail     string // what the caller is told
	Fields     []Field
	Decision   string          // id of the decision that forbade, if one did
	Reasons    json.RawMessage // of that decision, as the policy gave them; nil: none are told
	RetryAfter int             // seconds to wait, if waiting helps
	Err        error           // why, for errors.Is and the log; may be nil
}

func (p *Problem) Error() string { return p.Detail }
func (p *Problem) Unwrap() error { return p.Err }

// What strangers are told instead of a cause.
const (
	internal    = "Something went wrong here and not in the request. The operator finds it in the log by the request id."
	unavailable = "The answer cannot be known at the moment. Ask again."
	nobody      = "The credentials are missing or not valid. Send Authorization: Bearer and an app key, or the client certificate that was agreed."
)

func refusef(status int, format string, args ...any) error {
	return &Problem{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Explain returns the HTTP status of an error, and what the caller may be told
// of it: the error's own words when its kind is one the caller can act on, and
// nothing of the cause otherwise.
func Explain(err error) (status int, detail string) {
	var refused *Problem
	var routing *fiber.Error
	switch {
	case errors.As(err, &refused):
		return refused.Status, refused.Detail
	case errors.As(err, &routing):
		return routing.Code, routingDetail(routing.Code)
	case errors.Is(err, authz.ErrUnauthenticated):
		return fiber.StatusUnauthorized, nobody
	case errors.Is(err, authz.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fiber.StatusServiceUnavailable, unavailable
	}
	for _, k := range []struct {
		kind   error
		status int
	}{
		{authz.ErrInvalid, fiber.StatusBadRequest},
		{authz.ErrForbidden, fiber.StatusForbidden},
		{authz.ErrNotFound, fiber.StatusNotFound},
		{authz.ErrConflict, fiber.StatusConflict},
	} {
		if errors.Is(err, k.kind) {
			return k.status, strings.TrimSuffix(err.Error(), ": "+k.kind.Error())
		}
	}
	return fiber.StatusInternalServerError, internal
}

// routingDetail is what fiber's router means. Its own text quotes the path.
func routingDetail(code int) string {
	switch code {
	case fiber.StatusNotFound:
		return "There is nothing at this path. Paths are compared exactly, in case and slashes."
	case fiber.StatusMethodNotAllowed:
		return "This path does not take this method. The Allow header has those it takes."
	}
	return ""
}

// unreadable says why fasthttp gave up on a request.
func unreadable(err error) error {
	var large *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.As(err, &large):
		return refusef(fiber.StatusRequestHeaderFieldsTooLarge, "the request line and the header are too long")
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return refusef(fiber.StatusRequestEntityTooLarge, "the body is too large: send less at once")
	case errors.Is(err, fasthttp.ErrTimeout), errors.As(err, &network) && network.Timeout():
		return refusef(fiber.StatusRequestTimeout, "the request did not come in time")
	}
	return refusef(fiber.StatusBadRequest, "this cannot be read as an HTTP/1.1 request")
}

// handleError is fiber's way to answer.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	s.answer(c.Context(), stateOf(c.Context()), err)
	return nil
}

// answer writes an error as a problem. What the caller is not told is logged.
func (s *Server) answer(rc *fasthttp.RequestCtx, r *request, err error) {
	p := problemOf(s.forbid(rc, err))
	if p.Status >= fiber.StatusInternalServerError {
		s.logFailure(r, p.Status, err)
	}
	s.write(rc, r, p, err)
}

// forbid makes a refusal a 403 at the paths of Options.Forbid.
func (s *Server) forbid(rc *fasthttp.RequestCtx, err error) error {
	prefix := s.options.Forbid
	if prefix == "" || !bytes.HasPrefix(rc.URI().PathOriginal(), []byte(prefix)) {
		return err
	}
	switch status, detail := Explain(err); {
	case status == fiber.StatusUnauthorized, status == fiber.StatusForbidden, status >= fiber.StatusInternalServerError:
		return err
	default:
		return &Problem{Status: fiber.StatusForbidden, Reason: "request-unclear", Title: "It is not clear what was asked for", Detail: detail, Err: err}
	}
}

// problemOf is an error as it is answered, with nothing left out.
func problemOf(err error) Problem {
	var p Problem
	if known := (*Problem)(nil); errors.As(err, &known) {
		p = *known
	} else {
		p.Status, p.Detail = Explain(err)
	}
	reason, title := kindOf(p.Status)
	p.Reason, p.Title = cmp.Or(p.Reason, reason), cmp.Or(p.Title, title)
	if p.Status == fiber.StatusServiceUnavailable {
		p.RetryAfter = max(p.RetryAfter, 1)
	}
	return p
}

func (s *Server) logFailure(r *request, status int, err error) {
	log := s.failures.Error
	if status != fiber.StatusInternalServerError {
		log = s.failures.Warn
	}
	log("a request failed", "err", err, "status", status, "request_id", printable(r.id), r.trace.Attr(), "route", r.route)
}

// write answers an error in the form that belongs to its path.
func (s *Server) write(rc *fasthttp.RequestCtx, r *request, p Problem, err error) {
	mediaType, body := s.form(rc, r).Body(p, err)
	if body == nil {
		mediaType, body = "application/problem+json", problemBody(p, r.id)
	}
	rc.Response.SetStatusCode(p.Status)
	rc.Response.SetBodyRaw(body)
	h := &rc.Response.Header
	h.SetContentType(mediaType)
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	if p.Status == fiber.StatusUnauthorized {
		h.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="postern"`)
	}
	if p.RetryAfter > 0 {
		h.Set(fiber.HeaderRetryAfter, strconv.Itoa(p.RetryAfter))
	}
}

func problemBody(p Problem, requestID string) []byte {
	body, err := json.Marshal(problem{
		"urn:postern:problem:" + p.Reason, p.Title, p.Status, p.Detail, p.Reason, requestID, p.Fields, p.Decision, p.Reasons,
	})
	if err != nil {
		panic(err) // strings and an int always marshal
	}
	return body
}

// kindOf returns the slug and the title of a status, for errors without a reason
// of their own.
func kindOf(status int) (slug, title string) {
	switch status {
	case fiber.StatusBadRequest:
		return "invalid-request", "The request is not valid"
	case fiber.StatusUnauthorized:
		return "unauthenticated", "The caller is not known"
	case fiber.StatusForbidden:
		return "forbidden", "The caller may not ask this"
	case fiber.StatusNotFound:
		return "not-found", "There is no such thing"
	case fiber.StatusConflict:
		return "conflict", "The state does not allow this"
	case fiber.StatusServiceUnavailable:
		return "unavailable", "The answer cannot be known now"
	case fiber.StatusInternalServerError:
		return "internal", "Something went wrong here"
	}
	title = http.StatusText(status)
	return strings.ReplaceAll(strings.ToLower(title), " ", "-"), title
}
