package httpserver

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestD1Smuggling sends over real TCP what a proxy in front may have understood
// as one request, followed by a second one inside. Whatever the server says, it
// says it once and hangs up: the inner request is never answered.
func TestD1Smuggling(t *testing.T) {
	server := serve(t, Options{}, echo)
	const inner = "GET /hello/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	post := func(header, body string) string {
		return "POST /echo HTTP/1.1\r\nHost: x\r\n" + header + "\r\n" + body
	}
	for name, tt := range map[string]struct {
		sent   string
		status int
	}{
		"a length and a coding":               {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+inner), 400},
		"a coding and a length":               {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+inner), 400},
		"in other case":                       {post("content-length: 5\r\ntransfer-encoding: Chunked\r\n", "0\r\n\r\n"+inner), 400},
		"two equal lengths":                   {post("Content-Length: 0\r\nContent-Length: 0\r\n", inner), 400},
		"two lengths":                         {post("Content-Length: 0\r\nContent-Length: 44\r\n", inner), 400},
		"a list of lengths":                   {post("Content-Length: 0, 44\r\n", inner), 400},
		"a length with a plus":                {post("Content-Length: +0\r\n", inner), 400},
		"a negative length":                   {post("Content-Length: -1\r\n", inner), 400},
		"a length in hexadecimal":             {post("Content-Length: 0x0\r\n", inner), 400},
		"a length of 20 digits":               {post("Content-Length: 18446744073709551616\r\n", inner), 400},
		"two codings":                         {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+inner), 400},
		"a list of codings":                   {post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+inner), 400},
		"identity":                            {post("Transfer-Encoding: identity\r\n", inner), 400},
		"identity and a length":               {post("Transfer-Encoding: identity\r\nContent-Length: 0\r\n", inner), 400},
		"an unknown coding":                   {post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"+inner), 400},
		"a coding behind a vertical tab":      {post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"+inner), 400},
		"a coding with a space before colon":  {post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"+inner), 400},
		"a folded coding":                     {post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"+inner), 400},
		"a folded field":                      {post("X: a\r\n\tb\r\nContent-Length: 0\r\n", inner), 400},
		"a line that ends in LF":              {post("X: a\nContent-Length: 0\r\n", inner), 400},
		"a header that ends in LF":            {"POST /echo HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + inner, 400},
		"a hidden end of the header":          {"POST /echo HTTP/1.1\r\nHost: x\r\nX: a\n\nContent-Length: 0\r\n\r\n" + inner, 400},
		"a carriage return in a value":        {post("X: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n", inner), 400},
		"a NUL in a value":                    {post("X: a\x00b\r\nContent-Length: 0\r\n", inner), 400},
		"a NUL in a name":                     {post("X\x00: a\r\nContent-Length: 0\r\n", inner), 400},
		"a space in a name":                   {post("X Y: a\r\nContent-Length: 0\r\n", inner), 400},
		"a field without a colon":             {post("X\r\nContent-Length: 0\r\n", inner), 400},
		"a field without a name":              {post(": x\r\nContent-Length: 0\r\n", inner), 400},
		"a chunk size with a prefix":          {post("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"+inner), 400},
		"a chunk size with a plus":            {post("Transfer-Encoding: chunked\r\n", "+0\r\n\r\n"+inner), 400},
		"a chunk that is longer than it says": {post("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"+inner), 400},
		"a chunk that ends in LF":             {post("Transfer-Encoding: chunked\r\n", "1\na\n0\n\n"+inner), 400},
		"a forbidden trailer":                 {post("Transfer-Encoding: chunked\r\n", "0\r\nAuthorization: Bearer x\r\n\r\n"+inner), 400},
		"HTTP/1.0":                            {"POST /echo HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n" + inner, 505},
		"HTTP/1.0 and a coding":               {"POST /echo HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, 400},
		"HTTP/1.2":                            {"POST /echo HTTP/1.2\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + inner, 505},
		"HTTP/2":                              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + inner, 505},
		"no version":                          {"GET /hello/x\r\n\r\n" + inner, 400},
		"an unknown version":                  {"GET /hello/x FOO\r\nHost: x\r\n\r\n" + inner, 400},
		"no Host":                             {"POST /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + inner, 400},
		"two Hosts":                           {post("Host: y\r\nContent-Length: 0\r\n", inner), 400},
		"two Authorizations":                  {post("Authorization: Bearer a\r\nauthorization: Bearer b\r\nContent-Length: 0\r\n", inner), 400},
		"two Content-Types":                   {post("Content-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n", inner), 400},
		"two request ids":                     {post("X-Request-ID: a\r\nX-Request-ID: b\r\nContent-Length: 0\r\n", inner), 400},
		"a body that is packed":               {post("Content-Encoding: gzip\r\nContent-Length: 0\r\n", inner), 415},
		"a body that is packed as identity":   {post("Content-Encoding: identity\r\nContent-Length: 0\r\n", inner), 415},
		"no request at all":                   {"\x16\x03\x01\x02\x00\x01\x00" + "\r\n\r\n" + inner, 400},
	} {
		t.Run(name, func(t *testing.T) {
			text := server.raw(t, tt.sent)
			got := responses(t, text)
			if len(got) != 1 || got[0].StatusCode != tt.status || !got[0].Close {
				t.Fatalf("got %d answers: %q, want one %d with Connection: close", len(got), text, tt.status)
			}
			if got[0].Header.Get("X-Request-ID") == "" || got[0].Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %q, want a problem with a request id", text)
			}
			if strings.Contains(text, "smuggled") || strings.Contains(text, "xchunked") {
				t.Errorf("got %q, want nothing of the request in it (T19)", text)
			}
		})
	}
}

func TestWhatIsNotSmuggling(t *testing.T) {
	server := serve(t, Options{}, echo)
	for name, tt := range map[string]struct{ sent, want string }{
		"a length":            {"Content-Length: 2\r\n\r\nab", "got ab"},
		"chunks":              {"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "got ab"},
		"chunks in capitals":  {"TRANSFER-ENCODING: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n", "got ab"},
		"no body":             {"\r\n", "got "},
		"tabs around a value": {"X:\ta\t\r\nContent-Length: 2\r\n\r\nab", "got ab"},
	} {
		t.Run(name, func(t *testing.T) {
			got := responses(t, server.raw(t, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+tt.sent))
			if len(got) != 1 || got[0].StatusCode != 200 {
				t.Fatalf("got %v, want one 200", got)
			}
			if body, _ := io.ReadAll(got[0].Body); string(body) != tt.want {
				t.Errorf("got %q, want %q", body, tt.want)
			}
		})
	}
}

func TestPathsAreNotRewritten(t *testing.T) {
	server := serve(t, Options{}, echo)
	for _, path := range []string{"//echo", "/./echo", "/x/../echo", "/%65cho", "/echo/", "/ECHO", "/echo%2f", "/echo;x"} {
		if resp, body := server.do(t, "POST", path, "x"); resp.StatusCode != 404 {
			t.Errorf("POST %s got %d %s, want 404", path, resp.StatusCode, body)
		}
	}
}

func BenchmarkFramingGuard(b *testing.B) {
	header := []byte("Host: postern.svc:8181\r\nAuthorization: Bearer " + strings.Repeat("a", 400) + "\r\nContent-Type: application/json\r\n" +
		"User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nContent-Length: 312\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if f, ok := countFields(header); !ok || f.host != 1 {
			b.Fatal(fmt.Sprint(f))
		}
	}
}
