package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/trace"
)

// A call is one question to the directory. Asking it twice does no harm.
type call struct {
	operation string
	path      func(late time.Duration) string // for a server that is asked so long after the first
	body      []byte                          // nil: it is a GET
	patience  time.Duration                   // after which the next server is asked as well
}

// at is a path that does not depend on when it is asked.
func at(path string) func(time.Duration) string {
	return func(time.Duration) string { return path }
}

// An answer is what one server said.
type answer[T any] struct {
	said T
	turn uint32        // the server's place
	late time.Duration // how long after the first it was asked
	err  error
}

// ask asks the server that answered last, the next one at once if that fails, and
// also if it is silent for too long. The first answer counts, and whoever gave it
// is asked first from then on. It also returns how long after the call began that
// server was asked.
//
// Errors are of kind authz.ErrUnavailable if nobody answers, or of
// authz.ErrUnauthenticated, authz.ErrForbidden or authz.ErrNotFound if a server
// says so.
func ask[T named](ctx context.Context, c *Client, q call) (said T, late time.Duration, err error) {
	within, stop := context.WithCancel(ctx)
	defer stop() // nobody waits for the others
	first, began, asked := c.server.Load(), c.now(), 0
	answers := make(chan answer[T], len(c.urls))
	next := func() {
		if asked < len(c.urls) {
			turn, late := first+uint32(asked), time.Duration(0)
			if asked > 0 {
				late = c.now().Sub(began)
			}
			asked++
			go func() { answers <- exchange[T](within, c, q, turn, late) }()
		}
	}
	next()
	silent := time.NewTicker(q.patience)
	defer silent.Stop()
	for failed := 1; ; {
		select {
		case <-silent.C:
			next()
			continue
		case a := <-answers:
			if !errors.Is(a.err, authz.ErrUnavailable) {
				c.found(q.operation, first, a.turn)
				return a.said, a.late, a.err
			}
			err = errors.Join(err, a.err)
		}
		if failed == len(c.urls) || ctx.Err() != nil {
			c.lost(ctx, q.operation)
			return said, 0, err
		}
		if failed++; failed > asked {
			next()
		}
	}
}

// found takes note of who answered. One that was passed over has failed.
func (c *Client) found(operation string, first, turn uint32) {
	c.meter.Up(true)
	if turn != first && c.server.CompareAndSwap(first, turn) {
		c.meter.Failed(operation)
	}
}

// lost takes note that nobody answered, unless whoever asked went away.
func (c *Client) lost(ctx context.Context, operation string) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.meter.Up(false)
		c.meter.Failed(operation)
	}
}

// exchange asks one server.
func exchange[T named](ctx context.Context, c *Client, q call, turn uint32, late time.Duration) answer[T] {
	a := answer[T]{turn: turn, late: late}
	text, err := c.send(ctx, q.operation, c.urls[int(turn)%len(c.urls)]+q.path(late), q.body)
	if err == nil {
		err = json.Unmarshal(text, &a.said)
	}
	var refused refusal
	switch {
	case errors.As(err, &refused) || errors.Is(err, authz.ErrUnavailable):
		a.err = err
	case err != nil:
		a.err = fmt.Errorf("the directory's answer cannot be read: %w: %w", err, authz.ErrUnavailable)
	case c.id != "" && a.said.directory() != c.id:
		a.err = fmt.Errorf("another directory answers at POSTERN_DIRECTORY_URL than when this server started: restart it if that is meant: %w", authz.ErrUnavailable)
	}
	return a
}

// send sends one request and reads its answer, which is one of status 200.
func (c *Client) send(ctx context.Context, operation, address string, body []byte) ([]byte, error) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("POSTERN_DIRECTORY_URL: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	// An empty list is not sent. It says that what met a connection that was
	// reset may be sent again.
	request.Header["Idempotency-Key"] = nil
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	trace.From(ctx).Send(request.Header)
	by := c.reads
	if operation == opChanges {
		by = c.looks
	}
	response, err := by.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the directory at POSTERN_DIRECTORY_URL: %w: %w", err, authz.ErrUnavailable)
	}
	defer response.Body.Close()
	c.dated(response.Header.Get("Date"))
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the directory's answer: %w: %w", err, authz.ErrUnavailable)
	}
	if response.StatusCode != http.StatusOK {
		return nil, c.refused(response.StatusCode, text)
	}
	return text, nil
}

// dated takes note of the clock of a server, whose date leaves out what is less
// than a second.
func (c *Client) dated(date string) {
	if at, err := http.ParseTime(date); err == nil {
		c.skew.Set(at.Add(time.Second / 2).Sub(c.now()).Seconds())
	}
}

// A refusal is an answer that is none, of one of the kinds that ask names.
type refusal struct{ error }

// Unwrap is why it was refused.
func (r refusal) Unwrap() error { return r.error }

// refused is what a server answers. One that is none of ours may repeat what it was
// sent.
func (c *Client) refused(status int, text []byte) error {
	kind := authz.ErrUnavailable
	switch status {
	case http.StatusUnauthorized:
		kind = authz.ErrUnauthenticated
	case http.StatusForbidden:
		kind = authz.ErrForbidden
	case http.StatusNotFound:
		kind = authz.ErrNotFound
	}
	var problem struct{ Detail string }
	_ = json.Unmarshal(text, &problem) // what is no problem has no detail
	detail := strings.ReplaceAll(problem.Detail, c.token, "[redacted]")
	return refusal{fmt.Errorf("the directory answered %d %.200s: %w", status, detail, kind)}
}
