package dataapi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/policy"
)

func invalidf(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, authz.ErrInvalid)...)
}

func notFoundf(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, authz.ErrNotFound)...)
}

func mismatch(id string, got, want int) error {
	return fmt.Errorf("question %s has %d outcomes for %d inputs", id, got, want)
}

// reasonUndefined is the reason of a problem that OPA calls undefined_document.
const reasonUndefined = "undefined-document"

// undefined says that there is nothing at a path where a bare result is wanted.
func undefined(path string) error {
	return &httpserver.Problem{Status: fiber.StatusNotFound, Reason: reasonUndefined, Detail: "document missing or undefined: " + dotted(path), Err: policy.ErrUndefined}
}

// A failure is an error of a question that has an id.
type failure struct {
	id  string
	err error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// opaError is an error as OPA's clients read it.
type opaError struct {
	Code       string   `json:"code"`
	Message    string   `json:"message"`
	Errors     []detail `json:"errors,omitempty"`
	DecisionID string   `json:"decision_id,omitempty"`
	HTTPStatus string   `json:"http_status_code,omitempty"` // of one input of a batch
}

// A detail is one of several things that are wrong.
type detail struct {
	Code     string        `json:"code"`
	Message  string        `json:"message"`
	Location *ast.Location `json:"location,omitempty"`
}

// ErrorForm is how errors look at the paths of OPA's API, whether or not something
// is served there: {"code", "message", "errors"}.
func ErrorForm() httpserver.ErrorForm {
	return httpserver.ErrorForm{Owns: owns, Body: func(p httpserver.Problem, err error) (string, []byte) {
		return fiber.MIMEApplicationJSON, appendValue(nil, errorOf(p, err))
	}}
}

// owns says whether a path is of OPA's API.
func owns(path string) bool {
	return path == "/" || path == "/health" ||
		strings.HasPrefix(path, "/v0/") || strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/health/")
}

// errorOf is an error in OPA's shape. Of what failed in a policy it says where,
// and not what: the message may quote facts.
func errorOf(p httpserver.Problem, err error) opaError {
	e := opaError{Code: codeOf(p), Message: p.Detail, DecisionID: p.Decision}
	if f := (*failure)(nil); errors.As(err, &f) {
		e.DecisionID = f.id
	}
	if u := (*policy.UntranslatableError)(nil); errors.As(err, &u) {
		e.Code, e.Message = "evaluation_error", "error(s) occurred while evaluating query"
		for _, fault := range u.Faults {
			e.Errors = append(e.Errors, detail{fault.Code, fault.Message, fault.Location})
		}
	}
	if fault := (*topdown.Error)(nil); errors.As(err, &fault) && p.Status == fiber.StatusInternalServerError {
		e.Message = "error(s) occurred while evaluating query"
		e.Errors = []detail{{fault.Code, "The operator finds the cause in the log by the request id.", fault.Location}}
	}
	return e
}

// codeOf is what OPA calls a problem.
func codeOf(p httpserver.Problem) string {
	switch p.Status {
	case fiber.StatusUnauthorized, fiber.StatusForbidden:
		return "unauthorized"
	case fiber.StatusNotFound:
		if p.Reason == reasonUndefined {
			return "undefined_document"
		}
		return "resource_not_found"
	case fiber.StatusConflict:
		return "resource_conflict"
	case fiber.StatusMethodNotAllowed:
		return "invalid_operation"
	}
	if p.Status >= fiber.StatusInternalServerError {
		return "internal_error"
	}
	return "invalid_parameter"
}
