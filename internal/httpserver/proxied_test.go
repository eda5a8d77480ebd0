package httpserver

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// What a proxy in front counts on: each answer ends where it says, so that the
// next one on the connection is not taken for a part of it, whatever the method
// was; and a method that a path does not take is told with those it takes.
func TestAnswersOnOneConnectionEndWhereTheySay(t *testing.T) {
	server := serve(t, Options{MaxBody: 100}, echo)
	c := server.dial(t)
	answers := bufio.NewReader(c)
	for _, tt := range []struct {
		method, path, header, body string
		status                     int
		allow, want                string // of the body; of HEAD there is none
	}{
		{"HEAD", "/hello/x", "", "", 200, "", "hello"},
		{"GET", "/hello/x", "", "", 200, "", "hello"},
		{"HEAD", "/echo", "", "", 405, "POST", "method-not-allowed"},
		{"OPTIONS", "/hello/x", "Origin: https://portal.example\r\nAccess-Control-Request-Method: GET\r\n", "", 405, "GET, HEAD", "method-not-allowed"},
		{"PUT", "/hello/x", "", "a body that nobody reads", 405, "GET, HEAD", "method-not-allowed"},
		{"TRACE", "/echo", "X-Secret: hunter2\r\n", "", 405, "POST", "method-not-allowed"},
		{"OPTIONS", "*", "", "", 404, "", "not-found"},
		{"GET", "http://x/hello/y", "", "", 200, "", "hello"}, // as a proxy asks a proxy
		{"GET", "/hello/x", "", "a body of a GET", 200, "", "hello"},
		{"POST", "/echo", "", "x", 200, "", "got x"},
		{"DELETE", "/nowhere", "", "", 404, "", "not-found"},
		{"GET", "/hello/x", "", "", 200, "", "hello"},
	} {
		length := ""
		if tt.body != "" {
			length = "Content-Length: " + strconv.Itoa(len(tt.body)) + "\r\n"
		}
		if _, err := io.WriteString(c, tt.method+" "+tt.path+" HTTP/1.1\r\nHost: x\r\n"+tt.header+length+"\r\n"+tt.body); err != nil {
			t.Fatalf("%s %s: %v", tt.method, tt.path, err)
		}
		got, err := http.ReadResponse(answers, &http.Request{Method: tt.method})
		if err != nil {
			t.Fatalf("%s %s: %v", tt.method, tt.path, err)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", tt.method, tt.path, err)
		}
		if got.StatusCode != tt.status || got.Header.Get("Allow") != tt.allow || got.Close {
			t.Errorf("%s %s: got %d, Allow %q, closed %t, want %d, Allow %q, and the connection open", tt.method, tt.path, got.StatusCode, got.Header.Get("Allow"), got.Close, tt.status, tt.allow)
		}
		if tt.method == "HEAD" && (len(body) > 0 || got.ContentLength < int64(len(tt.want))) {
			t.Errorf("HEAD %s: got %d bytes and the length %d, want none and what GET has", tt.path, len(body), got.ContentLength)
		}
		if tt.method != "HEAD" && !strings.Contains(string(body), tt.want) || strings.Contains(string(body), "hunter2") {
			t.Errorf("%s %s: got %s, want %s", tt.method, tt.path, body, tt.want)
		}
		for name := range got.Header {
			if strings.HasPrefix(name, "Access-Control-") || name == "Server" {
				t.Errorf("%s %s: got the header %s, want no page of another origin let in", tt.method, tt.path, name)
			}
		}
	}
}

// A client that waits to hear whether its body is welcome hears so, and why one
// that is too large is not without sending it.
func TestBodiesThatAreAnnouncedAreAskedFor(t *testing.T) {
	server := serve(t, Options{MaxBody: 100}, echo)
	c := server.dial(t)
	const head = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
	if _, err := io.WriteString(c, head+"Content-Length: 4\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(c)
	if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v, want to go on", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "body"); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(got.Body); err != nil || string(body) != "got body" {
		t.Errorf("got %q, %v, want got body", body, err)
	}
	if text := server.raw(t, head+"Content-Length: 101\r\n\r\n"); !strings.Contains(text, "HTTP/1.1 413 ") {
		t.Errorf("got %q for a body that is too large, want a 413 before it is sent", text)
	}
}
