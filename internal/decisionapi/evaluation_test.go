package decisionapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/exchange"
)

const (
	permitted = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"101"}}`
	permit    = `{"decision":true}`
	deny      = `{"decision":false}`
)

// with is the permitted request with some members changed; "" leaves one out.
func with(changes ...string) string {
	members := map[string]string{"subject": `{"type":"user","id":"alice"}`, "action": `{"name":"read"}`, "resource": `{"type":"record","id":"101"}`}
	for i := 0; i+1 < len(changes); i += 2 {
		members[changes[i]] = changes[i+1]
	}
	var all []string
	for _, name := range []string{"subject", "action", "resource", "context", "evaluations", "options", "page", "extra", "SUBJECT"} {
		if members[name] != "" {
			all = append(all, `"`+name+`":`+members[name])
		}
	}
	return "{" + strings.Join(all, ",") + "}"
}

// TestEvaluation has a test for each of requirements 1 to 15, and for the rulings
// that bear on one request.
func TestEvaluation(t *testing.T) {
	for name, tt := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"1 a subject has type, id and properties":               {with("subject", `{"type":"user","id":"eve","properties":{"role":"auditor"}}`), 200, permit},
		"1 a subject needs no properties":                       {permitted, 200, permit},
		"2 a resource is told by type and id together":          {with("resource", `{"type":"folder","id":"101"}`), 200, deny},
		"2 a resource has properties":                           {with("resource", `{"type":"record","id":"9","properties":{"public":true}}`), 200, permit},
		"3 an action has a name":                                {with("action", `{"name":"write"}`), 200, deny},
		"3 an action has properties":                            {with("action", `{"name":"read","properties":{"dry":true}}`, "resource", `{"type":"record","id":"9"}`), 200, permit},
		"4 the context may be absent":                           {permitted, 200, permit},
		"4 the context is an object":                            {with("context", `{"time":"2026-11-21T22:00Z"}`), 200, permit},
		"5 a property is any JSON value":                        {with("context", `{"s":"x","n":-1.50e3,"b":false,"z":null,"a":[1,[2]],"o":{"o":{}}}`), 200, permit},
		"6 a decision is a boolean and nothing else":            {with("subject", `{"type":"user","id":"bob"}`), 200, permit},
		"6 a decision may have a context":                       {with("resource", `{"type":"record","id":"explained"}`), 200, `{"decision":false,"context":{"zebra":1, "reasons":[{"rule":"access.role","text":"<b>"}]}}`},
		"7 a denial with a context is a denial":                 {with("subject", `{"type":"user","id":"eve"}`, "resource", `{"type":"record","id":"explained"}`), 200, ""},
		"9 subject, action and resource make a request":         {permitted, 200, permit},
		"10 an absent subject":                                  {with("subject", ""), 400, "subject is missing"},
		"10 an absent action":                                   {with("action", ""), 400, "action is missing"},
		"10 an absent resource":                                 {with("resource", ""), 400, "resource is missing"},
		"10 an absent subject.type":                             {with("subject", `{"id":"alice"}`), 400, "subject.type is missing"},
		"10 an absent subject.id":                               {with("subject", `{"type":"user"}`), 400, "subject.id is missing"},
		"10 an absent action.name":                              {with("action", `{}`), 400, "action.name is missing"},
		"10 an absent resource.type":                            {with("resource", `{"id":"101"}`), 400, "resource.type is missing"},
		"10 an absent resource.id":                              {with("resource", `{"type":"record"}`), 400, "resource.id is missing"},
		"10 an empty object":                                    {`{}`, 400, "subject is missing"},
		"11 a subject that is a string":                         {with("subject", `"alice"`), 400, "subject is a string"},
		"11 an action that is an array":                         {with("action", `["read"]`), 400, "action is an array"},
		"11 a resource that is a number":                        {with("resource", `101`), 400, "resource is a number"},
		"11 a subject.type that is a boolean":                   {with("subject", `{"type":true,"id":"alice"}`), 400, "subject.type is a boolean"},
		"11 a subject.id that is a number":                      {with("subject", `{"type":"user","id":7}`), 400, "subject.id is a number"},
		"11 an action.name that is an object":                   {with("action", `{"name":{}}`), 400, "action.name is an object"},
		"11 a resource.id that is an array":                     {with("resource", `{"type":"record","id":["101"]}`), 400, "resource.id is an array"},
		"11 properties that are a string":                       {with("subject", `{"type":"user","id":"alice","properties":"x"}`), 400, "subject.properties is a string"},
		"11 properties of an action that are an array":          {with("action", `{"name":"read","properties":[]}`), 400, "action.properties is an array"},
		"11 a context that is an array":                         {with("context", `[]`), 400, "context is an array"},
		"12 a denial is 200":                                    {with("subject", `{"type":"user","id":"eve"}`), 200, deny},
		"13 an unknown subject is a denial":                     {with("subject", `{"type":"user","id":"nobody"}`), 200, deny},
		"13 an unknown type of subject is a denial":             {with("subject", `{"type":"robot","id":"alice"}`), 200, deny},
		"13 an unknown resource is a denial":                    {with("resource", `{"type":"record","id":"nothing"}`), 200, deny},
		"13 an unknown action is a denial":                      {with("action", `{"name":"fly"}`), 200, deny},
		"15 properties are inputs, the context changes nothing": {with("resource", `{"type":"record","id":"9","properties":{"public":true}}`, "context", `{"public":false}`), 200, permit},
		"A3 null context is no context":                         {with("context", `null`), 200, permit},
		"A3 null properties are no properties":                  {with("subject", `{"type":"user","id":"alice","properties":null}`), 200, permit},
		"A3 a null subject is missing":                          {with("subject", `null`), 400, "subject is missing"},
		"A3 a null id is missing":                               {with("subject", `{"type":"user","id":null}`), 400, "subject.id is missing"},
		"A3 a null name is missing":                             {with("action", `{"name":null}`), 400, "action.name is missing"},
		"A8 a duplicate member":                                 {`{"subject":{"type":"user","id":"bob","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"102"}}`, 400, "/subject/id"},
		"A8 a duplicate member once unescaped":                  {`{"subject":{"type":"user","id":"bob","\u0069d":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"102"}}`, 400, "twice"},
		"A8 invalid UTF-8":                                      {with("subject", "{\"type\":\"user\",\"id\":\"ali\xffce\"}"), 400, "not UTF-8"},
		"A8 a lone surrogate":                                   {with("subject", `{"type":"user","id":"\ud800"}`), 400, "surrogate"},
		"A9 empty strings are ids":                              {with("subject", `{"type":"","id":""}`, "resource", `{"type":"","id":""}`, "action", `{"name":""}`), 200, deny},
		"A11 a decision point that cannot know":                 {with("resource", `{"type":"record","id":"broken"}`), 503, "Ask again"},
		"A11 a decision point that fails":                       {with("resource", `{"type":"record","id":"bug"}`), 500, "request id"},
		"403 a request that the caller may not make":            {with("resource", `{"type":"record","id":"foreign"}`), 403, "record foreign is not yours"},
		"68 an empty body":                                      {``, 400, "empty"},
		"68 a body that is no JSON":                             {`{"subject":`, 400, "ends in the middle"},
		"68 an array":                                           {`[` + permitted + `]`, 400, "the body is an array"},
		"68 a string":                                           {`"x"`, 400, "the body is a string"},
		"68 null":                                               {`null`, 400, "the body is null"},
		"68 something after the body":                           {permitted + `{}`, 400, "follows"},
		"70 unknown members are ignored":                        {with("extra", `{"a":[1,2]}`, "subject", `{"type":"user","id":"alice","name":"Alice"}`), 200, permit},
		"70 members of other requests are ignored":              {with("page", `5`, "evaluations", `"none"`, "options", `7`), 200, permit},
		"71 members come in any order":                          {`{"context":{},"resource":{"id":"101","type":"record"},"action":{"name":"read"},"subject":{"id":"alice","type":"user"}}`, 200, permit},
		"72 a number beyond a double":                           {with("context", `{"n":1e999}`), 400, "range of a double"},
		"78 nesting without end":                                {with("context", strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)), 400, "nested too deeply"},
		"78 too many values":                                    {with("context", `{"a":[`+strings.Repeat("0,", 70_000)+`0]}`), 400, "too many values"},
		"78 a body above 256 KiB":                               {with("context", `{"a":"`+strings.Repeat("x", 256<<10)+`"}`), 413, "too large"},
		"trap 1 members in another case are others":             {`{"subject":{"type":"user","id":"bob"},"SUBJECT":{"ID":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"102"}}`, 200, deny},
		"trap 1 a member with a long s is another":              {`{"subject":{"type":"user","id":"bob"},"ſubject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"102"}}`, 200, deny},
		"trap 1 a member in capitals is not enough":             {`{"SUBJECT":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"101"}}`, 400, "subject is missing"},
		"trap 1 a byte order mark":                              {"\xEF\xBB\xBF" + permitted, 400, "byte order mark"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen(t, Options{}).ask(t, pathEvaluation, tt.body).wants(t, tt.status, tt.want)
		})
	}
}

func TestEvaluationAnswers(t *testing.T) {
	l := listen(t, Options{})
	t.Run("8 paths contain v1", func(t *testing.T) {
		if !strings.Contains(pathEvaluation, "/v1/") || !strings.Contains(pathEvaluations, "/v1/") {
			t.Errorf("got %s and %s", pathEvaluation, pathEvaluations)
		}
	})
	t.Run("14 the same request has the same answer", func(t *testing.T) {
		for range 3 {
			l.ask(t, pathEvaluation, permitted).wants(t, 200, permit)
		}
	})
	t.Run("69 an answer is a JSON object", func(t *testing.T) {
		got := l.ask(t, pathEvaluation, permitted)
		for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got.Header.Get(name) != want {
				t.Errorf("got %s: %q, want %q", name, got.Header.Get(name), want)
			}
		}
	})
	t.Run("A13 what changes from call to call is in the header", func(t *testing.T) {
		got := l.ask(t, pathEvaluation, permitted)
		for name, want := range map[string]string{exchange.HeaderPolicy: "policy-7", exchange.HeaderData: "42", exchange.HeaderToken: "token-42"} {
			if got.Header.Get(name) != want {
				t.Errorf("got %s: %q, want %q", name, got.Header.Get(name), want)
			}
		}
		if got.body != permit || !strings.HasPrefix(got.Header.Get(exchange.HeaderDecisionID), "dec-") {
			t.Errorf("got %s with decision id %q", got.body, got.Header.Get(exchange.HeaderDecisionID))
		}
	})
	t.Run("trap 4 decision comes before context", func(t *testing.T) {
		got := l.ask(t, pathEvaluation, with("resource", `{"type":"record","id":"explained"}`))
		if !strings.HasPrefix(got.body, `{"decision":false,"context":{"zebra"`) {
			t.Errorf("got %s", got.body)
		}
	})
}

// TestWhatReachesThePolicy has the rest of requirements 5 and 70, ruling A12 and
// trap 6: what the caller said, exactly, and nothing that AuthZEN does not know.
func TestWhatReachesThePolicy(t *testing.T) {
	l := listen(t, Options{})
	l.ask(t, pathEvaluation, `{"facts":{"user":{"status":"active"}},"subject":{"type":"user","id":"alice","facts":{},"properties":{"role":"primary_contact","n":1.50}},`+
		`"action":{"name":"read","id":"x"},"resource":{"type":"record","id":"101","properties":{}},"context":{"facts":[null,true,12345678901234567890]}}`).wants(t, 200, permit)
	want := authz.Request{
		Subject:  authz.Subject{Type: "user", ID: "alice", Properties: authz.Properties{"role": "primary_contact", "n": json.Number("1.50")}},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "record", ID: "101", Properties: authz.Properties{}},
		Context:  authz.Properties{"facts": []any{nil, true, json.Number("12345678901234567890")}},
	}
	if got := l.last(t); !reflect.DeepEqual(got.Items[0].Request, want) || got.API != "evaluation" {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTransport(t *testing.T) {
	l := listen(t, Options{})
	for name, tt := range map[string]struct {
		media  string
		status int
	}{
		"67 application/json":           {"application/json", 200},
		"67 with a charset":             {"application/json; charset=utf-8", 200},
		"67 with a charset in capitals": {"Application/JSON;charset=UTF-8", 200},
		"A1 text/json":                  {"text/json", 400},
		"A1 text/plain":                 {"text/plain", 400},
		"A1 a JSON suffix":              {"application/authzen+json", 400},
		"A1 a suffix without a plus":    {"application/x-json", 400},
		"A1 none":                       {"", 400},
		"A1 another charset":            {"application/json; charset=iso-8859-1", 400},
		"A1 two types in one":           {"application/json, text/plain", 400},
		"A1 nonsense":                   {"application/json; ;=", 400},
		"trap 2 a form":                 {"application/x-www-form-urlencoded", 400},
		"trap 2 a form of parts":        {"multipart/form-data; boundary=x", 400},
	} {
		t.Run(name, func(t *testing.T) {
			want := "application/json"
			if tt.status == 200 {
				want = permit
			}
			for _, path := range []string{pathEvaluation, pathEvaluations} {
				l.ask(t, path, permitted, "Content-Type", tt.media).wants(t, tt.status, want)
			}
		})
	}
	t.Run("66 only POST", func(t *testing.T) {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			for _, path := range []string{pathEvaluation, pathEvaluations} {
				got := l.send(t, method, path, permitted, "Content-Type", "application/json")
				if got.wants(t, 405, ""); got.Header.Get("Allow") != "POST" {
					t.Errorf("%s %s allows %q, want POST", method, path, got.Header.Get("Allow"))
				}
			}
		}
	})
	t.Run("73 A2 errors are problems that say what to do", func(t *testing.T) {
		l.ask(t, pathEvaluation, `{`).wants(t, 400, "send the whole text")
		l.ask(t, "/access/v2/evaluation", permitted).wants(t, 404, "nothing at this path")
	})
	t.Run("73 errors hold no internals", func(t *testing.T) {
		for _, id := range []string{"bug", "broken"} {
			if got := l.ask(t, pathEvaluation, with("resource", `{"type":"record","id":"`+id+`"}`)); strings.Contains(got.body, "hunter2") {
				t.Errorf("got %s", got.body)
			}
		}
	})
	t.Run("74 a request id comes back on every answer", func(t *testing.T) {
		for _, body := range []string{permitted, `{`, with("resource", `{"type":"record","id":"bug"}`)} {
			if got := l.ask(t, pathEvaluation, body, "X-Request-ID", "any thing; at=all"); got.Header.Get("X-Request-ID") != "any thing; at=all" {
				t.Errorf("got %q", got.Header.Get("X-Request-ID"))
			}
		}
		l.ask(t, pathEvaluation, permitted, "X-Request-ID", "mine")
		if got := l.last(t).RequestID; got != "mine" {
			t.Errorf("the decision point got the request id %q, want mine", got)
		}
	})
	t.Run("78 D3 a packed body", func(t *testing.T) {
		l.ask(t, pathEvaluation, permitted, "Content-Encoding", "gzip").wants(t, 415, "send the body as it is")
	})
}

func TestConsistencyTokens(t *testing.T) {
	l := listen(t, Options{})
	l.ask(t, pathEvaluation, permitted).wants(t, 200, permit)
	if got := l.last(t).AtLeast; got != 0 {
		t.Errorf("without a token got at least %d, want 0", got)
	}
	l.ask(t, pathEvaluations, permitted, exchange.HeaderToken, "token-41").wants(t, 200, permit)
	if got := l.last(t).AtLeast; got != 41 {
		t.Errorf("got at least %d, want 41", got)
	}
	asked := l.count()
	l.ask(t, pathEvaluation, permitted, exchange.HeaderToken, "nonsense").wants(t, 400, "consistency token")
	if l.count() != asked {
		t.Error("a request with a wrong token was decided")
	}
	lost := listen(t, Options{PDP: &fixture{err: fmt.Errorf("revision 9: %w", authz.ErrAhead)}})
	got := lost.ask(t, pathEvaluation, permitted, exchange.HeaderToken, "token-9")
	got.wants(t, 409, "has lost")
	if !strings.Contains(got.body, `"reason":"token-ahead"`) {
		t.Errorf("got %s, want the reason token-ahead (F13)", got.body)
	}
}

func TestADecisionPointThatDoesNotAnswerIsNoPermit(t *testing.T) {
	for name, tt := range map[string]struct {
		fixture *fixture
		status  int
	}{
		"A11 it is unavailable":   {&fixture{err: authz.ErrUnavailable}, 503},
		"A11 it fails":            {&fixture{err: errCause}, 500},
		"it leaves an answer out": {&fixture{cut: 1}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, Options{PDP: tt.fixture})
			for path, body := range map[string]string{pathEvaluation: permitted, pathEvaluations: with("evaluations", `[{},{}]`)} {
				got := l.ask(t, path, body)
				got.wants(t, tt.status, "")
				if strings.Contains(got.body, "decision\"") || strings.Contains(got.body, "hunter2") || got.Header.Get(exchange.HeaderDecisionID) == "" {
					t.Errorf("got %s with %v, want a problem that names the decision", got.body, got.Header)
				}
			}
		})
	}
}
