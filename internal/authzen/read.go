// Package authzen reads requests and batches of them as AuthZEN Authorization
// API 1.0 writes them.
package authzen

import (
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

// object is a JSON object. Only the members that AuthZEN knows are read from it,
// so that no other one ever reaches a policy (requirement 70).
type object = map[string]any

func invalidf(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, authz.ErrInvalid)...)
}

// ReadRequest reads a single request (AuthZEN §6.1). What it returns holds
// nothing but what AuthZEN knows of the body. Every error is of kind
// authz.ErrInvalid.
func ReadRequest(body map[string]any) (authz.Request, error) {
	return readRequest(body, nil, spot{})
}

// Is says whether a JSON value is meant as a request: an object whose subject has
// a type or an id, whose action has a name, and whose resource has a type or an id.
// What is wrong with it ReadRequest tells: who makes a mistake in a request does not
// want it answered as another thing.
func Is(v any) bool {
	body, _ := v.(object)
	return has(body["subject"], "type", "id") && has(body["action"], "name") && has(body["resource"], "type", "id")
}

func has(v any, some ...string) bool {
	thing, _ := v.(object)
	return slices.ContainsFunc(some, func(name string) bool { return thing[name] != nil })
}

// ReadSubject reads the subject of what is no whole request. Nil is none: what is
// there has neither a type nor an id. Every error is of kind authz.ErrInvalid.
func ReadSubject(body map[string]any) (*authz.Subject, error) {
	if !has(body["subject"], "type", "id") {
		return nil, nil
	}
	typ, id, properties, err := readThing(body, nil, spot{}, "subject")
	if err != nil {
		return nil, err
	}
	return &authz.Subject{Type: typ, ID: id, Properties: properties}, nil
}

// ReadBatch reads the items of a batch, or reports that there is none: then the
// body is a single request (AuthZEN §7.1). An item that is wrong fails alone. Every
// error is of kind authz.ErrInvalid.
func ReadBatch(body map[string]any, most int) (q pdp.Query, ok bool, err error) {
	items, err := optional[[]any](body, spot{}, "evaluations", "an array")
	if err != nil || len(items) == 0 {
		return q, false, err
	}
	if len(items) > most {
		return q, false, invalidf("evaluations has %d items: send %d or fewer at once", len(items), most)
	}
	if q.Semantic, err = readSemantic(body); err != nil {
		return q, false, err
	}
	for _, name := range []string{"subject", "action", "resource", "context"} {
		if _, err := optional[object](body, spot{}, name, "an object"); err != nil {
			return q, false, err // ruling A6
		}
	}
	q.Items = make([]pdp.Item, len(items))
	for i, item := range items {
		q.Items[i] = readItem(i, item, body)
	}
	return q, true, nil
}

func readItem(i int, item any, defaults object) pdp.Item {
	own, ok := item.(object)
	if !ok {
		return pdp.Item{Err: invalidf("evaluations[%d] is %s: send an object", i, ijson.Kind(item))}
	}
	req, err := readRequest(own, defaults, spot{item: i + 1})
	return pdp.Item{Request: req, Err: err}
}

// A spot is where a member is found. Its name is made only for a message.
type spot struct {
	item   int    // 1 for the first of a batch; 0 for the body itself
	entity string // subject, action or resource; empty outside of them
}

func (s spot) name(member string) string {
	if s.entity != "" {
		member = s.entity + "." + member
	}
	if s.item > 0 {
		member = fmt.Sprintf("evaluations[%d].%s", s.item-1, member)
	}
	return member
}

// readSemantic reads options.evaluations_semantic (AuthZEN §7.1.2.1).
func readSemantic(body object) (pdp.Semantic, error) {
	options, err := optional[object](body, spot{}, "options", "an object")
	if err != nil {
		return 0, err
	}
	name, err := optional[string](options, spot{entity: "options"}, "evaluations_semantic", "a string")
	if err != nil {
		return 0, err
	}
	switch {
	case options["evaluations_semantic"] == nil, name == "execute_all":
		return pdp.ExecuteAll, nil
	case name == "deny_on_first_deny":
		return pdp.DenyOnFirstDeny, nil
	case name == "permit_on_first_permit":
		return pdp.PermitOnFirstPermit, nil
	}
	return 0, invalidf("options.evaluations_semantic is %.40q: send execute_all, deny_on_first_deny or permit_on_first_permit", name)
}

// readRequest reads one request. A member it lacks is taken whole from the
// defaults, and one it has replaces the default whole (requirement 19).
func readRequest(own, defaults object, at spot) (req authz.Request, err error) {
	if req.Subject.Type, req.Subject.ID, req.Subject.Properties, err = readThing(own, defaults, at, "subject"); err != nil {
		return authz.Request{}, err
	}
	if req.Action, err = readAction(own, defaults, at); err != nil {
		return authz.Request{}, err
	}
	if req.Resource.Type, req.Resource.ID, req.Resource.Properties, err = readThing(own, defaults, at, "resource"); err != nil {
		return authz.Request{}, err
	}
	if req.Context, err = readContext(own, defaults, at); err != nil {
		return authz.Request{}, err
	}
	return req, nil
}

// readThing reads a subject or a resource: type, id, properties.
func readThing(own, defaults object, at spot, name string) (typ, id string, properties authz.Properties, err error) {
	thing, at, err := readEntity(own, defaults, at, name)
	if err != nil {
		return "", "", nil, err
	}
	if typ, err = readString(thing, at, "type"); err != nil {
		return "", "", nil, err
	}
	if id, err = readString(thing, at, "id"); err != nil {
		return "", "", nil, err
	}
	properties, err = optional[object](thing, at, "properties", "an object")
	return typ, id, properties, err
}

func readAction(own, defaults object, at spot) (action authz.Action, err error) {
	thing, at, err := readEntity(own, defaults, at, "action")
	if err != nil {
		return authz.Action{}, err
	}
	if action.Name, err = readString(thing, at, "name"); err != nil {
		return authz.Action{}, err
	}
	action.Properties, err = optional[object](thing, at, "properties", "an object")
	return action, err
}

// readContext takes null as absent (ruling A3), so that the default counts.
func readContext(own, defaults object, at spot) (authz.Properties, error) {
	if own["context"] == nil {
		own, at = defaults, spot{}
	}
	return optional[object](own, at, "context", "an object")
}

// readEntity finds a member that every request has to have, in the request or in
// the defaults, and says where its own members are.
func readEntity(own, defaults object, at spot, name string) (object, spot, error) {
	v, ok := own[name]
	if !ok {
		if v, ok = defaults[name]; ok {
			at = spot{}
		}
	}
	if v == nil {
		return nil, at, invalidf("%s is missing: send an object", at.name(name))
	}
	thing, ok := v.(object)
	if !ok {
		return nil, at, invalidf("%s is %s: send an object", at.name(name), ijson.Kind(v))
	}
	at.entity = name
	return thing, at, nil
}

// readString reads a string that has to be there. It may be empty (ruling A9).
func readString(thing object, at spot, name string) (string, error) {
	v := thing[name]
	if v == nil {
		return "", invalidf("%s is missing: send a string", at.name(name))
	}
	s, ok := v.(string)
	if !ok {
		return "", invalidf("%s is %s: send a string", at.name(name), ijson.Kind(v))
	}
	return s, nil
}

// optional reads a member that may be absent or null, which is the same
// (ruling A3).
func optional[T object | []any | string](thing object, at spot, name, want string) (v T, err error) {
	sent := thing[name]
	if sent == nil {
		return v, nil
	}
	v, ok := sent.(T)
	if !ok {
		return v, invalidf("%s is %s: send %s or leave it out", at.name(name), ijson.Kind(sent), want)
	}
	return v, nil
}
