package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Types are the types of Kubernetes' API and of Prometheus Operator's, read from
// their sources: those say also which words a string may be and what must be
// there, and nothing has to be compiled.
type Types struct {
	packages map[string]*pkg // by import path
}

// A pkg is what one package declares.
type pkg struct {
	types    map[string]ast.Expr
	imports  map[string]string         // by the name that files use
	words    map[string][]string       // the constants of a string type
	patterns map[string]*regexp.Regexp // what the text of a string type is like
}

// operator is the module of the types of monitoring.coreos.com.
const operator = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring"

// Load reads the packages of the API that a chart needs, and what they need.
func Load() (*Types, error) {
	t := &Types{map[string]*pkg{}}
	for module, packages := range map[string][]string{
		"k8s.io/api":          {"apps/v1", "batch/v1", "core/v1", "networking/v1", "policy/v1"},
		"k8s.io/apimachinery": {"pkg/apis/meta/v1"},
		operator:              {"v1"},
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
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	p := &pkg{map[string]ast.Expr{}, map[string]string{}, map[string][]string{}, map[string]*regexp.Regexp{}}
	for _, name := range names {
		if !declares(filepath.Base(name)) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		p.add(file)
	}
	if len(p.types) == 0 {
		return nil, fmt.Errorf("%s has no types", dir)
	}
	return p, nil
}

// declares tells whether a file is one of types: the others are generated, or
// do something with them.
func declares(name string) bool {
	return name == "types.go" || strings.HasSuffix(name, "_types.go") ||
		name == "http_config.go" || name == "well_known_labels.go"
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
				p.declare(spec, general.Doc.Text())
			}
		}
	}
}

func (p *pkg) declare(spec ast.Spec, doc string) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		p.types[s.Name.Name] = s.Type
		if pattern := regexp.MustCompile(`(?m)^\+kubebuilder:validation:Pattern:?=["` + "`](.*)[\"`]$").FindStringSubmatch(doc); pattern != nil {
			p.patterns[s.Name.Name] = regexp.MustCompile(pattern[1])
		}
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
	kind     ast.Expr
	required bool
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
		// What has a value when it is left out need not be there.
		required := regexp.MustCompile(`(?m)^\+required$`).MatchString(f.Doc.Text()) && !strings.Contains(options, "omitempty")
		found[name] = field{f.Type, required}
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
