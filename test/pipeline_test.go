package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPipelinedConnectionsDoNotCross sends requests back to back on two
// connections at once, one whose answers are allows and one whose are denials.
// Each answer must be the one to its request, on its connection (D2, trap 3).
func TestPipelinedConnectionsDoNotCross(t *testing.T) {
	i := install(t)
	i.run(t, "import", acme(t))
	s := i.serve(t)
	addr := strings.TrimPrefix(s.decisions.base, "http://")
	var both sync.WaitGroup
	for name, words := range map[string]string{
		"allow": "login:rosa service.view account:a-1001",
		"deny":  "login:gustav service.delete account:a-1001",
	} {
		q, err := ask(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			if err := pipeline(addr, name, q.json()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	both.Wait()
}

// pipeline sends a thousand requests without waiting for one answer, and then
// reads the answers.
func pipeline(addr, name, body string) error {
	const requests = 1000
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- sendAll(conn, requests, name, body) }()
	in := bufio.NewReader(conn)
	for n := range requests {
		if err := readOne(in, fmt.Sprintf("%s-%d", name, n), name == "allow"); err != nil {
			return fmt.Errorf("answer %d: %w", n, err)
		}
	}
	return <-sent
}

func sendAll(conn net.Conn, requests int, name, body string) error {
	out := bufio.NewWriter(conn)
	for n := range requests {
		fmt.Fprintf(out, "POST %s HTTP/1.1\r\nHost: pdp\r\nContent-Type: application/json\r\nX-Request-ID: %s-%d\r\nContent-Length: %d\r\n\r\n%s",
			evaluation, name, n, len(body), body)
	}
	return out.Flush()
}

func readOne(in *bufio.Reader, id string, allow bool) error {
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return err
	}
	if a.Decision == nil || *a.Decision != allow || res.Header.Get("X-Request-ID") != id {
		return fmt.Errorf("got %v for request %q, want %v for %q", a, res.Header.Get("X-Request-ID"), allow, id)
	}
	return nil
}
