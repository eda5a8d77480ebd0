package managementapi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pap"
)

// explain says how an error of the PAP is answered. Others are left as they are.
func explain(err error) error {
	var refusal *pap.Refusal
	var problem *httpserver.Problem
	switch {
	case err == nil, errors.As(err, &problem):
		return err
	case errors.As(err, &refusal):
		return problemOf(refusal)
	case errors.Is(err, pap.ErrOutcomeUnknown):
		return &httpserver.Problem{
			Status: fiber.StatusServiceUnavailable, Reason: "outcome-unknown", Title: titleOf("outcome-unknown"),
			Detail: "The database was lost before it said whether the change was kept. Read what it was about, or send it again with the same Idempotency-Key.", Err: err,
		}
	case errors.Is(err, authz.ErrInvalid):
		_, detail := httpserver.Explain(err)
		return &httpserver.Problem{Status: fiber.StatusUnprocessableEntity, Reason: "validation", Title: titleOf("validation"), Detail: detail, Err: err}
	}
	return err
}

func problemOf(r *pap.Refusal) error {
	p := &httpserver.Problem{
		Status: statusOf(r), Reason: r.Reason, Title: titleOf(r.Reason), Detail: r.Detail,
		Decision: r.Decision, RetryAfter: r.RetryAfter, Err: r,
	}
	for _, f := range r.Fields {
		p.Fields = append(p.Fields, httpserver.Field(f))
	}
	return p
}

// statusOf is the status of a refusal. Kinds that wrap others come first.
func statusOf(r *pap.Refusal) int {
	for _, k := range []struct {
		kind   error
		status int
	}{
		{pap.ErrPrecondition, fiber.StatusPreconditionFailed},
		{pap.ErrPreconditionRequired, fiber.StatusPreconditionRequired},
		{pap.ErrTooMany, fiber.StatusTooManyRequests},
		{authz.ErrUnauthenticated, fiber.StatusUnauthorized},
		{authz.ErrInvalid, fiber.StatusUnprocessableEntity},
	} {
		if errors.Is(r, k.kind) {
			return k.status
		}
	}
	status, _ := httpserver.Explain(r)
	return status
}

// badRequest says what is wrong outside of the members of the body.
func badRequest(format string, args ...any) error {
	return &httpserver.Problem{Status: fiber.StatusBadRequest, Detail: fmt.Sprintf(format, args...), Err: authz.ErrInvalid}
}

// invalid says what is wrong with members of the body, if anything is.
func invalid(faults []httpserver.Field) error {
	if len(faults) == 0 {
		return nil
	}
	return &httpserver.Problem{
		Status: fiber.StatusUnprocessableEntity, Reason: "validation", Title: titleOf("validation"),
		Detail: fmt.Sprintf("%s: %s", place(faults[0].Pointer), faults[0].Detail), Fields: faults, Err: authz.ErrInvalid,
	}
}

func place(pointer string) string {
	if pointer == "" {
		return "the body"
	}
	return pointer
}

// malformed says where a body is no I-JSON.
func malformed(err error) error {
	p := &httpserver.Problem{Status: fiber.StatusBadRequest, Reason: "malformed-json", Title: titleOf("malformed-json"), Err: authz.ErrInvalid}
	var wrong *ijson.SyntaxError
	if !errors.As(err, &wrong) {
		p.Detail = "the body is not I-JSON: send it as RFC 7493 has it"
		return p
	}
	var at strings.Builder
	for i, name := range strings.Split(wrong.Pointer, "/") {
		if i > 0 {
			at.WriteString("/" + clip(name))
		}
	}
	p.Detail = fmt.Sprintf("%s is not I-JSON at byte %d: %s", place(at.String()), wrong.Offset, wrong.Reason)
	p.Fields = []httpserver.Field{{Pointer: at.String(), Code: "syntax", Detail: wrong.Reason}}
	return p
}
