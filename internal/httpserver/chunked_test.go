package httpserver

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// header is a request header as fasthttp hands it to noteChunked. It may be
// read into the header of a request before.
func header(t *testing.T, into *fasthttp.RequestHeader, id, framing string) {
	t.Helper()
	text := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nX-Request-ID: %s\r\n%s\r\n\r\n", id, framing)
	if err := into.Read(bufio.NewReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) noted() (ids []string) {
	s.chunked.Range(func(_, v any) bool { ids = append(ids, v.(note).id); return true })
	return ids
}

func TestARequestNeverGetsTheIDOfOneThatWasAbandoned(t *testing.T) {
	s, h := New(Options{}), new(fasthttp.RequestHeader)
	header(t, h, "abandoned", "Transfer-Encoding: chunked")
	s.noteChunked(h)
	header(t, h, "next", "Content-Length: 5")
	s.noteChunked(h)
	if got := s.noted(); len(got) != 0 {
		t.Errorf("got the notes %v for a request without chunks, want none", got)
	}
}

func TestAbandonedRequestsAreForgotten(t *testing.T) {
	server := serve(t, Options{}, echo)
	c := server.dial(t)
	_, err := io.WriteString(c, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: abandoned\r\nTransfer-Encoding: chunked\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the header to be noted", func() bool { return strings.Join(server.noted(), "") == "abandoned" })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	server.sweep(time.Now())
	if got := server.noted(); len(got) != 1 {
		t.Errorf("got the notes %v, want that of a request that may still be read", got)
	}
	past := time.Now().Add(server.options.ReadTimeout + time.Second)
	server.sweep(past)
	if got := server.noted(); len(got) != 0 {
		t.Errorf("got the notes %v after the read timeout, want none", got)
	}
}

func TestNotesAreSweptByThemselves(t *testing.T) {
	s := New(Options{ReadTimeout: time.Nanosecond})
	for range 4 * sweepEvery {
		h := new(fasthttp.RequestHeader)
		header(t, h, "a", "Transfer-Encoding: chunked")
		s.noteChunked(h)
	}
	if got := len(s.noted()); got > sweepEvery {
		t.Errorf("got %d notes of abandoned requests, want at most %d", got, sweepEvery)
	}
}
