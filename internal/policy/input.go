package policy

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
)

// inputKeys are the terms that every input and every answer have, made once.
type inputKeys struct {
	subject, action, resource, context, facts *ast.Term
	typ, id, name, properties                 *ast.Term
	decisionKey, reasons, rule, role, scope   *ast.Term
}

func newInputKeys() inputKeys {
	t := ast.StringTerm
	return inputKeys{
		t("subject"), t("action"), t("resource"), t("context"), t("facts"),
		t("type"), t("id"), t("name"), t("properties"),
		t("decision"), t("reasons"), t("rule"), t("role"), t("scope"),
	}
}

// An input turns the requests of one query into what the policy sees.
type input struct {
	inputKeys
	// converted are objects that the caller sent, by the map that each is: the
	// items of a batch share their defaults, which may be large. Nil for a query
	// of one item. The query holds the maps, so none gives way to another here.
	converted map[uintptr]*ast.Term
}

// of is a request as the policy sees it: what AuthZEN knows of it, verbatim, and
// the facts, which no caller can set.
func (in *input) of(req authz.Request, facts ast.Value) (ast.Value, error) {
	members := make([][2]*ast.Term, 0, 5)
	subject, err1 := in.entity(in.typ, req.Subject.Type, req.Subject.ID, req.Subject.Properties)
	action, err2 := in.entity(nil, "", req.Action.Name, req.Action.Properties)
	resource, err3 := in.entity(in.typ, req.Resource.Type, req.Resource.ID, req.Resource.Properties)
	members = append(members, [2]*ast.Term{in.subject, subject}, [2]*ast.Term{in.action, action}, [2]*ast.Term{in.resource, resource})
	members, err4 := in.append(members, in.context, req.Context)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, fmt.Errorf("the request cannot be a policy's input: %w: %w", authz.ErrInvalid, err)
	}
	if facts != nil {
		members = append(members, [2]*ast.Term{in.facts, ast.NewTerm(facts)})
	}
	return ast.NewObject(members...), nil
}

// entity is a subject or resource; without a type it is an action, whose id is
// called its name.
func (in *input) entity(typeKey *ast.Term, kind, id string, properties authz.Properties) (*ast.Term, error) {
	members := make([][2]*ast.Term, 0, 3)
	if typeKey != nil {
		members = append(members, [2]*ast.Term{typeKey, ast.StringTerm(kind)}, [2]*ast.Term{in.id, ast.StringTerm(id)})
	} else {
		members = append(members, [2]*ast.Term{in.name, ast.StringTerm(id)})
	}
	members, err := in.append(members, in.properties, properties)
	return ast.NewTerm(ast.NewObject(members...)), err
}

// append adds an object the caller sent; nil is one it did not send.
func (in *input) append(members [][2]*ast.Term, key *ast.Term, p authz.Properties) ([][2]*ast.Term, error) {
	if p == nil {
		return members, nil
	}
	value, err := in.convert(p)
	return append(members, [2]*ast.Term{key, value}), err
}

// convert makes an object a term of Rego, once for each map.
func (in *input) convert(p authz.Properties) (*ast.Term, error) {
	at := reflect.ValueOf(p).Pointer()
	if known := in.converted[at]; known != nil {
		return known, nil
	}
	value, err := ast.InterfaceToValue(p)
	if err != nil {
		return nil, err
	}
	term := ast.NewTerm(value)
	if in.converted != nil {
		in.converted[at] = term
	}
	return term, nil
}
