package dataapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pdp"
)

const request = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"101"}}`

func TestAnswersAreOPAs(t *testing.T) {
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"a decision":                        {"POST", "/v1/data/postern/access/decision", `{"input":` + request + `}`, 200, `{"decision_id":"dec-1.0","result":{"decision":true}}`},
		"another value":                     {"POST", "/v1/data/a/b", `{"input":7}`, 200, `{"decision_id":"dec-1.0","result":{"input":7,"path":"a/b"}}`},
		"nothing is no result":              {"POST", "/v1/data/a", `{"input":"undefined"}`, 200, `{"decision_id":"dec-1.0"}`},
		"no input is a warning":             {"POST", "/v1/data/a", `{}`, 200, `"warning":{"code":"api_usage_warning","message":"'input' key missing from the request"}}`},
		"and so is no body":                 {"POST", "/v1/data/a", ``, 200, `api_usage_warning`},
		"an input in the query":             {"GET", "/v1/data/a?input=" + url.QueryEscape(`{"x":1}`), ``, 200, `"result":{"input":{"x":1},"path":"a"}}`},
		"of two the last":                   {"GET", "/v1/data/a?input=1&input=2", ``, 200, `"input":2`},
		"none there is no warning":          {"GET", "/v1/data/a", ``, 200, `{"decision_id":"dec-1.0","result":{"input":null,"path":"a"}}`},
		"a bare decision":                   {"POST", "/v0/data/postern/access/decision", request, 200, `{"decision":true}`},
		"the default":                       {"POST", "/", request, 200, `{"decision":true}`},
		"a bare nothing":                    {"POST", "/v0/data/a/b", `"undefined"`, 404, `{"code":"undefined_document","message":"document missing or undefined: data.a.b"}`},
		"lines":                             {"POST", "/?pretty", request, 200, "{\n  \"decision\": true\n}\n"},
		"provenance":                        {"POST", "/v1/data/a?provenance=true", `{"input":1}`, 200, `"provenance":{"version":"1.2.3","build_commit":"abc","bundles":{"core":{"revision":"1.0.0"},"custom":{"revision":"7f3a"}}}`},
		"a slash too many":                  {"POST", "/v1/data//a///b/", `{"input":1}`, 200, `"path":"a/b"`},
		"an escaped slash is of a segment":  {"POST", "/v1/data/a%2Fb", `{"input":1}`, 200, `"path":"a%2Fb"`},
		"an escaped dot is a dot":           {"POST", "/v1/data/a%2Eb", `{"input":1}`, 200, `"path":"a.b"`},
		"dots lead nowhere":                 {"POST", "/v1/data/a/%2E%2E/b", `{"input":1}`, 200, `"path":"a/../b"`},
		"Rego in a path is a name":          {"POST", "/v1/data/a%22%5D%20with%20input%20as%201", `{"input":1}`, 200, `"path":"a%22%5D%20with%20input%20as%201"`},
		"a path that is not escaped right":  {"POST", "/v1/data/a%zz", `{}`, 400, `"code":"invalid_parameter"`},
		"all data":                          {"GET", "/v1/data", ``, 404, `"code":"resource_not_found"`},
		"all data with a slash":             {"POST", "/v1/data/", `{}`, 404, `"code":"resource_not_found"`},
		"writing":                           {"PUT", "/v1/data/a", `{}`, 405, `"code":"invalid_operation"`},
		"policies":                          {"PUT", "/v1/policies/a", `{}`, 404, `"code":"resource_not_found"`},
		"queries":                           {"POST", "/v1/query", `{}`, 404, `"code":"resource_not_found"`},
		"facts of the caller's":             {"POST", "/v1/data/a", `{"input":{"facts":{}}}`, 400, `the input has facts`},
		"half a body":                       {"POST", "/v1/data/a", `{"input":`, 400, `"code":"invalid_parameter"`},
		"a name twice":                      {"POST", "/v1/data/a", `{"input":1,"input":2}`, 400, `"code":"invalid_parameter"`},
		"a body that is no object":          {"POST", "/v1/data/a", `[]`, 400, `the body is an array`},
		"a request that is nearly one":      {"POST", "/v1/data/a", `{"input":` + strings.Replace(request, `"id":"101"`, `"id":"101","properties":7`, 1) + `}`, 400, `resource.properties is a number`},
		"a request with a number":           {"POST", "/v1/data/a", `{"input":` + strings.Replace(request, `"101"`, `101`, 1) + `}`, 400, `resource.id is a number`},
		"a request without a type":          {"POST", "/v1/data/a", `{"input":` + strings.Replace(request, `"type":"user",`, ``, 1) + `}`, 400, `subject.type is missing`},
		"words of another API":              {"POST", "/v1/data/a", `{"input":{"subject":"alice","action":"read","resource":"101"}}`, 200, `"subject":"alice"`},
		"a subject of half a translation":   {"POST", "/v1/compile/a", `{"input":{"subject":{"type":"user","id":7}}}`, 400, `subject.id is a number`},
		"facts in a translation":            {"POST", "/v1/compile/a", `{"input":{"facts":{}}}`, 400, `the input has facts`},
		"what fails here":                   {"POST", "/v1/data/a", `{"input":"bug"}`, 500, `{"code":"internal_error","message":"Something went wrong here`},
		"a batch":                           {"POST", "/v1/batch/data/a", `{"inputs":{"y":2,"x":1}}`, 200, `{"batch_decision_id":"dec-1","responses":{"x":{"decision_id":"dec-1.0","result":{"input":1,"path":"a"}},"y":{"decision_id":"dec-1.1","result":{"input":2,"path":"a"}}}}`},
		"an empty batch":                    {"POST", "/v1/batch/data/a", `{"inputs":{}}`, 200, `"responses":{}}`},
		"a batch of which some fails":       {"POST", "/v1/batch/data/a", `{"inputs":{"x":1,"y":"bug"}}`, 207, `"y":{"code":"internal_error","message":"Something went wrong here`},
		"says of each how it went":          {"POST", "/v1/batch/data/a", `{"inputs":{"x":1,"y":"bug"}}`, 207, `"x":{"decision_id":"dec-1.0","http_status_code":"200"`},
		"a batch that fails whole":          {"POST", "/v1/batch/data/a", `{"inputs":{"x":"bug"}}`, 500, `"responses":{"x":{"code":"internal_error"`},
		"a batch without inputs":            {"POST", "/v1/batch/data/a", `{}`, 400, `inputs is missing`},
		"a batch that is too large":         {"POST", "/v1/batch/data/a", `{"inputs":{"1":1,"2":1,"3":1,"4":1}}`, 400, `send 3 or fewer`},
		"a translation to nothing":          {"POST", "/v1/compile/a", `{}`, 400, `the Accept header names no filter`},
		"health":                            {"GET", "/health?bundles=true", ``, 200, `{}`},
		"the directory is away":             {"GET", "/health?plugins", ``, 500, `{"error":"one or more plugins are not up"}`},
		"nobody asks about it":              {"GET", "/health?plugins&exclude-plugin=directory", ``, 200, `{}`},
		"a path of nobody's in OPA's shape": {"GET", "/v1/nothing", ``, 404, `"code":"resource_not_found"`},
		"another one is a problem":          {"GET", "/nothing", ``, 404, `"type":"urn:postern:problem:not-found"`},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(Options{PDP: &fixture{}, MaxBatch: 3, Build: Build{"1.2.3", "abc"}})
			status, got := ask(t, server, tt.method, tt.path, tt.body)
			if status != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("got %d %s, want %d %s", status, got, tt.status, tt.want)
			}
		})
	}
}

func TestOnlyWhatAuthZENKnowsOfARequestIsAsked(t *testing.T) {
	f := &fixture{}
	ask(t, newServer(Options{PDP: f}), "POST", "/v1/data/a?explain=full&metrics", `{"input":`+strings.Replace(request, "{", `{"roles":["admin"],`, 1)+`}`, "Postern-Consistency-Token", "token-41")
	q := f.asked[0]
	if it := q.Items[0]; it.Bare || it.Input != nil || it.Request.Subject.ID != "alice" {
		t.Errorf("got %+v, want the request alone", it)
	}
	if q.AtLeast != 41 || !q.Explain || q.Metrics == nil || q.Path != "a" {
		t.Errorf("got %+v, want the token's revision, an explanation and metrics", q)
	}
}

// A path of one segment is kept for as long as its query and the decision log are,
// which is longer than the buffer of the request that it came in.
func TestAPathOutlivesItsRequest(t *testing.T) {
	f := &fixture{}
	server := newServer(Options{PDP: f})
	for i := range 50 {
		ask(t, server, "POST", fmt.Sprintf("/v1/data/path%d", 10+i), `{"input":1}`)
	}
	for i, q := range f.asked {
		if want := fmt.Sprintf("path%d", 10+i); q.Path != want {
			t.Errorf("got %q, want %s", q.Path, want)
		}
	}
}

func TestAnErrorOfAllIsInOPAsShape(t *testing.T) {
	for want, err := range map[string]error{
		`{"code":"internal_error","message":"The answer cannot be known at the moment. Ask again.","decision_id":"dec-1"}`: authz.ErrUnavailable,
		`{"code":"unauthorized","message":"not yours","decision_id":"dec-1"}`:                                              errors.Join(errors.New("not yours"), authz.ErrForbidden),
		`{"code":"resource_conflict"`: authz.ErrAhead,
	} {
		_, got := ask(t, newServer(Options{PDP: &fixture{err: err}}), "POST", "/v1/data/a", `{"input":1}`)
		if !strings.HasPrefix(strings.ReplaceAll(got, `\nforbidden`, ""), want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Who is refused before any handler reads OPA's shape, too.
func TestWhatIsRefusedEarlyIsInOPAsShape(t *testing.T) {
	stranger := func(*fiber.Ctx) error { return authz.ErrUnauthenticated }
	server := newServer(Options{PDP: &fixture{}, Authenticate: stranger})
	for name, tt := range map[string]struct {
		body, header, value string
		status              int
		code                string
	}{
		"a stranger":    {`{"input":1}`, "X-A", "b", 401, "unauthorized"},
		"a packed body": {`{"input":1}`, "Content-Encoding", "gzip", 415, "invalid_parameter"},
	} {
		status, got := ask(t, server, "POST", "/v1/data/a", tt.body, tt.header, tt.value)
		if status != tt.status || !strings.HasPrefix(got, `{"code":"`+tt.code+`","message":"`) {
			t.Errorf("%s: got %d %s, want %d in OPA's shape", name, status, got, tt.status)
		}
	}
}

func TestABodyThatIsTooLargeIsRefusedInOPAsShape(t *testing.T) {
	l := fasthttputil.NewInmemoryListener()
	defer l.Close()
	go func() { _ = newServer(Options{PDP: &fixture{}}).App.Server().Serve(l) }() // it ends with l
	conn, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("POST /v1/data/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 300000\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 413 || !strings.HasPrefix(string(text), `{"code":"invalid_parameter"`) {
		t.Errorf("got %v %d %s, want 413 in OPA's shape", err, res.StatusCode, text)
	}
}

// FuzzData says that no path and no body makes the API panic or answer with
// anything but JSON, and that facts never get in.
func FuzzData(f *testing.F) {
	for _, path := range []string{"postern/access/decision", "a%2Fb", "..", "a\"]", "%zz", ""} {
		f.Add(path, `{"input":`+request+`}`)
	}
	f.Add("a", `{"input":{"facts":1}}`)
	asked := &fixture{}
	server := newServer(Options{PDP: asked})
	f.Fuzz(func(t *testing.T, path, body string) {
		u := url.URL{Path: "/v1/data/" + path}
		asked.asked = nil
		ask(t, server, "POST", u.EscapedPath(), body)
		for _, q := range asked.asked {
			input, _ := q.Items[0].Input.(object)
			if _, claimed := input["facts"]; claimed && q.Items[0].Err == nil {
				t.Errorf("%q got facts in", body)
			}
		}
		if v, err := ijson.Decode([]byte(body), ijson.Limits{}); err == nil {
			item(v)
		}
	})
}

// BenchmarkData is what HTTP and JSON cost, with a decision point that answers at
// once.
func BenchmarkData(b *testing.B) {
	server := newServer(Options{PDP: &always{}, Stages: pdp.New(pdp.Options{}).Stages()})
	converse(b, server.App, "/v1/data/postern/access/decision", `{"input":`+request+`}`)
}
