package dataapi

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/open-policy-agent/opa/v1/rego/compile"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/authzen"
	"github.com/postern-authz/postern/internal/exchange"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
)

// compile answers POST /v1/compile/{path}: what is known of the input gives the
// rule at the path as a filter of a database, in the form that Accept names.
func (a *api) compile(c *fiber.Ctx) error {
	p := a.params(c)
	q, err := a.translation(c, p)
	if err != nil {
		return err
	}
	p.watch.Parsed()
	out, err := a.PDP.Translate(c.UserContext(), q)
	p.watch.Answered()
	exchange.Decided(c, out.ID, out.Policy)
	if err != nil {
		return &failure{out.ID, exchange.Explain(err)}
	}
	if q.Subject != nil {
		exchange.RestsOn(c, a.Tokens, out.Data)
	}
	b := appendString([]byte(`{"decision_id":`), out.ID)
	if p.metrics != nil {
		b = appendValue(append(b, `,"metrics":`...), p.taken())
	}
	if result := resultOf(q.Targets, accepted(c), out.Filters); result != nil {
		b = appendValue(append(b, `,"result":`...), result)
	}
	if err := send(c, p, fiber.StatusOK, append(b, '}')); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, accepted(c))
	return nil
}

// translation reads a request.
func (a *api) translation(c *fiber.Ctx, p params) (q pdp.Translation, err error) {
	q.RequestID, q.Caller, q.Metrics, q.Instrument = httpserver.RequestID(c), httpserver.Caller(c), p.metrics, p.instrument
	if p.explain != "" {
		return q, invalidf("a translation is not explained: leave explain out")
	}
	if q.AtLeast, err = exchange.AtLeast(c, a.Tokens); err != nil {
		return q, err
	}
	if q.Path, err = pathOf(c); err != nil {
		return q, err
	}
	members, err := a.members(c)
	if err != nil {
		return q, err
	}
	if q.Known, q.Subject, err = known(members["input"]); err != nil {
		return q, err
	}
	r := reader{}
	q.Unknowns = r.strings(members, "unknowns")
	options := r.object(members, "options")
	q.Whole = r.strings(options, "disableInlining")
	q.Mappings = r.object(options, "targetSQLTableMappings")
	q.MaskRule = maskPath(q.Path, r.string(options, "maskRule"))
	dialects := r.strings(options, "targetDialects")
	if r.err != nil {
		return q, r.err
	}
	q.Targets, err = targets(accepted(c), dialects)
	return q, err
}

// known reads the input so far, and who the subject is if it says so.
func known(input any) (object, *authz.Subject, error) {
	if input == nil {
		return object{}, nil, nil
	}
	members, ok := input.(object)
	if !ok {
		return nil, nil, invalidf("the input is no object: send what is known as its members")
	}
	if _, claimed := members["facts"]; claimed {
		return nil, nil, item(input).Err
	}
	subject, err := authzen.ReadSubject(members)
	return members, subject, err
}

// maskPath is the path of a rule that masks. A name alone is of the package of
// the rule that is translated.
func maskPath(path, rule string) string {
	if rule == "" {
		return ""
	}
	if below, whole := strings.CutPrefix(rule, "data."); whole {
		return strings.ReplaceAll(below, ".", "/")
	}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i+1] + rule
	}
	return rule
}

// accepted is the media type of the answer.
func accepted(c *fiber.Ctx) string { return string(c.Request().Header.Peek(fiber.HeaderAccept)) }

// multitarget is what an Accept header asks for when the body names the targets.
const multitarget = "multitarget"

// targets are the filters that an Accept header asks for. Clients that are older
// than the name of their project say styra instead of opa.
func targets(accept string, dialects []string) ([]policy.Target, error) {
	name, ok := strings.CutPrefix(accept, "application/vnd.opa.")
	if !ok {
		name, ok = strings.CutPrefix(accept, "application/vnd.styra.")
	}
	name, json := strings.CutSuffix(name, "+json")
	switch {
	case ok && json && name == multitarget:
		return several(dialects)
	case ok && json && slices.Contains(knownTargets(), name):
		kind, dialect, _ := strings.Cut(name, ".")
		return []policy.Target{{Kind: kind, Dialect: dialect}}, nil
	}
	return nil, invalidf("the Accept header names no filter: send one such as application/vnd.opa.sql.postgresql+json, application/vnd.opa.ucast.all+json or application/vnd.opa.multitarget+json")
}

func knownTargets() []string {
	return []string{"sql.postgresql", "sql.mysql", "sql.sqlserver", "sql.sqlite", "ucast.all", "ucast.minimal", "ucast.prisma", "ucast.linq"}
}

// several are the targets that options.targetDialects names.
func several(dialects []string) (all []policy.Target, err error) {
	for _, dialect := range dialects {
		name := strings.Replace(dialect, "+", ".", 1)
		if !slices.Contains(knownTargets(), name) {
			return nil, invalidf("options.targetDialects has %.40q: send some of sql+postgresql, sql+mysql, sql+sqlserver, sql+sqlite, ucast+all, ucast+minimal, ucast+prisma, ucast+linq", dialect)
		}
		kind, dialect, _ := strings.Cut(name, ".")
		all = append(all, policy.Target{Kind: kind, Dialect: dialect})
	}
	if len(all) == 0 {
		return nil, invalidf("options.targetDialects is missing: send the targets, such as [\"sql+postgresql\"]")
	}
	return all, nil
}

// A filter is one of the answers.
type filter struct {
	Query any            `json:"query"`
	Masks map[string]any `json:"masks,omitempty"`
}

// resultOf is the result in OPA's shape: the filter, or several by the name of
// their dialect, ucast being one for all of its. Nil is a rule that never holds.
func resultOf(targets []policy.Target, accept string, filters *compile.Filters) any {
	found := map[string]filter{}
	for _, t := range targets {
		f := filters.For(t.Kind, t.Dialect)
		name := t.Dialect
		if t.Kind == "ucast" {
			name = t.Kind
		}
		if _, already := found[name]; !already && f.Query != nil {
			found[name] = filter{f.Query, f.Masks}
		}
	}
	if strings.Contains(accept, multitarget) {
		return found
	}
	for _, only := range found {
		return only
	}
	return nil
}
