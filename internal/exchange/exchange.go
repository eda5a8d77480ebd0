// Package exchange is what every question on the decision listener has in common,
// whichever API it is asked by: a body in strict JSON, the consistency token, the
// deadline, and the headers that say what the answer rests on.
package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// Tokens turns revisions into consistency tokens and back. A token that was not
// issued for this directory is an error of kind authz.ErrInvalid.
type Tokens interface {
	Issue(authz.Revision) string
	Read(string) (authz.Revision, error)
}

// The headers that say what an answer rests on (ruling A13: the body says nothing
// that changes from call to call).
const (
	HeaderDecisionID = "Postern-Decision-Id"
	HeaderPolicy     = "Postern-Policy-Revision"
	HeaderData       = "Postern-Data-Revision"
	HeaderToken      = "Postern-Consistency-Token"
)

// Body reads the JSON value that a body is. It takes application/json in UTF-8
// and nothing else (ruling A1). Nothing it returns aliases fiber's buffers. Every
// error is of kind authz.ErrInvalid.
func Body(c *fiber.Ctx, limits ijson.Limits) (any, error) {
	if !httpserver.IsMedia(string(c.Request().Header.ContentType()), fiber.MIMEApplicationJSON) {
		return nil, fmt.Errorf("the Content-Type is not application/json: send it, and the body in UTF-8: %w", authz.ErrInvalid)
	}
	v, err := ijson.Decode(c.BodyRaw(), limits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, authz.ErrInvalid)
	}
	return v, nil
}

// AtLeast is the revision of the consistency token that the caller sent, or zero.
func AtLeast(c *fiber.Ctx, tokens Tokens) (authz.Revision, error) {
	sent := c.Request().Header.Peek(HeaderToken)
	if len(sent) == 0 {
		return 0, nil
	}
	return tokens.Read(string(sent))
}

// Decided says in the header which decision was made, and by which policy. Both
// are known of failures too.
func Decided(c *fiber.Ctx, id, policy string) {
	c.Set(HeaderDecisionID, id)
	c.Set(HeaderPolicy, policy)
}

// RestsOn says in the header on which revision of the directory an answer rests.
func RestsOn(c *fiber.Ctx, tokens Tokens, data authz.Revision) {
	c.Set(HeaderData, strconv.FormatUint(uint64(data), 10))
	c.Set(HeaderToken, tokens.Issue(data))
}

// Explain gives a token of a lost state a reason that callers can tell.
func Explain(err error) error {
	if !errors.Is(err, authz.ErrAhead) {
		return err
	}
	return &httpserver.Problem{
		Status: fiber.StatusConflict, Reason: "token-ahead", Title: "The directory has not come so far",
		Detail: "The consistency token is of a state that the directory has lost. Do again what the token is of, or leave the token out.", Err: err,
	}
}

// perItem is what each item of a batch beyond the first adds to the deadline: a
// batch is given the time of one decision, and what so many more may take.
const perItem = time.Millisecond

// Within is ctx with the deadline for a number of items.
func Within(ctx context.Context, items int) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if !limited || items < 2 {
		return ctx, func() {}
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(time.Duration(items-1)*perItem))
}

// LogFailures tells the operator what the answer to a batch does not tell the
// caller: how many items failed here, and why the first of them did.
func LogFailures(log *slog.Logger, c *fiber.Ctx, result pdp.Result) {
	var first error
	failed := 0
	for _, o := range result.Outcomes {
		if status, _ := httpserver.Explain(o.Err); o.Err != nil && status >= fiber.StatusInternalServerError {
			first = cmp.Or(first, o.Err)
			failed++
		}
	}
	if failed > 0 {
		log.Error("items of a batch failed", "err", first, "failed", failed, "decision_id", result.ID, "request_id", httpserver.RequestID(c), httpserver.Trace(c).Attr())
	}
}

// Send answers 200 with a body of JSON that nobody else holds.
func Send(c *fiber.Ctx, body []byte) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(body)
	return nil
}
