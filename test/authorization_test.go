package test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/managementapi"
)

var update = flag.Bool("update", false, "write testdata/authorization.csv anew: read every line of it that changed")

// A matrixOperation is one thing that a listener can be asked for.
type matrixOperation struct {
	id, method, path string
	decisions        bool // of the decision listener
	body, media      string
	dry              bool // takes validate_only
}

// TestAuthorization asks every operation of both listeners as everybody about
// everything, and compares the statuses with the table that people have reviewed.
func TestAuthorization(t *testing.T) {
	w := newWorld(t)
	known := slices.Concat(decisionOperations(t), managementOperations(t))
	got := w.ask(t, known)
	if t.Failed() {
		return
	}
	reviewed := readMatrix(t)
	if *update {
		reviewed.write(t, known, got)
		return
	}
	reviewed.compare(t, known, got)
	t.Logf("%d operations, %d cells", len(known), len(got))
}

// TestNoOtherMethodAnswers tries the methods that an operation's path does not
// have, and the operations of one listener on the other.
func TestNoOtherMethodAnswers(t *testing.T) {
	w := newWorld(t)
	known := slices.Concat(decisionOperations(t), managementOperations(t))
	to := target{organization: "acme", member: "regular", ids: map[string]string{
		"company": "acme-eu", "account": "acct-7", "account_group": "acme-baltic", "invitation": w.made["invitation regular"],
	}}
	for _, o := range known {
		path := strings.ReplaceAll(w.path(o, to), "*", "tenant")
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"} {
			for _, decisions := range []bool{true, false} {
				switch {
				case !routes(known, decisions, method, path):
					w.wantsNone(t, decisions, method, path)
				case decisions != o.decisions && path != "/openapi.json": // each has its own
					t.Errorf("both listeners have %s %s", method, o.path)
				}
			}
		}
	}
}

// routes says whether an operation of a listener has the path. HEAD is GET
// without the body (RFC 9110 §9.3.2).
func routes(known []matrixOperation, decisions bool, method, path string) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	parameter := regexp.MustCompile(`\\{\w+\\}|\\\*`)
	return slices.ContainsFunc(known, func(o matrixOperation) bool {
		pattern := "^" + parameter.ReplaceAllString(regexp.QuoteMeta(o.path), "[^/]+") + "$"
		return o.decisions == decisions && o.method == method && regexp.MustCompile(pattern).MatchString(path)
	})
}

// wantsNone asks for what is not there, as somebody who may do everything and as
// nobody. A stranger may be told that it is one instead.
func (w *world) wantsNone(t *testing.T, decisions bool, method, path string) {
	t.Helper()
	at, credential := w.administration, w.key
	if decisions {
		at, credential = w.decisions, w.made["app_key"]
	}
	for name, headers := range map[string][]string{"nobody": nil, "everybody's master": {"Authorization: Bearer " + credential}} {
		x, err := at.send(method, path, "", headers...)
		if err != nil {
			t.Errorf("%s %s as %s: %v", method, path, name, err)
			continue
		}
		stranger := name == "nobody" && x.status == http.StatusUnauthorized
		if x.status != http.StatusNotFound && x.status != http.StatusMethodNotAllowed && !stranger {
			t.Errorf("%s %s as %s: got %d %s, want 404 or 405", method, path, name, x.status, x.body)
		}
	}
}

// decisionOperations are what the decision listener routes.
func decisionOperations(t *testing.T) []matrixOperation {
	t.Helper()
	s := httpserver.New(httpserver.Options{Name: "decisions"})
	if err := decisionapi.Register(s.App, decisionapi.Options{}); err != nil {
		t.Fatal(err)
	}
	question := `{"subject":{"type":"login","id":"regina"},"action":{"name":"service.view"},"resource":{"type":"account","id":"acct-7"}}`
	var all []matrixOperation
	for _, r := range s.App.GetRoutes(true) {
		if r.Method == http.MethodHead {
			continue
		}
		o := matrixOperation{id: r.Method + " " + r.Path, method: r.Method, path: r.Path, decisions: true}
		if r.Method == http.MethodPost {
			o.body, o.media = question, "application/json"
		}
		all = append(all, o)
	}
	return all
}

// managementOperations are what the OpenAPI file has, with the bodies that it
// shows as examples.
func managementOperations(t *testing.T) []matrixOperation {
	t.Helper()
	type schema struct {
		Ref      string `json:"$ref"`
		Examples []json.RawMessage
	}
	type said struct {
		OperationID string
		Parameters  []struct {
			Ref string `json:"$ref"`
		}
		RequestBody struct {
			Content map[string]struct{ Schema schema }
		}
	}
	var file struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(managementapi.Document, &file); err != nil {
		t.Fatal(err)
	}
	var all []matrixOperation
	for _, path := range slices.Sorted(maps.Keys(file.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(file.Paths[path])) {
			var s said
			if err := json.Unmarshal(file.Paths[path][method], &s); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			o := matrixOperation{id: s.OperationID, method: strings.ToUpper(method), path: path}
			for _, p := range s.Parameters {
				o.dry = o.dry || strings.HasSuffix(p.Ref, "validate_only")
			}
			for media, content := range s.RequestBody.Content {
				shown := content.Schema
				if name, ok := strings.CutPrefix(shown.Ref, "#/components/schemas/"); ok {
					shown = file.Components.Schemas[name]
				}
				if len(shown.Examples) == 0 {
					t.Fatalf("the OpenAPI file has no example of the body of %s", o.id)
				}
				o.media, o.body = media, string(shown.Examples[0])
			}
			all = append(all, o)
		}
	}
	return all
}

// matrixBodies are those that the examples of the file do not do for here.
var matrixBodies = map[string]string{
	"createOrganization": `{"id":"initech","kind":"customer","name":"Initech"}`,
	"assignRole":         `{"role":"read_only"}`,
	"verifyCredentials":  `{"username":"vera","password":"correct horse battery"}`,
	"patchGrants":        `{"add":{"accounts":[{"id":"acct-8"}]}}`,
	"grantTool":          `{"accounts":["acct-8"]}`,
}

// bodyFor is what is sent to ask an operation about a target.
func (w *world) bodyFor(o matrixOperation, by principal, to target) string {
	body := o.body
	if other, ok := matrixBodies[o.id]; ok {
		body = other
	}
	body = regexp.MustCompile(`pst_inv_[^"]+`).ReplaceAllLiteralString(body, w.made["link "+by.name])
	if to.role != "" {
		body = regexp.MustCompile(`"role": ?"\w+"`).ReplaceAllString(body, `"role":"`+to.role+`"`)
	}
	if to.name == "wider" && to.member == "" {
		body = strings.Replace(strings.Replace(body, "acct-7", "acct-9", -1), "acme-eu", "acme-us", -1)
	}
	return abroad(to.organization, body)
}

// A cell is one question of the matrix.
type cell struct{ operation, target, principal string }

// An asked is what was answered so far.
type asked struct {
	mu      sync.Mutex
	cells   map[cell]int
	said    map[cell]string // by whom and how, the last time
	checked map[string]bool // operations with a status, of which one answer was looked at
}

// ask asks everything and returns the statuses by cell; the principal of a cell
// is its column. All of a column ask about the first target of an operation, and
// about each other one of them in turn.
func (w *world) ask(t *testing.T, known []matrixOperation) map[cell]int {
	t.Helper()
	got := &asked{cells: map[cell]int{}, said: map[cell]string{}, checked: map[string]bool{}}
	work := make(chan func())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	by, questions := w.principals(), 0
	for _, o := range known {
		for _, p := range by {
			for i, to := range w.targets(o, p) {
				if i > 0 && i%p.of != p.turn {
					continue
				}
				questions++
				work <- func() { got.add(t, o, p, to, w.one(t, o, p, to)) }
			}
		}
	}
	close(work)
	all.Wait()
	t.Logf("asked %d questions", questions)
	return got.cells
}

// add keeps an answer. One of each status is looked at in full.
func (a *asked) add(t *testing.T, o matrixOperation, by principal, to target, x exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, status := cell{o.id, to.name, by.column}, x.status
	if o.id == "createInvitations" && strings.Contains(x.body, `"outcome":"refused"`) {
		status = http.StatusForbidden // what its one item would be answered by itself
	}
	if before, known := a.cells[at]; known && before != status {
		t.Errorf("%s of %s: got %d for %s\n%s\nand in the same column, %s", o.id, to.name, status, by.name, x, a.said[at])
	}
	a.cells[at], a.said[at] = status, fmt.Sprintf("%d for %s\n%s", status, by.name, x)
	if x.status >= 500 {
		t.Errorf("%s of %s as %s: got %s", o.id, to.name, by.name, x)
	}
	kind := fmt.Sprint(o.id, x.status)
	if a.checked[kind] {
		return
	}
	a.checked[kind] = true
	written.exchange(x)
	listener := "management"
	if o.decisions {
		listener = "decisions"
	}
	if err := conforms(listener, x); err != nil {
		t.Error(err)
	}
}

// one asks one question. What would change something is only tried.
func (w *world) one(t *testing.T, o matrixOperation, by principal, to target) exchange {
	at, path, headers := w.administration, w.path(o, to), slices.Clone(by.headers)
	if o.decisions {
		at = w.decisions
	}
	if o.media != "" {
		headers = append(headers, "Content-Type: "+o.media)
	}
	if o.method == http.MethodPut {
		headers = append(headers, "If-Match: *")
	}
	if o.dry {
		path += "?validate_only=true"
	}
	x, err := at.send(o.method, path, w.bodyFor(o, by, to), headers...)
	if err != nil {
		t.Errorf("%s as %s: %v", o.id, by.name, err)
	}
	return x
}
