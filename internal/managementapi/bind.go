package managementapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ijson"
)

// maxFaults is how many mistakes of one body are told.
const maxFaults = 20

// bind puts a decoded JSON value into what into points to. Names are compared
// exactly, what has no place is a fault, and so is null, which could mean
// several things. It returns the faults, in the order of the type's fields.
func bind(v any, into any) []httpserver.Field {
	var b binder
	b.value("", v, reflect.ValueOf(into).Elem())
	return b.faults
}

type binder struct{ faults []httpserver.Field }

func (b *binder) fault(at, code, format string, args ...any) {
	if len(b.faults) < maxFaults {
		b.faults = append(b.faults, httpserver.Field{Pointer: at, Code: code, Detail: fmt.Sprintf(format, args...)})
	}
}

func (b *binder) value(at string, v any, into reflect.Value) {
	if b.special(at, v, into) {
		return
	}
	if v == nil {
		b.fault(at, "null", "this is null: send a value or leave the member out")
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		b.value(at, v, into.Elem())
	case reflect.Struct:
		b.object(at, v, into)
	case reflect.Slice:
		b.array(at, v, into)
	case reflect.Map:
		b.members(at, v, into)
	case reflect.String:
		take(b, at, v, "a string", into.SetString)
	case reflect.Bool:
		take(b, at, v, "true or false", into.SetBool)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		b.number(at, v, into)
	default:
		panic("managementapi: no request has a " + into.Type().String())
	}
}

// special reads what has a form of its own in JSON.
func (b *binder) special(at string, v any, into reflect.Value) bool {
	switch to := into.Addr().Interface().(type) {
	case *time.Time:
		take(b, at, v, "a time as in RFC 3339", func(text string) {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil || t.Year() > 9999 || t.Year() < 1 {
				b.fault(at, "value", "this is not a time as in RFC 3339: send one such as 2027-01-31T00:00:00Z")
			}
			*to = t.UTC()
		})
	case *time.Duration:
		take(b, at, v, "a duration", func(text string) {
			d, err := time.ParseDuration(text)
			if err != nil {
				b.fault(at, "value", "this is not a duration: send one such as 168h or 90m")
			}
			*to = d
		})
	case json.Unmarshaler: // json.RawMessage is one
		text, err := httpserver.Encode(v)
		if err = errors.Join(err, to.UnmarshalJSON(text)); err != nil {
			b.fault(at, "value", "this cannot be read: see /openapi.json for what it may be")
		}
	default:
		return false
	}
	return true
}

// take puts a value of one Go type where it belongs.
func take[T any](b *binder, at string, v any, want string, set func(T)) {
	if sent, ok := v.(T); ok {
		set(sent)
		return
	}
	b.fault(at, "type", "this is %s: send %s", ijson.Kind(v), want)
}

func (b *binder) object(at string, v any, into reflect.Value) {
	take(b, at, v, "an object", func(sent map[string]any) {
		known := map[string]bool{}
		for _, f := range reflect.VisibleFields(into.Type()) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || name == "-" || !f.IsExported() {
				continue
			}
			known[name] = true
			if member, ok := sent[name]; ok {
				b.value(at+"/"+escape(name), member, into.FieldByIndex(f.Index))
			} else if f.Tag.Get("api") == "required" {
				b.fault(at+"/"+escape(name), "required", "this is missing: send it")
			}
		}
		for _, name := range sorted(sent) {
			if !known[name] {
				b.fault(at+"/"+escape(name), "unknown", "there is no such member here: take it out, or see /openapi.json for its name")
			}
		}
	})
}

func (b *binder) array(at string, v any, into reflect.Value) {
	take(b, at, v, "an array", func(sent []any) {
		list := reflect.MakeSlice(into.Type(), len(sent), len(sent))
		for i := range sent {
			b.value(at+"/"+strconv.Itoa(i), sent[i], list.Index(i))
		}
		into.Set(list)
	})
}

func (b *binder) members(at string, v any, into reflect.Value) {
	take(b, at, v, "an object", func(sent map[string]any) {
		into.Set(reflect.MakeMapWithSize(into.Type(), len(sent)))
		for _, name := range sorted(sent) {
			member := reflect.New(into.Type().Elem()).Elem()
			b.value(at+"/"+escape(name), sent[name], member)
			into.SetMapIndex(reflect.ValueOf(name).Convert(into.Type().Key()), member)
		}
	})
}

// number takes whole numbers, in any spelling that a float can say exactly.
func (b *binder) number(at string, v any, into reflect.Value) {
	take(b, at, v, "a whole number", func(sent json.Number) {
		n, err := strconv.ParseInt(sent.String(), 10, 64)
		if err != nil {
			f, _ := sent.Float64()
			n = int64(f)
			err = errWhole(f)
		}
		switch {
		case err != nil, into.Kind() == reflect.Uint64 && n < 0:
			b.fault(at, "value", "this is not a whole number that fits: send a smaller one without a fraction")
		case into.Kind() == reflect.Uint64:
			into.SetUint(uint64(n))
		default:
			into.SetInt(n)
		}
	})
}

var errNotWhole = errors.New("not a whole number")

func errWhole(f float64) error {
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return errNotWhole
	}
	return nil
}

func sorted[T any](object map[string]T) []string {
	return slices.Sorted(maps.Keys(object))
}

// maxName is how much of a member's name is told. Links are longer, and one that
// somebody took for a name must not come back (C17).
const maxName = 40

// escape writes a name as a part of a JSON Pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(clip(name))
}

func clip(name string) string {
	if len(name) <= maxName {
		return name
	}
	return strings.ToValidUTF8(name[:maxName], "") + "…"
}
