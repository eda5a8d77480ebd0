package managementapi

import (
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

func TestETags(t *testing.T) {
	one, other := etag(pap.Member{Revision: 12}, []byte("a")), etag(pap.Member{Revision: 12}, []byte("b"))
	if one == other {
		t.Error("two representations have one ETag")
	}
	for text, want := range map[string]authz.Revision{one: 12, other: 12, `"12"`: 12} {
		if got, ok := readETag(text); !ok || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, bad := range []string{"", "12", `"`, `""`, `"x"`, `W/"12"`, `"12", "13"`, `"-12"`, `"99999999999999999999999"`} {
		if got, ok := readETag(bad); ok {
			t.Errorf("%s was taken as %d", bad, got)
		}
	}
	for header, want := range map[string]bool{one: true, "*": true, "W/" + one: true, `"x", ` + one: true, other: false, "": false} {
		if matches(header, one) != want {
			t.Errorf("If-None-Match: %s: got %v, want %v", header, !want, want)
		}
	}
}

func TestATokenJoinsAnyObject(t *testing.T) {
	for body, want := range map[string]string{`{}`: `{"consistency_token":"t"}`, `{"a":1}`: `{"a":1,"consistency_token":"t"}`} {
		if got := string(withToken([]byte(body), "t")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
