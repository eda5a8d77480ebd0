package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// Types are the types of Kubernetes' API, read from their sources: those say
// also which words a string may be, and nothing has to be compiled.
type Types struct {
	packages map[string]*pkg // by import path
}

// A pkg is what one package declares.
type pkg struct {
	types   map[string]ast.Expr
	imports map[string]string   // by the name that files use
	words   map[string][]string // the constants of a string type
}

// Load reads the packages of k8s.io/api that a chart needs, and what they need.
func Load() (*Types, error) {
	t := &Types{map[string]*pkg{}}
	for module, packages := range map[string][]string{
		"k8s.io/api":          {"apps/v1", "batch/v1", "core/v1", "networking/v1", "policy/v1"},
		"k8s.io/apimachinery": {"pkg/apis/meta/v1"},
	} {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			return nil, fmt.Errorf("where is %s: %w", module, err)
		}
		for _, name := range packages {
			p, err := read(filepath.Join(strings.TrimSpace(string(dir)), name))
			if err != nil {
				return nil, err
			}
			t.packages[path.Join(module, name)] = p
		}
	}
	return t, nil
}

func read(dir string) (*pkg, error) {
	// Only files of types: the others are generated.
	plain := func(f fs.FileInfo) bool { return f.Name() == "types.go" || f.Name() == "well_known_labels.go" }
	parsed, err := parser.ParseDir(token.NewFileSet(), dir, plain, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	p := &pkg{types: map[string]ast.Expr{}, imports: map[string]string{}, words: map[string][]string{}}
	for _, files := range parsed {
		for _, file := range files.Files {
			p.add(file)
		}
	}
	if len(p.types) == 0 {
		return nil, fmt.Errorf("%s has no types", dir)
	}
	return p, nil
}

func (p *pkg) add(file *ast.File) {
	for _, spec := range file.Imports {
		target, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		p.imports[name] = target
	}
	for _, decl := range file.Decls {
		if general, ok := decl.(*ast.GenDecl); ok {
			for _, spec := range general.Specs {
				p.declare(spec)
			}
		}
	}
}

func (p *pkg) declare(spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		p.types[s.Name.Name] = s.Type
	case *ast.ValueSpec:
		kind, ok := s.Type.(*ast.Ident)
		for _, value := range s.Values {
			if word, isText := value.(*ast.BasicLit); ok && isText && word.Kind == token.STRING {
				text, _ := strconv.Unquote(word.Value)
				p.words[kind.Name] = append(p.words[kind.Name], text)
			}
		}
	}
}

// A field is a member of an object.
type field struct {
	kind ast.Expr
}

// fields are the members of a struct by their names in JSON, with those of the
// structs that are a part of it.
func (t *Types) fields(in *pkg, s *ast.StructType) map[string]field {
	found := map[string]field{}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value)
		name, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if len(f.Names) == 0 && (name == "" || strings.Contains(options, "inline")) {
			home, inner := t.resolve(in, f.Type)
			if part, ok := inner.(*ast.StructType); ok {
				for name, f := range t.fields(home, part) {
					found[name] = f
				}
			}
			continue
		}
		found[name] = field{f.Type}
	}
	return found
}

// resolve is the type that a name stands for, and the package that it is in.
func (t *Types) resolve(in *pkg, e ast.Expr) (*pkg, ast.Expr) {
	switch v := e.(type) {
	case *ast.StarExpr:
		return t.resolve(in, v.X)
	case *ast.Ident:
		if target, ok := in.types[v.Name]; ok {
			return t.resolve(in, target)
		}
	case *ast.SelectorExpr:
		if home := t.packages[in.imports[v.X.(*ast.Ident).Name]]; home != nil {
			return t.resolve(home, v.Sel)
		}
	}
	return in, e
}
