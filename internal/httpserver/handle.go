package httpserver

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/trace"
)

// A request is what the server knows of one HTTP request. It is never used
// again for another one.
type request struct {
	id     string // what X-Request-ID of the answer says
	route  string // template, or noRoute
	caller authz.Caller
	trace  *trace.Span // nil: the request belongs to none
	path   string      // set where fasthttp has forgotten it
}

// requestKey is where a request lies in the values of its fasthttp context.
type requestKey struct{}

func stateOf(rc *fasthttp.RequestCtx) *request {
	if r, ok := rc.UserValue(requestKey{}).(*request); ok {
		return r
	}
	return &request{route: noRoute}
}

// RequestID returns the id of the request in a form that any log can hold: as
// the caller sent it, or as the server made it.
func RequestID(c *fiber.Ctx) string { return printable(stateOf(c.Context()).id) }

// Trace returns the span of the request, or nil if the caller sent no trace. The
// UserContext has it, too.
func Trace(c *fiber.Ctx) *trace.Span { return stateOf(c.Context()).trace }

// Caller returns the application that Authenticator.Handle let in.
func Caller(c *fiber.Ctx) authz.Caller { return stateOf(c.Context()).caller }

// handle answers one request, whatever happens.
func (s *Server) handle(rc *fasthttp.RequestCtx) {
	start := time.Now()
	s.metrics.inFlight.Inc()
	r, err := s.begin(rc)
	defer s.finish(rc, r, start)
	defer s.recover(rc, r)
	if err == nil {
		err = checkFraming(&rc.Request.Header)
	}
	if err == nil {
		err = checkMethod(rc.Method())
	}
	if err != nil {
		s.answer(rc, r, err)
		hangUp(rc)
		return
	}
	s.routes(rc)
}

// begin gives the request its id and its trace. The id is right even when the error says that
// the request cannot be answered.
func (s *Server) begin(rc *fasthttp.RequestCtx) (*request, error) {
	id, err := requestID(&rc.Request.Header)
	r := &request{id: id, route: noRoute, trace: traceOf(&rc.Request.Header)}
	rc.SetUserValue(requestKey{}, r)
	return r, err
}

// checkMethod refuses what fiber would answer by itself, and not as a problem.
func checkMethod(method []byte) error {
	if slices.Contains(fiber.DefaultMethods, string(method)) {
		return nil
	}
	return refusef(fiber.StatusBadRequest, "the method of the request is not one of HTTP: send POST")
}

// methodOf is the method of a request, or other: what is none of HTTP may be the
// rest of another request, with a credential in it (T19).
func methodOf(rc *fasthttp.RequestCtx) string {
	if method := string(rc.Method()); slices.Contains(fiber.DefaultMethods, method) {
		return method
	}
	return "other"
}

// around runs inside fiber's routes: it sets the deadline and the trace, and notes
// which route was taken.
func (s *Server) around(c *fiber.Ctx) error {
	r, mine := stateOf(c.Context()), c.Route()
	defer func() {
		if taken := c.Route(); taken != mine {
			r.route = taken.Path
		}
	}()
	ctx := trace.With(context.Background(), r.trace)
	if s.options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.options.Timeout)
		defer cancel()
	}
	c.SetUserContext(ctx)
	return c.Next()
}

// finish sets what every answer has, counts it, and logs it.
func (s *Server) finish(rc *fasthttp.RequestCtx, r *request, start time.Time) {
	h := &rc.Response.Header
	h.Set(fiber.HeaderXRequestID, r.id)
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if s.draining.Load() {
		rc.SetConnectionClose()
	}
	s.metrics.inFlight.Dec()
	method, status, took := methodOf(rc), rc.Response.StatusCode(), time.Since(start)
	s.metrics.answered(r, method, status, took)
	s.logRequest(r, method, status, took)
}

// recover keeps one request from ending the process (F31). The caller learns the
// id of the incident, which is the request's; the log has the rest.
func (s *Server) recover(rc *fasthttp.RequestCtx, r *request) {
	what := recover()
	if what == nil {
		return
	}
	s.metrics.panics.Inc()
	s.options.Log.Error("a handler panicked", "panic", cause(rc, what), "request_id", printable(r.id), r.trace.Attr(), "route", r.route, "stack", string(debug.Stack()))
	rc.Response.Reset()
	err := refusef(fasthttp.StatusInternalServerError, internal)
	s.write(rc, r, problemOf(err), err)
}

// refuse answers what fasthttp could not read as a request. Its errors quote the
// request, so none of their text goes anywhere (T19).
func (s *Server) refuse(rc *fasthttp.RequestCtx, err error) {
	start := time.Now()
	s.metrics.inFlight.Inc()
	r, _ := s.begin(rc) // why it is refused is known already
	defer s.finish(rc, r, start)
	if v, ok := s.chunked.LoadAndDelete(&rc.Request.Header); ok && ofBody(err) {
		r.id, r.path = v.(note).id, v.(note).path
	}
	s.answer(rc, r, unreadable(err))
	hangUp(rc)
}

// A note is the id and the path of a request whose body is still being read.
type note struct {
	id, path string
	at       time.Time
}

// sweepEvery is after how many notes those of abandoned requests are dropped.
const sweepEvery = 1024

// noteChunked keeps the id of a request whose body comes in chunks: fasthttp
// forgets the header when such a body is wrong, and its answer would have
// another id (AuthZEN §10.1.3). ContentLength is -1 for chunks. fasthttp uses
// headers again, so what was noted of the request before is dropped.
func (s *Server) noteChunked(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if h.ContentLength() != -1 {
		s.chunked.Delete(h)
		return fasthttp.RequestConfig{}
	}
	id, _ := requestID(h) // it is judged once the body is there
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	s.chunked.Store(h, note{id, path, time.Now()})
	if s.notes.Add(1)%sweepEvery == 0 {
		s.sweep(time.Now())
	}
	return fasthttp.RequestConfig{}
}

// sweep drops the notes of requests that have been read, or never will be: of a
// client that goes away before the first chunk, fasthttp tells nobody.
func (s *Server) sweep(now time.Time) {
	s.chunked.Range(func(h, v any) bool {
		if now.Sub(v.(note).at) > s.options.ReadTimeout {
			s.chunked.CompareAndDelete(h, v)
		}
		return true
	})
}

// ofBody reports whether an error can only be of a body, so that what was kept
// of a header is of the same request.
func ofBody(err error) bool {
	var chunk fasthttp.ErrBrokenChunk
	return errors.Is(err, fasthttp.ErrBodyTooLarge) || errors.As(err, &chunk)
}

// hangUp closes the connection behind the answer: what follows on it may be the
// rest of a request that was understood differently elsewhere (T14).
func hangUp(rc *fasthttp.RequestCtx) {
	rc.SetConnectionClose()
	if c := lingering(rc.Conn()); c != nil {
		c.linger.Store(true)
	}
}
