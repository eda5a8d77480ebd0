package httpserver

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/postern-authz/postern/internal/trace"
)

// maxRequestID is the longest request id that is echoed, in bytes. AuthZEN
// §10.1.3 wants the same id back, so a longer one is refused and not cut.
const maxRequestID = 256

// requestID returns a copy of the caller's X-Request-ID, which fasthttp has made
// sure holds no control character but a tab, or makes one.
func requestID(h *fasthttp.RequestHeader) (string, error) {
	sent := h.PeekAll(fiber.HeaderXRequestID)
	if len(sent) == 1 && len(sent[0]) > 0 && len(sent[0]) <= maxRequestID {
		return string(sent[0]), nil
	}
	id := newRequestID()
	switch {
	case len(sent) > 1:
		return id, refusef(fiber.StatusBadRequest, "the request has %d X-Request-ID headers: send one", len(sent))
	case len(sent) == 1 && len(sent[0]) > maxRequestID:
		return id, refusef(fiber.StatusBadRequest, "the X-Request-ID has %d bytes: send %d or fewer", len(sent[0]), maxRequestID)
	}
	return id, nil
}

// traceOf returns the span of a request. One that names two traces is of none.
func traceOf(h *fasthttp.RequestHeader) *trace.Span {
	sent := h.PeekAll(trace.HeaderParent)
	if len(sent) != 1 {
		return nil
	}
	traceparent := sent[0] // the next PeekAll writes over sent
	return trace.Parse(traceparent, h.PeekAll(trace.HeaderState))
}

// newRequestID returns a UUID version 7.
func newRequestID() string { return uuid.Must(uuid.NewV7()).String() }

// printable makes an id fit for any log (T18): at most 128 characters, all of
// them visible ASCII.
func printable(id string) string {
	const most = 128
	fits := len(id) <= most
	for i := 0; fits && i < len(id); i++ {
		fits = visible(id[i])
	}
	if fits {
		return id
	}
	b := []byte(id[:min(len(id), most)])
	for i, c := range b {
		if !visible(c) {
			b[i] = '?'
		}
	}
	return string(b)
}

func visible(c byte) bool { return '!' <= c && c <= '~' }
