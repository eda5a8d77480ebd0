package dataapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
)

// fixture is a small decision point: it gives back what it was asked, and fails
// where the input says so.
type fixture struct {
	asked []pdp.Query
	err   error
}

// errCause must never reach a caller.
var errCause = errors.New("dial tcp 10.0.0.7:5432: password hunter2")

func (f *fixture) Ask(_ context.Context, q pdp.Query) (pdp.Result, error) {
	f.asked = append(f.asked, q)
	result := pdp.Result{ID: "dec-1", Policy: "core@1.0.0 custom@7f3a", Data: 42}
	if f.err != nil {
		return result, f.err
	}
	for i, item := range q.Items {
		o := pdp.Outcome{ID: fmt.Sprintf("dec-1.%d", i), Err: item.Err}
		switch {
		case item.Err != nil:
		case item.Input == "bug":
			o.Err = errCause
		case item.Input == "undefined":
		case q.Path == policy.AccessDecision:
			o.Decision = authz.Decision{Allow: item.Request.Subject.ID == "alice"}
		default:
			value, err := ast.InterfaceToValue(map[string]any{"path": q.Path, "input": item.Input})
			if err != nil {
				return result, err
			}
			o.Found = policy.ValueOf(value)
		}
		result.Outcomes = append(result.Outcomes, o)
	}
	return result, nil
}

func (f *fixture) Translate(context.Context, pdp.Translation) (pdp.Translated, error) {
	return pdp.Translated{ID: "dec-1"}, fmt.Errorf("translate: %w", errCause)
}

// plainTokens are readable, which real ones are not.
type plainTokens struct{}

func (plainTokens) Issue(r authz.Revision) string { return fmt.Sprintf("token-%d", r) }

func (plainTokens) Read(s string) (r authz.Revision, err error) {
	if _, err := fmt.Sscanf(s, "token-%d", &r); err != nil {
		return 0, fmt.Errorf("the consistency token is not one: %w", authz.ErrInvalid)
	}
	return r, nil
}

// newServer is a decision listener with the Data API alone.
func newServer(o Options) *httpserver.Server {
	o.Tokens, o.Default = plainTokens{}, policy.AccessDecision
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Policy = func() error { return nil }
	o.Directory = func() error { return errCause }
	server := httpserver.New(httpserver.Options{Name: "decisions", ErrorForms: []httpserver.ErrorForm{ErrorForm()}, Log: o.Log})
	Register(server.App, o)
	return server
}

// ask asks a server and returns what it says. The header comes in pairs.
func ask(t testing.TB, server *httpserver.Server, method, path, body string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	where, query, _ := strings.Cut(path, "?")
	r.RequestURI = path
	r.URL.Opaque, r.URL.RawQuery = where, query // as it is, escaped right or not
	r.Header.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := server.App.Test(r, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) || strings.Contains(string(text), "hunter2") {
		t.Errorf("%s %s: got %d %s, want JSON without the cause", method, path, answer.StatusCode, text)
	}
	conforms(t, r, body, answer, text)
	return answer.StatusCode, string(text)
}
