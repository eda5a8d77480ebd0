package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/postern-authz/postern/"

// imports says which of our packages each package may import itself. A package
// that is not here does not exist: whoever adds one says where it stands.
var imports = map[string][]string{
	"internal/authz":           {},
	"internal/ijson":           {},
	"internal/config":          {},
	"policies":                 {},
	"internal/policy":          {"internal/authz", "policies"},
	"internal/prover":          {"internal/policy"},
	"internal/histogram":       {},
	"internal/grant":           {"internal/authz", "internal/histogram"},
	"internal/trace":           {},
	"internal/decisionlog":     {"internal/authz", "internal/trace"},
	"internal/dependency":      {},
	"internal/document":        {"internal/authz"},
	"internal/redis":           {"internal/authz", "internal/dependency", "internal/document"},
	"internal/pdp":             {"internal/authz", "internal/policy", "internal/decisionlog", "internal/histogram", "internal/trace"},
	"internal/directory":       {"internal/authz", "internal/ijson"},
	"internal/backup":          {"internal/authz"},
	"internal/drift":           {"internal/authz", "internal/pap"},
	"internal/store":           {"internal/authz", "internal/backup", "internal/dependency", "internal/directory", "internal/drift", "internal/pap"},
	"internal/store/storetest": {"internal/authz", "internal/directory", "internal/pap", "internal/store", "test/fleet"},
	"internal/secret":          {},
	"internal/keyring":         {"internal/authz", "internal/secret"},
	"internal/httpserver":      {"internal/authz", "internal/histogram", "internal/keyring", "internal/secret", "internal/trace"},
	"internal/authzen":         {"internal/authz", "internal/ijson", "internal/pdp"},
	"internal/exchange":        {"internal/authz", "internal/httpserver", "internal/ijson", "internal/pdp"},
	"internal/dataapi":         {"internal/authz", "internal/authzen", "internal/exchange", "internal/ijson", "internal/pdp", "internal/policy", "internal/httpserver"},
	"internal/decisionapi":     {"internal/authz", "internal/authzen", "internal/exchange", "internal/ijson", "internal/pdp", "internal/httpserver"},
	"internal/proxyauth":       {"internal/authz", "internal/ijson", "internal/jwt", "internal/pdp", "internal/policy", "internal/httpserver"},
	"internal/jwt":             {"internal/authz", "internal/keyring"},
	"internal/token":           {"internal/authz"},
	"internal/ops":             {"internal/authz"},
	"internal/demo":            {"internal/authz", "internal/directory"},
	"internal/pap":             {"internal/authz", "internal/directory", "internal/ijson", "internal/secret", "internal/trace"},
	"internal/link":            {"internal/authz", "internal/pap"},
	"internal/password":        {"internal/authz"},
	"internal/outbox":          {"internal/authz", "internal/pap", "internal/trace"},
	"internal/mail":            {"internal/authz", "internal/pap", "internal/outbox"},
	"internal/mail/mailtest":   {},
	"internal/webhook":         {"internal/authz", "internal/pap", "internal/outbox", "internal/trace"},
	"internal/bearer":          {"internal/authz", "internal/jwt", "internal/keyring", "internal/pap", "internal/secret"},
	"internal/openapitest":     {},
	"internal/feed":            {"internal/authz", "internal/dependency", "internal/trace"},
	"internal/managementapi":   {"internal/authz", "internal/feed", "internal/ijson", "internal/directory", "internal/pap", "internal/httpserver", "internal/secret"},
}

// everything names the packages that put the others together.
var everything = []string{"internal/app", "cmd/postern"}

// TestPackagesImportInOneDirection keeps what the layout promises.
func TestPackagesImportInOneDirection(t *testing.T) {
	for _, pkg := range packages(t) {
		may, known := imports[pkg.name]
		switch {
		case !ours(pkg.name) || slices.Contains(everything, pkg.name):
			continue
		case !known:
			t.Errorf("%s is new: say in this test what it may import", pkg.name)
		}
		for _, imported := range pkg.Imports {
			if name, own := strings.CutPrefix(imported, module); own && known && !slices.Contains(may, name) {
				t.Errorf("%s imports %s, want nothing of ours but %v", pkg.name, name, may)
			}
		}
	}
}

// TestArchitecture keeps the promises that reach through other packages, each
// with its reason. A path that ends in a slash stands for all below it.
func TestArchitecture(t *testing.T) {
	const (
		fiber    = "github.com/gofiber/fiber/v2"
		fasthttp = "github.com/valyala/fasthttp"
		opa      = "github.com/open-policy-agent/opa"
		// Whoever links OPA's translation of rules into SQL reaches database/sql,
		// for its types. Without a driver it leads nowhere, and nobody but its
		// owners imports it: see TestOnlyTheirOwnersImport.
		sqlite = "modernc.org/sqlite"
		pgx    = "github.com/jackc/pgx/"
	)
	all := packages(t)
	for _, promise := range []struct{ pkg, never, because string }{
		{"internal/authz", module, "the vocabulary stands on its own"},
		{"internal/authz", "github.com/", "the vocabulary needs nothing but the standard library"},
		{"internal/decisionapi", module + "internal/store", "the decision listener has no way to a write"},
		{"internal/decisionapi", module + "internal/directory", "the decision listener has no way to change a grant"},
		{"internal/decisionapi", sqlite, "the decision listener has no way to a write"},
		{"internal/decisionapi", pgx, "the decision listener has no way to a write"},
		{"internal/dataapi", module + "internal/store", "the decision listener has no way to a write"},
		{"internal/dataapi", module + "internal/directory", "the decision listener has no way to change a grant"},
		{"internal/dataapi", module + "internal/pap", "the decision listener has no way to change a grant"},
		{"internal/dataapi", sqlite, "the decision listener has no way to a write"},
		{"internal/dataapi", pgx, "the decision listener has no way to a write"},
		{"internal/authzen", fiber, "what a request is does not depend on HTTP"},
		{"internal/proxyauth", module + "internal/store", "the decision listener has no way to a write"},
		{"internal/proxyauth", module + "internal/directory", "the decision listener has no way to change a grant"},
		{"internal/proxyauth", module + "internal/pap", "the decision listener has no way to change a grant"},
		{"internal/proxyauth", sqlite, "the decision listener has no way to a write"},
		{"internal/proxyauth", pgx, "the decision listener has no way to a write"},
		{"internal/jwt", fiber, "whose a token is does not depend on HTTP"},
		{"internal/httpserver", module + "internal/store", "what listeners share has no way to a write"},
		{"internal/httpserver", module + "internal/directory", "what listeners share has no way to change a grant"},
		{"internal/pdp", fiber, "a decision does not know that it came over HTTP"},
		{"internal/pdp", fasthttp, "a decision does not know that it came over HTTP"},
		{"internal/pdp", module + "internal/directory", "who decides does not change what it decides on"},
		{"internal/policy", fiber, "a policy does not know that it is asked over HTTP"},
		{"internal/policy", sqlite, "a policy reads facts and nothing else"},
		{"internal/policy", pgx, "a policy reads facts and nothing else"},
		{"internal/grant", fiber, "facts do not know that they are asked for over HTTP"},
		{"internal/grant", "database/sql", "all SQL is in store"},
		{"internal/decisionapi", module + "internal/pap", "the decision listener has no way to change a grant"},
		{"internal/pap", "database/sql", "all SQL is in store"},
		{"internal/bearer", fiber, "who a caller is does not depend on HTTP"},
		{"internal/pap", opa, "the policy is asked through an interface"},
		{"internal/pap", fiber, "who administers does not know HTTP"},
		{"internal/directory", "database/sql", "the rules of the portal do not know where they are kept"},
		{"internal/directory", opa, "the rules of the portal are not a policy"},
		{"internal/directory", fiber, "the rules of the portal do not know HTTP"},
		{"internal/store", fiber, "what is kept does not depend on how it is asked for"},
		{"internal/redis", fiber, "what is kept does not depend on how it is asked for"},
		{"internal/redis", "database/sql", "all SQL is in store"},
		{"internal/config", fiber, "settings are values"},
		{"cmd/postern", opa + "/v1/sdk", "it dies when labelled rules are asked at once (ruling 9)"},
		{"cmd/postern", opa + "/v1/server", "one server is enough (ruling 9)"},
		{"cmd/postern", opa + "/v1/runtime", "one server is enough (ruling 9)"},
		{"cmd/postern", opa + "/v1/plugins/logs", "a decision never waits for its log"},
		{"cmd/postern", module + "internal/store/storetest", "tests stay out of the product"},
		{"cmd/postern", module + "internal/mail/mailtest", "tests stay out of the product"},
		{"cmd/postern", module + "test/", "tests stay out of the product"},
		{"cmd/postern", module + "internal/openapitest", "tests stay out of the product"},
		{"internal/managementapi", module + "internal/store", "who administers over HTTP goes through the PAP"},
	} {
		pkg, ok := all[promise.pkg]
		if !ok {
			t.Errorf("there is no package %s, of which it is promised: %s", promise.pkg, promise.because)
		}
		for _, dep := range pkg.Deps {
			if dep == promise.never || strings.HasSuffix(promise.never, "/") && below(dep, promise.never) {
				t.Errorf("%s reaches %s, but %s", promise.pkg, dep, promise.because)
			}
		}
	}
}

// TestOnlyTheirOwnersImport keeps a library in the package that speaks for it.
func TestOnlyTheirOwnersImport(t *testing.T) {
	owners := map[string][]string{
		"database/sql":                     {"internal/store", "internal/store/storetest"},
		"modernc.org/sqlite":               {"internal/store", "internal/store/storetest"},
		"github.com/jackc/pgx":             {"internal/store", "internal/store/storetest", "internal/config"},
		"github.com/pressly/goose":         {"internal/store"},
		"github.com/gofiber/fiber":         {"internal/httpserver", "internal/exchange", "internal/decisionapi", "internal/proxyauth", "internal/dataapi", "internal/managementapi", "internal/app"},
		"github.com/valyala/fasthttp":      {"internal/httpserver", "internal/decisionapi", "internal/proxyauth", "internal/managementapi"},
		"github.com/caarlos0/env":          {"internal/config"},
		"github.com/spf13/cobra":           {"cmd/postern"},
		"github.com/lestrrat-go/jwx":       {"internal/jwt"},
		"gopkg.in/natefinch/lumberjack.v2": {"internal/decisionlog", "internal/app"},
		"github.com/maypok86/otter":        {"internal/grant"},
		"github.com/getkin/kin-openapi":    {"internal/openapitest"},
		"github.com/redis/go-redis":        {"internal/redis"},
		"golang.org/x/time":                {"internal/managementapi"},
		"testing":                          {"internal/store/storetest", "internal/mail/mailtest"},
		"github.com/emersion":              {"internal/mail/mailtest"},
		"log":                              {},
		"html/template":                    {}, // keeps every method of every type: 12 MB of the program
		"text/template":                    {}, // the same; text/template/parse does not
		"unsafe":                           {},
	}
	for _, pkg := range packages(t) {
		for _, library := range slices.Sorted(maps.Keys(owners)) {
			if ours(pkg.name) && !slices.Contains(owners[library], pkg.name) {
				refuse(t, pkg, library, owners[library])
			}
		}
	}
}

func refuse(t *testing.T, pkg pack, library string, owners []string) {
	t.Helper()
	for _, imported := range pkg.Imports {
		alone := library == "log" || library == "text/template" // what is below it is something else
		if imported == library || !alone && below(imported, library) {
			t.Errorf("%s imports %s, want it only in %v", pkg.name, imported, owners)
		}
	}
}

// TestVersionsThatMatterArePinned keeps the versions that were chosen for a
// reason from moving without one.
func TestVersionsThatMatterArePinned(t *testing.T) {
	pinned := map[string]struct{ version, because string }{
		"github.com/valyala/fasthttp":         {"v1.74.0", "older ones take smuggled requests, newer ones do not build (D1)"},
		"github.com/gofiber/fiber/v2":         {"v2.52.15", "the framing guard was measured on it (D1)"},
		"github.com/open-policy-agent/opa":    {"v1.22.2", "older ones verify too little, newer ones are untried here (D6)"},
		"modernc.org/sqlite":                  {"v1.60.1", "newer ones break go mod tidy (ruling 15)"},
		"github.com/rogpeppe/go-internal":     {"v1.16.0", "the scripts are written for it"},
		"github.com/redis/go-redis/v9":        {"v9.23.0", "its settings for a Redis that hangs were measured (D8)"},
		"github.com/prometheus/client_golang": {"v1.25.0", "the metrics page is tested against it"},
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		if want, ok := pinned[path]; ok && version != want.version {
			t.Errorf("%s is at %s, want %s: %s", path, version, want.version, want.because)
		}
		delete(pinned, path)
	}
	for path := range pinned {
		t.Errorf("%s is not in go.mod any more: take it out of this test", path)
	}
}

// A pack is one package of ours as the go command sees it, tests left out.
type pack struct {
	name       string // without the module's path
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

// packages lists every package of the module by name.
func packages(t *testing.T) map[string]pack {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// listed asks the go command, once.
var listed = sync.OnceValues(func() (map[string]pack, error) {
	list := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", module+"...")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %v", list, stderr(err))
	}
	all := map[string]pack{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg pack
		if err := dec.Decode(&pkg); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		pkg.name = strings.TrimPrefix(pkg.ImportPath, module)
		all[pkg.name] = pkg
	}
})

// ours tells whether a package is part of the product, and not of its tests.
func ours(name string) bool {
	return strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "cmd/") || name == "policies"
}

// below tells whether an import path is the other one or lies in it.
func below(path, other string) bool {
	return path == other || strings.HasPrefix(path, strings.TrimSuffix(other, "/")+"/")
}

func stderr(err error) string {
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return err.Error()
}
