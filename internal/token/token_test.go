package token

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
)

var secret = []byte("a secret of some thirty-two bytes")

func tokens(t testing.TB, secret []byte, directory string) *Tokens {
	t.Helper()
	made, err := New(secret, directory)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestEveryRevisionComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := authz.Revision(rapid.Uint64().Draw(t, "revision"))
		issuer, err := New(secret, "dir-1")
		if err != nil {
			t.Fatal(err)
		}
		reader, err := New(secret, "dir-1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reader.Read(issuer.Issue(want)); err != nil || got != want {
			t.Fatalf("got %d, %v, want %d", got, err, want)
		}
	})
}

func TestOneRevisionHasOneToken(t *testing.T) {
	made := tokens(t, secret, "dir-1")
	first := made.Issue(7)
	if made.Issue(8) == first {
		t.Error("two revisions have one token")
	}
	if got := made.Issue(7); got != first {
		t.Errorf("got %q the second time, want %q", got, first)
	}
}

func TestTheLastTokenIsNotMadeAgain(t *testing.T) {
	made := tokens(t, secret, "dir-1")
	made.Issue(7)
	if got := testing.AllocsPerRun(100, func() { made.Issue(7) }); got != 0 {
		t.Errorf("issuing the same token again got %v allocations, want 0", got)
	}
}

func TestReadRefuses(t *testing.T) {
	made := tokens(t, secret, "dir-1")
	good := made.Issue(42)
	made.Issue(1) // so that good is not the last one
	for name, text := range map[string]string{
		"nothing":                      "",
		"a word":                       "latest",
		"a truncated token":            good[:len(good)-1],
		"an extended token":            good + "A",
		"padding":                      good + "=",
		"a line break at the end":      good + "\n",
		"a line break inside":          good[:10] + "\n" + good[11:],
		"standard base64":              strings.Repeat("+", textLength),
		"a token of another directory": tokens(t, secret, "dir-2").Issue(42),
		"a token of another secret":    tokens(t, []byte("another secret that is long enough"), "dir-1").Issue(42),
		"bits that encode nothing":     nextLetter(good),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := made.Read(text); !errors.Is(err, authz.ErrInvalid) {
				t.Errorf("Read(%q) got %d, %v, want it refused as invalid", text, got, err)
			}
		})
	}
}

// nextLetter changes only the bits of the last letter that carry no data.
func nextLetter(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, text[len(text)-1])
	return text[:len(text)-1] + alphabet[last+1:last+2]
}

func TestAnyFlippedBitIsRefused(t *testing.T) {
	made := tokens(t, secret, "dir-1")
	raw, err := base64.RawURLEncoding.DecodeString(made.Issue(1 << 40))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(raw) * 8 {
		flipped := bytes.Clone(raw)
		flipped[bit/8] ^= 1 << (bit % 8)
		if got, err := made.Read(base64.RawURLEncoding.EncodeToString(flipped)); !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("bit %d flipped got %d, %v, want it refused", bit, got, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(secret[:31], "dir-1"); err == nil {
		t.Error("a short secret is accepted")
	}
	if _, err := New(secret, ""); err == nil {
		t.Error("no directory is accepted")
	}
}

// FuzzRead says that Read never panics and that what it accepts is exactly what
// Issue makes.
func FuzzRead(f *testing.F) {
	made := tokens(f, secret, "dir-1")
	f.Add(made.Issue(0))
	f.Add(made.Issue(1 << 63))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		reader := tokens(t, secret, "dir-1")
		revision, err := reader.Read(text)
		if err == nil && reader.Issue(revision) != text {
			t.Errorf("Read(%q) accepts revision %d, want only %q for it", text, revision, reader.Issue(revision))
		}
		if err != nil && !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("Read(%q) got %v, want kind invalid", text, err)
		}
	})
}
