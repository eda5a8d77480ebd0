package dataapi

import "github.com/postern-authz/postern/internal/ijson"

// A reader reads members that may be left out, and keeps the first error.
type reader struct{ err error }

func (r *reader) object(from object, name string) object {
	return read[object](r, from, name, "an object")
}

func (r *reader) string(from object, name string) string {
	return read[string](r, from, name, "a string")
}

func (r *reader) strings(from object, name string) (all []string) {
	for _, v := range read[[]any](r, from, name, "an array of strings") {
		s, ok := v.(string)
		if !ok && r.err == nil {
			r.err = invalidf("%s has %s in it: send an array of strings", name, ijson.Kind(v))
		}
		all = append(all, s)
	}
	return all
}

func read[T object | []any | string](r *reader, from object, name, want string) T {
	v, ok := from[name].(T)
	if !ok && from[name] != nil && r.err == nil {
		r.err = invalidf("%s is %s: send %s or leave it out", name, ijson.Kind(from[name]), want)
	}
	return v
}
