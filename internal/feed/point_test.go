package feed

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
)

func TestAPointReadsAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := authz.Point{Revision: authz.Revision(rapid.Int64Min(0).Draw(t, "revision")), Stamp: rapid.Uint64().Draw(t, "stamp")}
		if got, err := ParsePoint(FormatPoint(p)); got != p || err != nil {
			t.Fatalf("got %v, %v, want %v", got, err, p)
		}
	})
}

func FuzzParsePoint(f *testing.F) {
	for _, text := range []string{"0-0", "12-3f", "12-3F", "-1-0", "1-", "-", "9223372036854775808-0", "01-1", "1-1-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePoint(text)
		if err != nil && !errors.Is(err, authz.ErrInvalid) || err == nil && FormatPoint(p) != text {
			t.Errorf("%q: got %v, %v", text, p, err)
		}
	})
}
