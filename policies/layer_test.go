package policies_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/postern-authz/postern/policies"
)

// A layer is a bundle directory with what lies below it: the core alone, or an
// overlay above the core.
type layer struct {
	name    string
	files   fs.FS
	rules   map[string]*ast.Module // its own, by path
	tests   map[string]*ast.Module // its own, by path
	data    map[string]any         // all data, that of the core included
	below   *layer
	schemas *ast.SchemaSet
}

// layers are the core and every folder of bundles above it.
func layers(tb testing.TB) []*layer {
	tb.Helper()
	core := read(tb, "core", policies.FS, nil)
	all := []*layer{core}
	overlays, err := os.ReadDir("../bundles")
	if err != nil {
		tb.Fatal(err)
	}
	for _, entry := range overlays {
		if entry.IsDir() {
			all = append(all, read(tb, entry.Name(), os.DirFS(path.Join("../bundles", entry.Name())), core))
		}
	}
	return all
}

func read(tb testing.TB, name string, files fs.FS, below *layer) *layer {
	tb.Helper()
	loader, err := bundle.NewFSLoader(files)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := bundle.NewCustomReader(loader).WithProcessAnnotations(true).Read()
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	l := &layer{name: name, files: files, rules: map[string]*ast.Module{}, tests: map[string]*ast.Module{}, data: b.Data, below: below}
	for _, m := range b.Modules {
		of := l.rules
		if strings.HasSuffix(m.Path, "_test.rego") {
			of = l.tests
		}
		of[strings.TrimPrefix(m.Path, "/")] = m.Parsed
	}
	if below == nil {
		l.schemas = schemas(tb, files)
		return l
	}
	l.schemas = below.schemas
	maps.Copy(l.data, below.data) // the roots do not overlap: the reader saw to it
	return l
}

func schemas(tb testing.TB, files fs.FS) *ast.SchemaSet {
	tb.Helper()
	set := ast.NewSchemaSet()
	for _, name := range []string{"access", "manage", "facts"} {
		raw, err := fs.ReadFile(files, "schemas/"+name+".json")
		if err != nil {
			tb.Fatal(err)
		}
		var schema any
		if err := util.UnmarshalJSON(raw, &schema); err != nil {
			tb.Fatalf("schemas/%s.json: %v", name, err)
		}
		set.Put(ast.MustParseRef("schema."+name), schema)
	}
	return set
}

// modules are copies of the layer's rules and tests and of the rules below it.
// The compiler writes into what it is given.
func (l *layer) modules() map[string]*ast.Module {
	all := map[string]*ast.Module{}
	for _, of := range []map[string]*ast.Module{l.deciding(), l.tests} {
		for name, m := range of {
			all[name] = m.Copy()
		}
	}
	return all
}

// deciding are the rules of the layer and those below it.
func (l *layer) deciding() map[string]*ast.Module {
	if l.below == nil {
		return l.rules
	}
	all := maps.Clone(l.below.rules)
	maps.Copy(all, l.rules)
	return all
}

// own are the layer's own files, rules and tests, in the order of their paths.
func (l *layer) own() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, of := range []map[string]*ast.Module{l.rules, l.tests} {
			for name := range of {
				if !yield(name) {
					return
				}
			}
		}
	})
}

func (l *layer) store() storage.Store {
	return inmem.NewFromObjectWithOpts(l.data, inmem.OptRoundTripOnWrite(false))
}

// compiled is the layer without its tests, as strictly as OPA can.
func (l *layer) compiled(tb testing.TB) *ast.Compiler {
	tb.Helper()
	modules := map[string]*ast.Module{}
	for name, m := range l.deciding() {
		modules[name] = m.Copy()
	}
	c := ast.NewCompiler().WithStrict(true).WithSchemas(l.schemas).WithUseTypeCheckAnnotations(true)
	if c.Compile(modules); c.Failed() {
		tb.Fatalf("%s: %v", l.name, c.Errors)
	}
	return c
}
