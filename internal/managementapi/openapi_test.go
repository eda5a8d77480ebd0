package managementapi

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/openapitest"
)

func checker(t testing.TB) *openapitest.Checker {
	t.Helper()
	c, err := openapitest.New(Document)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTheTableAndTheFileSayTheSame compares the operations that are routed with
// the OpenAPI file, both ways.
func TestTheTableAndTheFileSayTheSame(t *testing.T) {
	doc := checker(t).Document()
	routed := map[string]bool{}
	for _, op := range operations() {
		routed[op.method+" "+op.path] = true
		said := doc.Paths.Value(op.path)
		if said == nil || said.GetOperation(op.method) == nil {
			t.Errorf("%s %s is routed, and the file does not have it", op.method, op.path)
			continue
		}
		compare(t, op, said.GetOperation(op.method))
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !routed[method+" "+path] {
				t.Errorf("the file has %s %s, which is not routed", method, path)
			}
		}
	}
}

func compare(t *testing.T, op operation, said *openapi3.Operation) {
	t.Helper()
	if said.OperationID != op.id {
		t.Errorf("%s %s is %s in the table and %s in the file", op.method, op.path, op.id, said.OperationID)
	}
	body := ""
	if said.RequestBody != nil {
		for media := range said.RequestBody.Value.Content {
			body = media
		}
	}
	if body != op.body {
		t.Errorf("%s takes %q by the table and %q by the file", op.id, op.body, body)
	}
	query, path := slices.Clone(op.query), regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(op.path, -1)
	if op.list {
		query = append(query, "page_size", "page_token")
	}
	if op.changes() {
		query = append(query, "validate_only")
	}
	var saidQuery []string
	inPath := 0
	for _, p := range said.Parameters {
		switch p.Value.In {
		case "query":
			saidQuery = append(saidQuery, p.Value.Name)
		case "path":
			inPath++
		}
	}
	slices.Sort(query)
	slices.Sort(saidQuery)
	if !slices.Equal(query, saidQuery) || inPath != len(path) {
		t.Errorf("%s has the query %v and %d in its path by the table, and %v and %d by the file", op.id, query, len(path), saidQuery, inPath)
	}
	open := said.Security != nil && len(*said.Security) > 0 && len((*said.Security)[0]) == 0
	if open != (op.public || op.static != nil) {
		t.Errorf("%s is open to strangers by the file: %v, and not so by the table", op.id, open)
	}
	needsKey := op.method == http.MethodPost
	if has := said.Parameters.GetByInAndName("header", headerIdempotency) != nil; has != needsKey {
		t.Errorf("%s takes an Idempotency-Key by the file: %v, want %v", op.id, has, needsKey)
	}
}

// TestOperationsAreNamedOnce keeps ids and routes apart: fiber takes the first of
// two routes that fit.
func TestOperationsAreNamedOnce(t *testing.T) {
	ids, routes := map[string]bool{}, map[string]bool{}
	for _, op := range operations() {
		shape := op.method + " " + regexp.MustCompile(`{\w+}`).ReplaceAllString(op.path, "{}")
		if ids[op.id] || routes[shape] {
			t.Errorf("%s %s comes twice", op.id, shape)
		}
		ids[op.id], routes[shape] = true, true
		if strings.HasPrefix(op.path, base+"/") == (op.static != nil) || op.method == fiber.MethodGet && op.body != "" {
			t.Errorf("%s: only what everybody may know lies outside of %s, and GET has no body", op.id, base)
		}
	}
}
