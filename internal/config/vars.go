package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A Var describes one variable.
type Var struct {
	Name    string   // such as POSTERN_DECISIONS_TIMEOUT
	Type    string   // duration, size, list, …
	Default string   // or empty; Help tells then what empty means
	Range   string   // such as 1ms..1m, or empty
	Help    string   // its effect, in sentences
	Secret  bool     // read from the file that NAME_FILE names, too
	Group   string   // the heading it stands under
	Example string   // NAME=value, or NAME_FILE=path for what is a secret as a whole
	Needs   []string // the variables that have to be set for the example to be valid
}

// Vars is every variable, in the order of the manual.
func Vars() []Var {
	var list []Var
	for _, v := range variables(&Config{}) {
		list = append(list, v.Var)
	}
	return list
}

// variable is a Var with the field it fills.
type variable struct {
	Var
	field reflect.StructField
	value reflect.Value
}

func variables(c *Config) []variable {
	var list []variable
	walk(reflect.ValueOf(c).Elem(), Prefix, "", func(v variable) { list = append(list, v) })
	return list
}

func walk(section reflect.Value, prefix, group string, visit func(variable)) {
	for i := range section.NumField() {
		field, value := section.Type().Field(i), section.Field(i)
		group = cmp.Or(field.Tag.Get("group"), group)
		if p, ok := field.Tag.Lookup("envPrefix"); ok {
			walk(value, prefix+p, group, visit)
		} else if key := field.Tag.Get("env"); key != "" {
			visit(variable{describe(prefix+key, group, field), field, value})
		}
	}
}

func describe(name, group string, field reflect.StructField) Var {
	return Var{
		Name:    name,
		Type:    typeName(field),
		Default: field.Tag.Get("envDefault"),
		Range:   field.Tag.Get("range"),
		Help:    field.Tag.Get("help"),
		Secret:  isSecret(field.Type),
		Group:   group,
		Example: example(name, field),
		Needs:   needs(field),
	}
}

// example is an assignment. What is a secret as a whole is better kept in a file.
func example(name string, field reflect.StructField) string {
	if field.Type == reflect.TypeFor[Secret]() {
		name += fileSuffix
	}
	return name + "=" + field.Tag.Get("example")
}

func needs(field reflect.StructField) []string {
	var names []string
	for name := range strings.FieldsFuncSeq(field.Tag.Get("needs"), func(r rune) bool { return r == ',' }) {
		names = append(names, Prefix+name)
	}
	return names
}

// isSecret is true for what may carry a password.
func isSecret(t reflect.Type) bool {
	return t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[DSN]()
}

func typeName(field reflect.StructField) string {
	if words := field.Tag.Get("enum"); words != "" {
		return strings.ReplaceAll(words, ",", " | ")
	}
	switch field.Type {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[slog.Level]():
		return "level"
	case reflect.TypeFor[[]string]():
		return "list"
	}
	if name := field.Tag.Get("type"); name != "" {
		return name
	}
	names := map[string]string{"Secret": "secret", "DSN": "database", "Size": "size", "Address": "address", "Switch": "address | none", "MailServer": "URL | none", "PublicURL": "URL", "LogTarget": "target", "bool": "true | false", "int": "number"}
	return cmp.Or(names[field.Type.Name()], field.Type.Name())
}

// bounds are the ends of a field's range, and whether it has one.
func bounds(field reflect.StructField) (low, high int64, ok bool) {
	from, to, ok := strings.Cut(field.Tag.Get("range"), "..")
	if !ok {
		return 0, 0, false
	}
	low, errLow := number(field.Type, from)
	high, errHigh := number(field.Type, to)
	return low, high, errLow == nil && errHigh == nil
}

// number reads a value as a field of type t counts it.
func number(t reflect.Type, s string) (int64, error) {
	switch t {
	case reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(s)
		return int64(d), err
	case reflect.TypeFor[Size]():
		var z Size
		err := z.UnmarshalText([]byte(s))
		return int64(z), err
	}
	return strconv.ParseInt(s, 10, 64)
}

// show is a value as one would write it, without anything secret.
func show(value reflect.Value) string {
	switch v := value.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case slog.Level:
		return strings.ToLower(v.String())
	case time.Duration:
		text, minutes := strings.CutSuffix(v.String(), "m0s")
		if !minutes {
			return text
		}
		if hours, whole := strings.CutSuffix(text, "h0"); whole {
			return hours + "h"
		}
		return text + "m"
	}
	return fmt.Sprint(value.Interface())
}
