package policy

import (
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"
)

func TestAppendJSON(t *testing.T) {
	tests := []struct{ name, rego, want string }{
		{"scalars", `[null, true, false, 1, -1.50, 1e400, "x"]`, `[null,true,false,1,-1.50,1e400,"x"]`},
		{"a set is a sorted array", `{3, 1, "a", 2}`, `[1,2,3,"a"]`},
		{"empty ones", `[set(), {}, []]`, `[[],{},[]]`},
		{"keys that are no strings", `{1: "a", [2]: "b", "c": {true}}`, `{"1":"a","c":[true],"[2]":"b"}`},
		{"escapes", "\"\\u0000\\n\\\"\\\\/\u2028é\"", "\"\\u0000\\u000a\\\"\\\\/\u2028é\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ValueOf(ast.MustParseTerm(tt.rego).Value).AppendJSON([]byte("x"))
			if string(got) != "x"+tt.want || !json.Valid(got[1:]) {
				t.Errorf("got %s, want x%s", got, tt.want)
			}
		})
	}
	if got := string(Value{}.AppendJSON(nil)); got != "null" {
		t.Errorf("got %s for no value, want null", got)
	}
}

func TestAnyStringIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		encoded := appendString(nil, s)
		var got, want string
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("%q is written as %s: %v", s, encoded, err)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &want); err != nil || got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
