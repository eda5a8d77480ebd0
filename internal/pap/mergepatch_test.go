package pap

import (
	"errors"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
)

// The examples of RFC 7396, appendix A, whose targets and patches are objects.
func TestMergePatchDoesAsTheRFCShows(t *testing.T) {
	for _, tt := range []struct{ object, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{``, `{"a":1.50}`, `{"a":1.50}`},
	} {
		got, err := mergePatch([]byte(tt.object), []byte(tt.patch), "/settings")
		if err != nil || string(got) != tt.want {
			t.Errorf("%s patched with %s: got %s, %v, want %s", tt.object, tt.patch, got, err, tt.want)
		}
	}
}

func TestMergePatchTakesObjectsOnly(t *testing.T) {
	for _, patch := range []string{``, `null`, `[]`, `"a"`, `{"a":1,"a":2}`, `{`} {
		if got, err := mergePatch(nil, []byte(patch), "/settings"); !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("%s: got %s, %v, want an error of kind invalid", patch, got, err)
		}
	}
}
