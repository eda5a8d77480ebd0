package webhook

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/outbox"
)

// verdict is what an answer means.
func (c *Courier) verdict(answer *http.Response) error {
	switch code := answer.StatusCode; {
	case 200 <= code && code < 300:
		return nil
	case code == http.StatusGone:
		return &outbox.Gone{}
	case 300 <= code && code < 400:
		return &outbox.Delay{Reason: ReasonRedirect}
	case 400 <= code && code < 500:
		return &outbox.Delay{Reason: ReasonClient, After: c.retryAfter(answer.Header)}
	case 500 <= code && code < 600:
		return &outbox.Delay{Reason: ReasonServer, After: c.retryAfter(answer.Header)}
	}
	return &outbox.Delay{Reason: ReasonAnswer}
}

// retryAfter is how long the receiver asks to be left alone (RFC 9110, 10.2.3).
func (c *Courier) retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, int(maxDelay/time.Second)))*time.Second, maxDelay)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(c.Now())), maxDelay)
	}
	return 0
}

// unanswered is what it means that there was no answer. The URL is not repeated,
// for it may hold a secret of the receiver's.
func (c *Courier) unanswered(ctx context.Context, err error) error {
	var about *url.Error
	timeout := ctx.Err() != nil
	if errors.As(err, &about) {
		err, timeout = about.Err, timeout || about.Timeout()
	}
	refused := new(tlsError)
	switch {
	case errors.Is(err, errPlain):
		return &outbox.Delay{Reason: ReasonPlain, Err: errPlain}
	case errors.Is(err, errRefused):
		return &outbox.Delay{Reason: ReasonRefused, Err: errRefused}
	case timeout:
		return &outbox.Delay{Reason: outbox.ReasonTimeout}
	case errors.As(err, &refused):
		return &outbox.Delay{Reason: ReasonTLS, Err: refused}
	}
	return &outbox.Delay{Reason: ReasonUnreachable, Err: err}
}
