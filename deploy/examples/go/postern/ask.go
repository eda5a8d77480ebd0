package postern

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// maxReply bounds what is read of an answer, in bytes.
const maxReply = 4 << 20

// A reply is a body that is a JSON object, with its members as they came.
type reply struct {
	members    map[string]json.RawMessage
	decisionID string
}

// ask sends a question, and once more where Postern says that it cannot answer
// now and when it can, if there is time for that.
func (c *Client) ask(ctx context.Context, path string, user Entity, body any) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	sent, err := json.Marshal(body)
	if err != nil {
		return reply{}, fmt.Errorf("ask postern: %w", err)
	}
	got, err := c.send(ctx, path, user, sent)
	var later *unavailableError
	if errors.As(err, &later) && wait(ctx, later.after) {
		got, err = c.send(ctx, path, user, sent)
	}
	return got, err
}

func (c *Client) send(ctx context.Context, path string, user Entity, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("ask postern: %w", err)
	}
	c.head(ctx, req.Header, user)
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("ask postern: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1)) // to the end, so that the connection can be used again
	switch {
	case err != nil:
		return reply{}, fmt.Errorf("ask postern: %w", err)
	case len(text) > maxReply:
		return reply{}, fmt.Errorf("postern answered with more than %d bytes", maxReply)
	}
	if resp.StatusCode == http.StatusConflict { // of a directory that was restored
		c.seen.forget(user)
	}
	return read(resp, text)
}

func (c *Client) head(ctx context.Context, h http.Header, user Entity) {
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	trace, _ := ctx.Value(traceKey{}).(Trace)
	set("Content-Type", "application/json")
	set("X-Request-ID", trace.RequestID)
	set("traceparent", trace.Parent)
	set("Postern-Consistency-Token", c.seen.token(user))
	if c.options.Key != "" {
		set("Authorization", "Bearer "+c.options.Key)
	}
	h["Idempotency-Key"] = []string{} // is not sent; has net/http ask again where an idle connection was closed
}

// read takes a 200 with a JSON object and nothing else.
func read(resp *http.Response, text []byte) (reply, error) {
	if resp.StatusCode != http.StatusOK {
		return reply{}, failure(resp, text)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return reply{}, fmt.Errorf("postern answered with the media type %q", resp.Header.Get("Content-Type"))
	}
	got := reply{decisionID: resp.Header.Get("Postern-Decision-Id")}
	if err := json.Unmarshal(text, &got.members); err != nil {
		return reply{}, fmt.Errorf("postern answered what is no JSON object: %w", err)
	}
	return got, nil
}

// failure is an answer that is none, in the words of its problem (RFC 9457).
func failure(resp *http.Response, text []byte) error {
	var problem struct {
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
	}
	_ = json.Unmarshal(text, &problem) // another server may answer something else
	err := fmt.Errorf("postern answered %d: %s (request %s)", resp.StatusCode, problem.Detail, problem.RequestID)
	seconds, missing := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode == http.StatusServiceUnavailable && missing == nil && seconds >= 0 {
		return &unavailableError{err, time.Duration(seconds) * time.Second}
	}
	return err
}

// An unavailableError says when to ask again.
type unavailableError struct {
	error
	after time.Duration
}

// wait reports whether the time is over before the context is.
func wait(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
