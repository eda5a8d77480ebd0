package httpserver

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// fields counts header fields that two readers could understand differently
// when they come twice, or together.
type fields struct {
	host, authorization, contentType, contentEncoding int
	contentLength, transferEncoding                   int
	unclear                                           bool // a coding other than chunked
}

// checkFraming refuses a request that a proxy in front may have cut from the
// stream at another place, or with another meaning (T14, D1). fasthttp refuses
// most of them while it parses; this is what it lets pass.
func checkFraming(h *fasthttp.RequestHeader) error {
	if !h.IsHTTP11() {
		return refusef(fiber.StatusHTTPVersionNotSupported, "the request is not HTTP/1.1: send it as that")
	}
	f, ok := countFields(h.RawHeaders())
	switch {
	case !ok:
		return refusef(fiber.StatusBadRequest, "the header is folded, has a name with a space, or a line that does not end in CR LF: send one field a line")
	case f.host != 1:
		return refusef(fiber.StatusBadRequest, "the request has %d Host headers: send one", f.host)
	case f.transferEncoding > 0 && f.contentLength > 0:
		return refusef(fiber.StatusBadRequest, "the request has a Content-Length and a Transfer-Encoding: send one of them")
	case f.transferEncoding > 1 || f.contentLength > 1 || f.unclear:
		return refusef(fiber.StatusBadRequest, "the length of the body is unclear: send one Content-Length, or Transfer-Encoding: chunked")
	case f.authorization > 1:
		return refusef(fiber.StatusBadRequest, "the request has %d Authorization headers: send one", f.authorization)
	case f.contentType > 1:
		return refusef(fiber.StatusBadRequest, "the request has %d Content-Type headers: send one", f.contentType)
	case f.contentEncoding > 0:
		return refusef(fiber.StatusUnsupportedMediaType, "the request has a Content-Encoding: send the body as it is")
	}
	return nil
}

// countFields reads the header as it was sent. It is not ok when a line ends
// otherwise than in CR LF, continues the one before, or has a space in its name.
func countFields(raw []byte) (f fields, ok bool) {
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 1 || raw[end-1] != '\r' {
			return f, false
		}
		line := raw[:end-1]
		if raw = raw[end+1:]; len(line) == 0 {
			break
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || len(name) == 0 || bytes.IndexByte(name, ' ') >= 0 {
			return f, false
		}
		f.count(name, value)
	}
	return f, true
}

func (f *fields) count(name, value []byte) {
	switch len(name) {
	case len("host"):
		f.host += is(name, "host")
	case len("content-type"):
		f.contentType += is(name, "content-type")
	case len("authorization"):
		f.authorization += is(name, "authorization")
	case len("content-length"):
		f.contentLength += is(name, "content-length")
	case len("content-encoding"):
		f.contentEncoding += is(name, "content-encoding")
	case len("transfer-encoding"):
		if is(name, "transfer-encoding") == 1 {
			f.transferEncoding++
			f.unclear = f.unclear || is(bytes.Trim(value, " \t"), "chunked") == 0
		}
	}
}

// is returns 1 when name is the lower-case word in any case, else 0.
func is(name []byte, word string) int {
	if len(name) != len(word) {
		return 0
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return 0
		}
	}
	return 1
}
