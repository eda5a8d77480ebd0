package pdp

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/policy"
)

// Ask answers a query about the value at its Path, as OPA's Data API does. At the
// path of the decision that is the decision which Evaluate would give, and counts
// as one; what is found at any other path is Found in the outcomes and is counted
// as no decision.
//
// The errors are those of Evaluate, and for the whole query authz.ErrNotFound if
// its Path is not served, and authz.ErrForbidden if its Caller may not have an
// explanation.
func (p *PDP) Ask(ctx context.Context, q Query) (Result, error) {
	w := p.begin(ctx, q)
	if err := w.mayAskSo(); err != nil {
		return w.result, err
	}
	err := w.gather(ctx)
	if err == nil {
		err = w.evaluate(ctx)
	}
	return w.finish(err)
}

// decides says whether decisions are what is asked for.
func (w *work) decides() bool { return w.query.Path == "" || w.query.Path == policy.AccessDecision }

// mayAskSo is why a query may not be asked at all, or nil. It waits for no
// policy: what comes after it does.
func (w *work) mayAskSo() error {
	switch {
	case w.generation == nil:
		return nil
	case !w.serves(w.query.Path):
		return fmt.Errorf("nothing is served at this path: ask one of the policy's entrypoints, or open it with POSTERN_DATA_PATHS: %w", authz.ErrNotFound)
	case w.query.Explain && restricted(w.query.Caller):
		return fmt.Errorf("caller %s may ask about some organizations or actions only, and an explanation shows more: leave explain out: %w",
			w.query.Caller.ID, authz.ErrForbidden)
	}
	return nil
}

// manage is where the policy says who may manage.
const manage = "postern/manage"

// plain writes a path in the one way in which paths are compared.
func plain(path string) (string, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		name, err := url.PathUnescape(segment)
		if err != nil {
			return "", err
		}
		segments[i] = url.PathEscape(name)
	}
	return strings.Join(segments, "/"), nil
}

// serves says whether a path may be asked for: what the policy declares, and what
// the operator opened. Who may manage is asked on the management listener alone, so
// what it is a part of is not served either.
func (w *work) serves(path string) bool {
	path, err := plain(path)
	if err != nil || within(path, manage) || within(manage, path) {
		return false
	}
	return w.generation.Declares(path) || slices.ContainsFunc(w.open, func(open string) bool { return within(path, open) })
}

// tooStale refuses stale facts where nothing in the answer could say that they are:
// only a decision has a context.
func (w *work) tooStale() error {
	if w.stale && (w.query.API == APICompile || !w.decides()) {
		return fmt.Errorf("the facts are stale, and are for decisions alone: %w", authz.ErrUnavailable)
	}
	return nil
}

// within says whether a path is another one or lies below it.
func within(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && (rest == "" || rest[0] == '/')
}

// restricted says whether a caller may not ask about everything.
func restricted(c authz.Caller) bool { return len(c.Organizations) > 0 || len(c.Actions) > 0 }

// bareInput is an input that is no request.
func bareInput(v any) (policy.Value, error) {
	if v == nil {
		return policy.Value{}, nil
	}
	value, err := ast.InterfaceToValue(v)
	if err != nil {
		return policy.Value{}, fmt.Errorf("this cannot be a policy's input: %w: %w", authz.ErrInvalid, err)
	}
	return policy.ValueOf(value), nil
}
