package proxyauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/policy"
)

// Entrypoint is the rule of an overlay that says what a request means.
const Entrypoint = "custom/proxy/request"

// A route is what a request means: an AuthZEN request without its subject, or
// that everybody may.
type route struct {
	public   bool
	request  authz.Request
	fulfills []string // the ids of obligations that the application keeps to
}

type object = map[string]any

// route asks the policy what a request means.
func (a *api) route(ctx context.Context, g *policy.Generation, t target, who identity) (route, error) {
	input, err := ast.InterfaceToValue(inputOf(t, who.subject))
	if err != nil {
		return route{}, err
	}
	type answer struct {
		value policy.Value
		err   error
	}
	said := make(chan answer, 1)
	err = a.Policies.Run(ctx, func(ctx context.Context) {
		value, err := g.Query(ctx, Entrypoint, input)
		said <- answer{value, err}
	})
	if err != nil {
		return route{}, err
	}
	got := <-said
	switch {
	case errors.Is(got.err, authz.ErrNotFound):
		return route{}, unmapped()
	case errors.Is(got.err, policy.ErrUndefined) && !who.known():
		return route{}, who.stranger()
	case errors.Is(got.err, policy.ErrUndefined):
		return route{}, noRoute()
	case got.err != nil:
		return route{}, got.err
	}
	return readRoute(got.value.AppendJSON(nil))
}

// inputOf is a request as the policy sees it. What is not known is not there.
func inputOf(t target, subject authz.Subject) object {
	http := object{
		"method": t.method, "host": t.host, "path": t.path, "segments": t.segments, "query": t.query, "headers": t.headers,
	}
	if t.scheme != "" {
		http["scheme"] = t.scheme
	}
	if t.client != "" {
		http["client"] = t.client
	}
	input := object{"http": http}
	if subject.ID != "" {
		input["subject"] = object{"type": subject.Type, "id": subject.ID}
	}
	return input
}

// unmapped answers while no overlay says what requests mean.
func unmapped() error {
	return &httpserver.Problem{
		Status: fiber.StatusServiceUnavailable, Reason: "no-mapping", Title: "Nothing says what requests mean",
		Detail: "The policy has no entrypoint data.custom.proxy.request. Add it in an overlay (POSTERN_OVERLAYS): `postern help proxies` says how.",
	}
}

func noRoute() error {
	return &httpserver.Problem{
		Status: fiber.StatusForbidden, Reason: "no-route", Title: "The request is mapped to no action",
		Detail: "No rule of data.custom.proxy.request says what this request means, so it is not let through.",
	}
}

// readRoute reads the policy's answer. A member that it does not know is a
// mistake that might open a door.
func readRoute(raw []byte) (route, error) {
	v, err := ijson.Decode(raw, ijson.Limits{})
	said, ok := v.(object)
	switch {
	case err != nil:
		return route{}, malformed("%v", err)
	case !ok:
		return route{}, malformed("it is no object")
	case said["public"] == true && len(said) == 1:
		return route{public: true}, nil
	}
	return readRequest(said)
}

func readRequest(said object) (r route, err error) {
	if err := onlyHas("the answer", said, "action", "resource", "context", "obligations"); err != nil {
		return route{}, err
	}
	action, err := entity(said, "action", "name")
	if err != nil {
		return route{}, err
	}
	resource, err := entity(said, "resource", "type", "id")
	if err != nil {
		return route{}, err
	}
	r.request.Action.Name, _ = action["name"].(string)
	r.request.Resource.Type, _ = resource["type"].(string)
	r.request.Resource.ID, _ = resource["id"].(string)
	r.request.Action.Properties, _ = action["properties"].(object)
	r.request.Resource.Properties, _ = resource["properties"].(object)
	if said["context"] != nil {
		if r.request.Context, _ = said["context"].(object); r.request.Context == nil {
			return route{}, malformed("context is no object")
		}
	}
	r.fulfills, err = readStrings(said, "obligations")
	return r, err
}

// entity is a member that is an object with some strings, and perhaps
// properties.
func entity(said object, name string, names ...string) (object, error) {
	thing, ok := said[name].(object)
	if !ok {
		return nil, malformed("%s is missing, or is no object", name)
	}
	if err := onlyHas(name, thing, append(names, "properties")...); err != nil {
		return nil, err
	}
	for _, member := range names {
		if text, ok := thing[member].(string); !ok || text == "" {
			return nil, malformed("%s.%s is missing, or is no string", name, member)
		}
	}
	if _, ok := thing["properties"].(object); thing["properties"] != nil && !ok {
		return nil, malformed("%s.properties is no object", name)
	}
	return thing, nil
}

func readStrings(said object, name string) (list []string, err error) {
	if said[name] == nil {
		return nil, nil
	}
	all, ok := said[name].([]any)
	for _, v := range all {
		text, isText := v.(string)
		ok = ok && isText
		list = append(list, text)
	}
	if !ok {
		return nil, malformed("%s is no array of strings", name)
	}
	return list, nil
}

func onlyHas(what string, o object, names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(names, name) {
			return malformed("%s has a member %q, and only %v mean something", what, name, names)
		}
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("data.custom.proxy.request: %s: %w", fmt.Sprintf(format, args...), policy.ErrMalformed)
}
