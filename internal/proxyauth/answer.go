package proxyauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
)

// An outcome is what an allow tells the application beside the subject.
type outcome struct{ id, role, obligations, stale string }

// decide asks the decision point about what a request means.
func (a *api) decide(c *fiber.Ctx, watch *pdp.Stopwatch, w way, g *policy.Generation, subject authz.Subject, meant route) error {
	meant.request.Subject = subject
	watch.Parsed()
	result, err := a.PDP.Evaluate(c.UserContext(), pdp.Query{
		API: w.api, RequestID: httpserver.RequestID(c), Caller: httpserver.Caller(c),
		Items: []pdp.Item{{Request: meant.request}}, Generation: g,
	})
	watch.Answered()
	if err != nil {
		return err
	}
	if len(result.Outcomes) != 1 {
		return fmt.Errorf("decision %s has %d outcomes for one item", result.ID, len(result.Outcomes))
	}
	o := result.Outcomes[0]
	switch {
	case errors.Is(o.Err, authz.ErrForbidden):
		a.log.Warn("a proxy asked what its key is not for", "err", o.Err, "decision_id", o.ID, "request_id", httpserver.RequestID(c))
		return denied(o.ID, "The proxy that this came through may not ask about it.", nil)
	case o.Err != nil:
		return o.Err
	}
	err = a.tell(c, subject, o, meant)
	watch.Encoded() // but for the body of a refusal, which is written where all problems are
	return err
}

// tell answers with a decision.
func (a *api) tell(c *fiber.Ctx, subject authz.Subject, o pdp.Outcome, meant route) error {
	if !o.Decision.Allow {
		return denied(o.ID, "The policy does not permit it.", reasonsOf(o.Decision))
	}
	return a.permit(c, subject, o, meant)
}

// permit lets a request through, unless with a duty that the application is not
// known to keep to: who asks has to deny then (AuthZEN §5.5.2).
func (a *api) permit(c *fiber.Ctx, subject authz.Subject, o pdp.Outcome, meant route) error {
	said, err := read(o.Decision.Context)
	if err != nil {
		return err
	}
	for _, id := range obligationsOf(said) {
		if !slices.Contains(meant.fulfills, id) {
			a.log.Warn("a request was not let through, because nothing says that the application keeps to an obligation: name it in obligations of data.custom.proxy.request",
				"obligation", id, "decision_id", o.ID, "request_id", httpserver.RequestID(c))
			return denied(o.ID, fmt.Sprintf("It is permitted with the obligation %q alone, which the application is not known to keep to.", id), nil)
		}
	}
	obligations, err := headerOf(said["obligations"])
	if err != nil {
		return err
	}
	return allow(c, subject, outcome{o.ID, o.Decision.Role(), obligations, staleOf(o)})
}

// allow says so without a body, and always with every header: an empty one takes
// the place of the client's.
func allow(c *fiber.Ctx, subject authz.Subject, o outcome) error {
	h := &c.Response().Header
	h.SetNoDefaultContentType(true)
	h.Set(HeaderSubject, subject.ID)
	h.Set(HeaderRole, o.role)
	h.Set(HeaderDecisionID, o.id)
	h.Set(HeaderObligations, o.obligations)
	h.Set(HeaderStale, o.stale)
	h.Set(fiber.HeaderCacheControl, "no-store")
	c.Status(fiber.StatusOK)
	return nil
}

// staleOf is "true" for a decision that POSTERN_SERVE_STALE_FOR alone allows.
func staleOf(o pdp.Outcome) string {
	if o.Stale {
		return "true"
	}
	return ""
}

func denied(id, detail string, reasons json.RawMessage) error {
	return &httpserver.Problem{
		Status: fiber.StatusForbidden, Reason: "not-permitted", Title: "The policy forbids it",
		Detail: detail, Reasons: reasons, Decision: id,
	}
}

// read is the context of a decision.
func read(context json.RawMessage) (object, error) {
	if len(context) == 0 {
		return nil, nil
	}
	v, err := ijson.Decode(context, ijson.Limits{})
	said, ok := v.(object)
	if err != nil || !ok {
		return nil, fmt.Errorf("the context of a decision cannot be read: %w", policy.ErrMalformed)
	}
	return said, nil
}

// reasonsOf are the reasons of a denial as the policy gave them.
func reasonsOf(d authz.Decision) json.RawMessage {
	said, err := read(d.Context)
	if err != nil || said["reasons"] == nil {
		return nil
	}
	reasons, err := httpserver.Encode(said["reasons"])
	if err != nil {
		return nil
	}
	return reasons
}

// obligationsOf are the ids of the obligations; what has none is one by itself,
// which nobody keeps to.
func obligationsOf(said object) (ids []string) {
	all, isList := said["obligations"].([]any)
	if said["obligations"] != nil && !isList {
		return []string{""}
	}
	for _, v := range all {
		o, _ := v.(object)
		id, _ := o["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// headerOf is a value as JSON that any header can hold.
func headerOf(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	raw, err := httpserver.Encode(v)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range string(raw) {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String(), nil
}
