package decisionapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pdp"
)

// TestTrap3PipelinesNeverCross asks on connections beside each other, many
// requests in flight on each: every answer is the one to its own question, with
// its own request id.
func TestTrap3PipelinesNeverCross(t *testing.T) {
	l := listen(t, Options{})
	subjects := []string{"alice", "eve-who-may-nothing"}
	var all sync.WaitGroup
	for conn := range 4 {
		c, err := net.Dial("tcp", strings.TrimPrefix(l.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { pipeline(t, c, conn, subjects[conn%2], []string{permit, deny}[conn%2]) })
	}
	all.Wait()
}

func pipeline(t *testing.T, c net.Conn, conn int, subject, want string) {
	const requests = 200
	go func() {
		for i := range requests {
			body := with("subject", `{"type":"user","id":"`+subject+`"}`, "context", fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%40)))
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-ID: id-%d-%d\r\nContent-Length: %d\r\n\r\n%s", pathEvaluation, conn, i, len(body), body)
		}
	}()
	r := bufio.NewReader(c)
	for i := range requests {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("connection %d, answer %d: %v", conn, i, err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		if id := fmt.Sprintf("id-%d-%d", conn, i); err != nil || string(body) != want || resp.Header.Get("X-Request-ID") != id {
			t.Errorf("got %s with %q, %v, want %s with %q", body, resp.Header.Get("X-Request-ID"), err, want, id)
		}
	}
}

// TestD2WhatIsAskedLivesOn keeps queries while the next requests are written
// over the same buffers.
func TestD2WhatIsAskedLivesOn(t *testing.T) {
	l := listen(t, Options{})
	names := []string{"alice@tenant-a", "bobby@tenant-b", "eve!@attacker!"}
	for _, name := range names {
		l.ask(t, pathEvaluation, with("subject", `{"type":"user","id":"`+name+`","properties":{"`+name+`":"`+name+`"}}`), "X-Request-ID", name).wants(t, 200, "")
	}
	for i, name := range names {
		q := l.all()[i]
		if s := q.Items[0].Request.Subject; s.ID != name || s.Properties[name] != name || q.RequestID != name {
			t.Errorf("query %d is %+v, want all of it of %s", i, q, name)
		}
	}
}

// TestCallersAreAuthenticated has requirements 76 and 77: who asks is known
// before anything is decided, and is told to the decision point.
func TestCallersAreAuthenticated(t *testing.T) {
	id, secret, hash := httpserver.NewAppKey()
	caller := authz.Caller{ID: id, Actions: []string{"re"}}
	auth, err := httpserver.NewAuthenticator(httpserver.AuthOptions{Listener: "decisions", Mode: httpserver.ModeKey, Keys: oneKey{id, httpserver.Key{Hash: hash, Holder: caller}}, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, Options{Authenticate: auth.Handle, PublicURL: "https://h"})
	for _, path := range []string{pathEvaluation, pathEvaluations} {
		got := l.ask(t, path, permitted)
		if got.wants(t, 401, "Bearer"); got.Header.Get("WWW-Authenticate") != `Bearer realm="postern"` {
			t.Errorf("77 got WWW-Authenticate %q", got.Header.Get("WWW-Authenticate"))
		}
		l.ask(t, path, permitted, "Authorization", "Bearer wrong").wants(t, 401, "")
		l.ask(t, path, `{`, "Authorization", "Bearer wrong").wants(t, 401, "")
	}
	if l.count() != 0 {
		t.Errorf("76 strangers were answered %d times", l.count())
	}
	l.ask(t, pathEvaluation, permitted, "Authorization", "Bearer "+secret).wants(t, 200, permit)
	if got := l.last(t).Caller; got.ID != id || len(got.Actions) != 1 {
		t.Errorf("got the caller %+v, want %+v", got, caller)
	}
	l.send(t, "GET", wellKnown, "").wants(t, 200, "")
}

type oneKey struct {
	id  string
	key httpserver.Key
}

func (k oneKey) AppKey(_ context.Context, id string) (httpserver.Key, error) {
	if id != k.id {
		return httpserver.Key{}, authz.ErrNotFound
	}
	return k.key, nil
}

// panicking is a decision point with a bug.
type panicking struct{ *fixture }

func (p panicking) Evaluate(ctx context.Context, q pdp.Query) (pdp.Result, error) {
	if q.Items[0].Request.Subject.ID == "panic" {
		panic("a bug")
	}
	return p.fixture.Evaluate(ctx, q)
}

func TestAPanicEndsOneRequest(t *testing.T) {
	l := listen(t, Options{PDP: panicking{&fixture{}}})
	l.ask(t, pathEvaluation, with("subject", `{"type":"user","id":"panic"}`)).wants(t, fiber.StatusInternalServerError, "request id")
	l.ask(t, pathEvaluation, permitted).wants(t, 200, permit)
}
