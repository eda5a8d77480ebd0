package dataapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/exchange"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
)

// An answer is what was found at a path: a decision, or another value.
type answer struct {
	pdp.Outcome
	id       string
	err      error
	decision bool // whether it is one
}

// answerOf reads an outcome. A policy that has no answer is no failure to OPA's
// clients: they get an answer without a result.
func answerOf(path string, o pdp.Outcome) answer {
	a := answer{Outcome: o, id: o.ID, err: o.Err, decision: path == policy.AccessDecision}
	if errors.Is(o.Err, policy.ErrUndefined) {
		a.err, a.decision = nil, false
	}
	return a
}

func (a answer) undefined() bool { return !a.decision && a.Found.AST() == nil }

func (a answer) appendValue(b []byte) []byte {
	if a.decision {
		return a.Decision.AppendJSON(b)
	}
	return a.Found.AppendJSON(b)
}

// appendResult writes the member "result" unless the answer is undefined.
func (a answer) appendResult(b []byte) []byte {
	if a.undefined() {
		return b
	}
	return a.appendValue(append(b, `,"result":`...))
}

// appendAbout writes what goes before a result: provenance and explanation.
func (a *api) appendAbout(b []byte, p params, result pdp.Result, o answer) ([]byte, error) {
	if p.provenance {
		b = appendValue(append(b, `,"provenance":`...), a.provenance(result))
	}
	if p.explain == "" || o.undefined() && p.explain != "full" {
		return b, nil
	}
	explanation, err := explain(p.explain, o.Explanation, p.pretty, maxExplained-len(b))
	if err != nil {
		return nil, err
	}
	return append(append(b, `,"explanation":`...), explanation...), nil
}

// A provenance says which program and which policies answered.
type provenance struct {
	Version string              `json:"version"`
	Commit  string              `json:"build_commit"`
	Bundles map[string]revision `json:"bundles"`
}

type revision struct {
	Revision string `json:"revision"`
}

// provenance names each layer of the policy that answered, as OPA names bundles.
func (a *api) provenance(result pdp.Result) provenance {
	layers := map[string]revision{}
	for layer := range strings.FieldsSeq(result.Policy) {
		name, at, _ := strings.Cut(layer, "@")
		layers[name] = revision{at}
	}
	return provenance{a.Build.Version, a.Build.Commit, layers}
}

// appendValue writes a value that always marshals.
func appendValue(b []byte, v any) []byte {
	text, err := httpserver.Encode(v)
	if err != nil {
		panic(err)
	}
	return append(b, text...)
}

func appendString(b []byte, s string) []byte { return appendValue(b, s) }

// send answers with a body of JSON, which is laid out in lines if that is wanted.
func send(c *fiber.Ctx, p params, status int, body []byte) error {
	if p.pretty {
		var lines bytes.Buffer
		if err := json.Indent(&lines, body, "", "  "); err != nil {
			return err
		}
		body = append(lines.Bytes(), '\n')
	}
	p.watch.Encoded()
	c.Status(status)
	return exchange.Send(c, body)
}
