package ijson

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

// FuzzDecode compares Decode with an independent reader of strict JSON: each
// accepts what the other accepts, but for the limits that only Decode has, and
// both read the same value.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"subject":{"type":"user","id":"alice"},"action":{"name":"can_read"},"resource":{"type":"doc","id":"1"}}`,
		`{"a":1,"\u0061":2}`, `"\ud83d\ude00"`, `"\ud800"`, "\"\xff\"", `[1e400,1e-400,-0,0.1e+5]`, `[[[[]]]]`,
		"\xEF\xBB\xBF{}", `{} x`, `nul`, "\"\uFFFF\"", `"\u0000"`, strings.Repeat("[", 40),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		got, err := Decode(text, Limits{})
		if string(text) != before {
			t.Fatalf("Decode changed the body to %q from %q", text, before)
		}
		var want any
		wantErr := jsonv2.Unmarshal(text, &want)
		switch {
		case err == nil && wantErr != nil:
			t.Fatalf("Decode(%q) accepts, want %v", text, wantErr)
		case err != nil && wantErr == nil && !ours(err):
			t.Fatalf("Decode(%q) got %v, want it accepted", text, err)
		case err == nil && !reflect.DeepEqual(doubles(t, got), want):
			t.Fatalf("Decode(%q) got %#v, want %#v", text, got, want)
		}
	})
}

// ours reports whether an error is one of the limits that other readers of
// strict JSON do not have.
func ours(err error) bool {
	for _, limit := range []string{"too many values", "too deeply", "no character", "400 characters", "outside the range", "byte order mark"} {
		if strings.Contains(err.Error(), limit) {
			return true
		}
	}
	return false
}

// doubles is v with its numbers as float64.
func doubles(t *testing.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, e := range v {
			m[name] = doubles(t, e)
		}
		return m
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, doubles(t, e))
		}
		return list
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			t.Fatalf("number %s: %v", v, err)
		}
		return f
	}
	return v
}
