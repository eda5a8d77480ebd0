// Package openapitest checks what listeners are asked and answer against their
// OpenAPI files. Tests use it, the product does not.
package openapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// A Checker knows what every operation may answer.
type Checker struct {
	doc    *openapi3.T
	router routers.Router
}

// New reads an OpenAPI file and refuses one that is not valid. Unlike clients,
// who ignore what they do not know, the Checker takes no member that the file
// does not have.
func New(document []byte) (*Checker, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI file: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the OpenAPI file is not valid: %w", err)
	}
	for _, s := range doc.Components.Schemas {
		closeSchema(s.Value, map[*openapi3.Schema]bool{})
	}
	router, err := legacy.NewRouter(widened(doc))
	if err != nil {
		return nil, fmt.Errorf("find the operations of the OpenAPI file: %w", err)
	}
	return &Checker{doc, router}, nil
}

// widened is a document with what OpenAPI cannot say: an operation with
// x-any-method is one of every method, and a parameter with x-segments has slashes.
func widened(doc *openapi3.T) *openapi3.T {
	wide := *doc
	wide.Paths = openapi3.NewPaths()
	for path, item := range doc.Paths.Map() {
		copied := *item
		if get := item.Get; get != nil && get.Extensions["x-any-method"] == true {
			for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
				op := *get
				op.OperationID += " with " + method
				copied.SetOperation(method, &op)
			}
		}
		wide.Paths.Set(segments(path, item), &copied)
	}
	return &wide
}

// segments writes a parameter with slashes as the router wants it.
func segments(path string, item *openapi3.PathItem) string {
	for _, op := range item.Operations() {
		for _, p := range op.Parameters {
			if p.Value.Extensions["x-segments"] == true {
				path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", "{"+p.Value.Name+"*}")
			}
		}
	}
	return path
}

// closeSchema lets an object have no member but those that are named.
func closeSchema(s *openapi3.Schema, done map[*openapi3.Schema]bool) {
	if s == nil || done[s] {
		return
	}
	done[s] = true
	open := s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil
	if no := false; len(s.Properties) > 0 && open {
		s.AdditionalProperties.Has = &no
	}
	for _, member := range s.Properties {
		closeSchema(member.Value, done)
	}
	if s.Items != nil {
		closeSchema(s.Items.Value, done)
	}
}

// CheckRequest says what is wrong with a request that was answered as one that is
// right.
func (c *Checker) CheckRequest(req *http.Request, body []byte) error {
	bare, err := http.NewRequest(req.Method, req.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	bare.Header = req.Header
	route, params, err := c.router.FindRoute(bare)
	if err != nil {
		return nil // Check looks at what it is answered
	}
	input := &openapi3filter.RequestValidationInput{
		Request: bare, PathParams: params, Route: route,
		Options: &openapi3filter.Options{MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
		return fmt.Errorf("%s %s was answered, though %.2000s is not what the OpenAPI file wants: %w", req.Method, req.URL, body, err)
	}
	return nil
}

// Document is the file that was read.
func (c *Checker) Document() *openapi3.T { return c.doc }

// Check says what is wrong with an answer. One to a request that is none of the
// operations has to be a problem.
func (c *Checker) Check(req *http.Request, status int, header http.Header, body []byte) error {
	bare, err := http.NewRequest(req.Method, req.URL.RequestURI(), nil)
	if err != nil {
		return err
	}
	if req.Method == http.MethodHead {
		return nil // what GET answers, without it
	}
	route, params, err := c.router.FindRoute(bare)
	if err != nil {
		return c.problem(req, status, header, body)
	}
	bare.Header = req.Header
	if strings.HasPrefix(header.Get("Content-Type"), "application/x-ndjson") {
		return c.lines(body)
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: bare, PathParams: params, Route: route},
		Status:                 status, Header: header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		return fmt.Errorf("%s %s answered %d %.2000s, which is not as %s in the OpenAPI file has it: %w", req.Method, req.URL, status, body, route.Operation.OperationID, err)
	}
	return nil
}

func (c *Checker) problem(req *http.Request, status int, header http.Header, body []byte) error {
	media := header.Get("Content-Type")
	if status >= 400 && media == "application/json" && c.doc.Components.Schemas["Error"] != nil {
		return c.visit("Error", body) // at the paths of OPA
	}
	if status < 400 || media != "application/problem+json" {
		return fmt.Errorf("%s %s answered %d %.200s, but it is no operation of the OpenAPI file", req.Method, req.URL, status, body)
	}
	return c.visit("Problem", body)
}

// lines checks NDJSON: an audit event in every line.
func (c *Checker) lines(body []byte) error {
	for line := range bytes.Lines(body) {
		if err := c.visit("Event", line); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checker) visit(schema string, text []byte) error {
	known := c.doc.Components.Schemas[schema]
	if known == nil {
		return errors.New("the OpenAPI file has no schema " + schema)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("%.200s is no JSON: %w", text, err)
	}
	if err := known.Value.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors()); err != nil {
		return fmt.Errorf("%.2000s is no %s: %w", text, schema, err)
	}
	return nil
}

// Transport sends requests and checks every answer before it is passed on, and
// every request that was answered well.
type Transport struct {
	Checker *Checker
	Next    http.RoundTripper
	Fail    func(error) // is told what is wrong with an answer
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := read(req)
	if err != nil {
		return nil, err
	}
	resp, err := t.Next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		if err := t.Checker.CheckRequest(req, sent); err != nil {
			t.Fail(err)
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err := t.Checker.Check(req, resp.StatusCode, resp.Header, body); err != nil {
		t.Fail(err)
	}
	return resp, nil
}

// read reads the body of a request and puts it back.
func read(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}
