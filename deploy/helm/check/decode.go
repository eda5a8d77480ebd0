package check

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Check says what is wrong with a document: a member that its kind has not, or
// twice, or that it must have, a value of another type, a word that is not one of
// those there are, or a text that is not like its kind.
func (t *Types) Check(document string) []string {
	text, err := yaml.YAMLToJSONStrict([]byte(document))
	if err != nil {
		return []string{err.Error()}
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return []string{err.Error()}
	}
	version, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	home := t.packages[source(version)]
	if home == nil || home.types[kind] == nil {
		return []string{fmt.Sprintf("there is no kind %s in %s", kind, version)}
	}
	return t.value(home, ast.NewIdent(kind), object, kind)
}

// source is the package of the types of a version of the API.
func source(version string) string {
	if version == "v1" {
		return "k8s.io/api/core/v1"
	}
	if name, ok := strings.CutPrefix(version, "monitoring.coreos.com/"); ok {
		return operator + "/" + name
	}
	return "k8s.io/api/" + strings.Replace(version, ".k8s.io", "", 1)
}

// value says what is wrong with a value at a place, of a type of a package.
func (t *Types) value(in *pkg, kind ast.Expr, v any, at string) []string {
	if star, ok := kind.(*ast.StarExpr); ok {
		return t.value(in, star.X, v, at)
	}
	if wrong, known := special(kind, v, at); known {
		return wrong
	}
	home, inner := t.resolve(in, kind)
	switch e := inner.(type) {
	case *ast.StructType:
		return t.object(home, e, v, at)
	case *ast.ArrayType:
		return t.list(home, e, v, at)
	case *ast.MapType:
		return t.table(home, e, v, at)
	case *ast.Ident:
		words, pattern := t.texts(in, kind)
		return scalar(e.Name, words, pattern, v, at)
	}
	return []string{fmt.Sprintf("%s: its type is not understood", at)}
}

// texts are those that a string of a type may be, or none if any, and what they
// are like.
func (t *Types) texts(in *pkg, kind ast.Expr) ([]string, *regexp.Regexp) {
	switch e := kind.(type) {
	case *ast.Ident:
		if in.types[e.Name] == nil { // a plain string
			return nil, nil
		}
		return in.words[e.Name], in.patterns[e.Name]
	case *ast.SelectorExpr:
		if home := t.packages[in.imports[e.X.(*ast.Ident).Name]]; home != nil {
			return home.words[e.Sel.Name], home.patterns[e.Sel.Name]
		}
	}
	return nil, nil
}

// special are the types that read themselves.
func special(kind ast.Expr, v any, at string) (wrong []string, known bool) {
	name, ok := kind.(*ast.SelectorExpr)
	if !ok {
		return nil, false
	}
	text, isText := v.(string)
	number, isNumber := v.(float64)
	switch name.Sel.Name {
	case "Quantity":
		known = true
		if !isNumber && !(isText && regexp.MustCompile(`^[+-]?[0-9.]+([eE][+-]?[0-9]+|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`).MatchString(text)) {
			wrong = []string{fmt.Sprintf("%s: %v is no quantity such as 64Mi", at, v)}
		}
	case "IntOrString":
		known = true
		if !isText && !(isNumber && number == float64(int64(number))) {
			wrong = []string{fmt.Sprintf("%s: %v is neither a number nor a name", at, v)}
		}
	case "UID", "NodeName", "Time", "MicroTime":
		known = true
		if !isText {
			wrong = []string{fmt.Sprintf("%s: %v is no string", at, v)}
		}
	}
	return wrong, known
}

func (t *Types) object(in *pkg, s *ast.StructType, v any, at string) (wrong []string) {
	members, ok := v.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s: %v is no object", at, v)}
	}
	fields := t.fields(in, s)
	for name, member := range members {
		f, known := fields[name]
		if !known {
			wrong = append(wrong, fmt.Sprintf("%s has no member %q", at, name))
			continue
		}
		wrong = append(wrong, t.value(in, f.kind, member, at+"."+name)...)
	}
	for name, f := range fields {
		if _, there := members[name]; f.required && !there {
			wrong = append(wrong, fmt.Sprintf("%s lacks %q", at, name))
		}
	}
	return wrong
}

func (t *Types) list(in *pkg, e *ast.ArrayType, v any, at string) (wrong []string) {
	elements, ok := v.([]any)
	if !ok {
		return []string{fmt.Sprintf("%s: %v is no list", at, v)}
	}
	for i, element := range elements {
		wrong = append(wrong, t.value(in, e.Elt, element, fmt.Sprintf("%s[%d]", at, i))...)
	}
	return wrong
}

func (t *Types) table(in *pkg, e *ast.MapType, v any, at string) (wrong []string) {
	members, ok := v.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s: %v is no object", at, v)}
	}
	for name, member := range members {
		wrong = append(wrong, t.value(in, e.Value, member, at+"."+name)...)
	}
	return wrong
}

func scalar(kind string, words []string, pattern *regexp.Regexp, v any, at string) []string {
	text, isText := v.(string)
	number, isNumber := v.(float64)
	_, isBool := v.(bool)
	switch {
	case kind == "string" && isText && pattern != nil && !pattern.MatchString(text):
		return []string{fmt.Sprintf("%s: %q is not like %s", at, text, pattern)}
	case kind == "string" && isText && (len(words) == 0 || slices.Contains(words, text)):
	case kind == "bool" && isBool:
	case strings.HasPrefix(kind, "int") && isNumber && number == float64(int64(number)):
	case kind == "string" && isText:
		return []string{fmt.Sprintf("%s: %q is none of %s", at, text, strings.Join(words, ", "))}
	default:
		return []string{fmt.Sprintf("%s: %v is no %s", at, v, kind)}
	}
	return nil
}
