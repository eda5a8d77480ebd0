package app

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/openapitest"
	"github.com/postern-authz/postern/internal/ops"
	"github.com/postern-authz/postern/internal/pdp"
)

// TestTheDecisionListenerAndItsFileSayTheSame compares what is routed, by whichever
// package, with the OpenAPI file, both ways.
func TestTheDecisionListenerAndItsFileSayTheSame(t *testing.T) {
	cfg, err := config.Load([]string{"POSTERN_STATE=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{cfg: cfg, Options: Options{Log: slog.New(slog.DiscardHandler)}, build: ops.ReadBuild(), pdp: pdp.New(pdp.Options{})}
	s.registry = ops.NewRegistry(s.build)
	listener, err := s.decisions()
	if err != nil {
		t.Fatal(err)
	}
	checker, err := openapitest.New(decisionapi.Document)
	if err != nil {
		t.Fatal(err)
	}
	routed := routesOf(listener.App)
	said := checker.Document().Paths.Map()
	for path, methods := range routed {
		item := said[path]
		switch {
		case item == nil:
			t.Errorf("%s is routed, and the file does not have it", path)
		case slices.Contains(methods, http.MethodConnect): // every method
			if item.Get == nil || item.Get.Extensions["x-any-method"] != true {
				t.Errorf("%s is routed for every method, and the file does not say so", path)
			}
		default:
			for _, method := range methods {
				if item.GetOperation(method) == nil && method != http.MethodHead { // which comes with GET
					t.Errorf("%s %s is routed, and the file does not have it", method, path)
				}
			}
		}
	}
	for path, item := range said {
		for method := range item.Operations() {
			if !slices.Contains(routed[path], method) {
				t.Errorf("the file has %s %s, which is not routed", method, path)
			}
		}
	}
}

// routesOf are the methods by path, as OpenAPI writes paths.
func routesOf(app *fiber.App) map[string][]string {
	routed := map[string][]string{}
	for _, r := range app.GetRoutes(true) { // without what goes before every route
		path := strings.Replace(r.Path, "*", "{path}", 1)
		routed[path] = append(routed[path], r.Method)
	}
	return routed
}
