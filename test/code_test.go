package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCode keeps the promises that can be read off the code itself, each with
// its reason.
func TestCode(t *testing.T) {
	for _, promise := range []struct {
		because string
		unless  []string // packages that may
		broken  func(ast.Node) string
	}{
		{"only main reads the environment, so that a setting has one door", []string{"cmd/postern"},
			calls("os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv")},
		{"only main ends the process, so that everything else can clean up", []string{"cmd/postern"},
			calls("os.Exit", "log.Fatal", "log.Fatalf")},
		{"the default mux is everybody's, and profiles are on it", nil,
			calls("http.ListenAndServe", "http.ListenAndServeTLS", "http.Serve", "http.Handle", "http.HandleFunc")},
		{"nothing happens because a package was imported", nil, initFunctions},
		{"fiber's parser takes forms and any media type that ends in json (trap 2)", nil, methods("BodyParser")},
		{"who decides on time is given a clock", []string{"cmd/postern", "internal/app", "internal/decisionlog", "internal/httpserver", "internal/decisionapi", "internal/store/storetest"},
			calls("time.Now")},
		{"tests that sleep lie, and servers that sleep hang", nil, calls("time.Sleep")},
	} {
		for _, pkg := range packages(t) {
			if ours(pkg.name) && !slices.Contains(promise.unless, pkg.name) {
				find(t, pkg, promise.broken, promise.because)
			}
		}
	}
}

// TestTheStrictDecoderReadsEveryBody keeps the other ways to read a request body
// away from the listeners.
func TestTheStrictDecoderReadsEveryBody(t *testing.T) {
	all := packages(t)
	for _, name := range []string{"internal/decisionapi", "internal/dataapi", "internal/exchange", "internal/httpserver", "internal/managementapi", "internal/proxyauth"} {
		find(t, all[name], calls("json.Unmarshal", "json.NewDecoder"),
			"encoding/json takes the last of two members of one name, in any case (trap 1)")
		find(t, all[name], bodies, "Body unpacks what was packed, whatever its size (D3): read BodyRaw")
	}
}

// TestPackagesKeepNoState allows package variables that never change.
func TestPackagesKeepNoState(t *testing.T) {
	for _, pkg := range packages(t) {
		if !ours(pkg.name) {
			continue
		}
		files := parse(t, token.NewFileSet(), pkg)
		for name, value := range variables(files) {
			if !constant(value) {
				t.Errorf("%s: var %s is not an error, a pattern, an embedded file or a table: a package keeps no state", pkg.name, name)
			}
			if assigned(files, name) {
				t.Errorf("%s: var %s is assigned to: a package keeps no state", pkg.name, name)
			}
		}
	}
}

// TestPackagesSayWhatTheyAre wants the sentence above every package clause.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, pkg := range packages(t) {
		if len(pkg.GoFiles) == 0 {
			continue
		}
		said := slices.ContainsFunc(parse(t, token.NewFileSet(), pkg), func(f *ast.File) bool { return f.Doc != nil })
		if !said {
			t.Errorf("%s has no package comment: say in one sentence what it is, and what always holds", pkg.name)
		}
	}
}

// find reports every node of a package that breaks a promise.
func find(t *testing.T, pkg pack, broken func(ast.Node) string, because string) {
	t.Helper()
	set := token.NewFileSet()
	for _, file := range parse(t, set, pkg) {
		ast.Inspect(file, func(n ast.Node) bool {
			if what := broken(n); what != "" {
				at := set.Position(n.Pos())
				t.Errorf("%s/%s:%d uses %s, but %s", pkg.name, filepath.Base(at.Filename), at.Line, what, because)
			}
			return true
		})
	}
}

// calls finds calls of functions by package and name.
func calls(names ...string) func(ast.Node) string {
	return func(n ast.Node) string {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return ""
		}
		if name := selector(call.Fun); slices.Contains(names, name) {
			return name
		}
		return ""
	}
}

// methods finds uses of methods by name, whoever they belong to.
func methods(names ...string) func(ast.Node) string {
	return func(n ast.Node) string {
		if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, s.Sel.Name) {
			return s.Sel.Name
		}
		return ""
	}
}

// bodies finds c.Body() of a request. A response's body is reached through a
// call and is not meant.
func bodies(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if ok && len(call.Args) == 0 && strings.HasSuffix(selector(call.Fun), ".Body") {
		return selector(call.Fun)
	}
	return ""
}

func initFunctions(n ast.Node) string {
	if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
		return "func init"
	}
	return ""
}

// selector writes x.y as "x.y", and anything else as nothing.
func selector(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + s.Sel.Name
}

// variables lists the package variables of some files with their values; one
// that starts without a value has nil.
func variables(files []*ast.File) map[string]ast.Expr {
	found := map[string]ast.Expr{}
	for _, file := range files {
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR || embedded(gen.Doc) {
				continue
			}
			for _, spec := range gen.Specs {
				collect(spec.(*ast.ValueSpec), found)
			}
		}
	}
	return found
}

func collect(spec *ast.ValueSpec, found map[string]ast.Expr) {
	if embedded(spec.Doc) {
		return
	}
	for i, name := range spec.Names {
		if name.Name == "_" {
			continue
		}
		found[name.Name] = nil
		if i < len(spec.Values) {
			found[name.Name] = spec.Values[i]
		}
	}
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed")
	})
}

// constant tells whether a value is made once and has nothing that moves.
func constant(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.CompositeLit, *ast.BasicLit:
		return true
	case *ast.CallExpr:
		made := []string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer", "template.Must"}
		return slices.Contains(made, selector(v.Fun)) || strings.HasPrefix(selector(v.Fun), "ast.")
	}
	return false
}

// assigned tells whether anything is ever assigned to the name, or to an
// element or a field of it. Names in scopes of their own count too: a local
// variable should not borrow the name of a table.
func assigned(files []*ast.File, name string) bool {
	found := false
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok && a.Tok != token.DEFINE {
				found = found || slices.ContainsFunc(a.Lhs, func(e ast.Expr) bool { return root(e) == name })
			}
			return true
		})
	}
	return found
}

// root is the variable that an expression is a part of.
func root(e ast.Expr) string {
	switch v := e.(type) {
	case *ast.Ident:
		return v.Name
	case *ast.IndexExpr:
		return root(v.X)
	case *ast.SelectorExpr:
		return root(v.X)
	case *ast.StarExpr:
		return root(v.X)
	}
	return ""
}

// parse reads the files of a package, tests left out.
func parse(t *testing.T, set *token.FileSet, pkg pack) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(set, filepath.Join(pkg.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
