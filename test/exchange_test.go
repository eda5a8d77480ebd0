package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// evaluation is where one decision is asked for.
const evaluation = "/access/v1/evaluation"

// An exchange is one request with its response.
type exchange struct {
	method, url string
	sent        string
	status      int
	header      http.Header
	body        string
}

// send sends a request. Header lines are "Name: value"; a body without a media
// type is JSON.
func (e endpoint) send(method, path, body string, headers ...string) (exchange, error) {
	x := exchange{method: method, url: e.base + path, sent: body}
	req, err := http.NewRequest(method, x.url, strings.NewReader(body))
	if err != nil {
		return x, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	res, err := e.client.Do(req)
	if err != nil {
		return x, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	x.status, x.header, x.body = res.StatusCode, res.Header, string(b)
	return x, err
}

// String shows what was asked and what came back.
func (x exchange) String() string {
	if x.method == "" {
		return "nothing was asked yet"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n%s\n%d\n", x.method, x.url, strings.TrimSpace(x.sent), x.status)
	_ = x.header.Write(&b)
	fmt.Fprintf(&b, "%s", strings.TrimSpace(x.body))
	return b.String()
}

// An answer is a decision as AuthZEN writes it, with Postern's reasons.
type answer struct {
	Decision *bool
	Context  struct {
		Reasons []struct{ Rule, Role, Text string }
	}
}

// decision reads the body of a decision. A body that is none is an error and
// never a denial.
func (x exchange) decision() (answer, error) {
	var a answer
	if err := json.Unmarshal([]byte(x.body), &a); err != nil {
		return a, fmt.Errorf("the body is not JSON: %w", err)
	}
	if x.status != http.StatusOK || a.Decision == nil {
		return a, fmt.Errorf("there is no decision")
	}
	return a, nil
}

// rules are the ids of the rules that an answer gives as its reasons.
func (a answer) rules() []string {
	var rules []string
	for _, r := range a.Context.Reasons {
		rules = append(rules, r.Rule)
	}
	return rules
}

func (a answer) String() string {
	switch {
	case a.Decision == nil:
		return "no decision"
	case *a.Decision:
		return "allow"
	}
	return "deny"
}

// A question is one evaluation request. Maps left empty are left out.
type question struct {
	Subject  entity         `json:"subject"`
	Action   action         `json:"action"`
	Resource entity         `json:"resource"`
	Context  map[string]any `json:"context,omitempty"`
}

type entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitempty"`
}

type action struct {
	Name string `json:"name"`
}

// ask makes the question of the words SUBJECT ACTION RESOURCE [K=V...], such as
// "login:rosa service.view account:a-1001". A property is the resource's unless
// its name begins with "subject." or "context.".
func ask(words []string) (question, error) {
	if len(words) < 3 {
		return question{}, fmt.Errorf("want SUBJECT ACTION RESOURCE [K=V...], got %q", words)
	}
	q := question{Subject: thing(words[0]), Action: action{words[1]}, Resource: thing(words[2]), Context: map[string]any{}}
	for _, word := range words[3:] {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return q, fmt.Errorf("%q is not K=V", word)
		}
		q.set(name, property(value))
	}
	return q, nil
}

func (q question) set(name string, value any) {
	if k, ok := strings.CutPrefix(name, "subject."); ok {
		q.Subject.Properties[k] = value
	} else if k, ok := strings.CutPrefix(name, "context."); ok {
		q.Context[k] = value
	} else {
		q.Resource.Properties[name] = value
	}
}

func (q question) json() string {
	b, _ := json.Marshal(q) // strings, and what was JSON before
	return string(b)
}

func thing(word string) entity {
	kind, id, _ := strings.Cut(word, ":")
	return entity{kind, id, map[string]any{}}
}

// property reads a value as JSON if it is JSON, and as a string otherwise.
func property(value string) any {
	var v any
	if json.Unmarshal([]byte(value), &v) == nil {
		return v
	}
	return value
}

// includes tells whether got has everything want has: members of objects may be
// more, elements of arrays may not.
func includes(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for k, v := range want {
			member, has := object[k]
			ok = ok && has && includes(member, v)
		}
		return ok
	case []any:
		array, ok := got.([]any)
		return ok && slices.EqualFunc(array, want, includes)
	}
	return reflect.DeepEqual(got, want)
}

func decode(text string) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewBufferString(text))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err
}
