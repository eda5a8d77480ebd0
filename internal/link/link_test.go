package link_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/link"
	"github.com/postern-authz/postern/internal/pap"
)

const (
	uuid  = "01890a5d-ac96-774b-bcce-b302099a8057"
	other = "01890a5d-ac96-774b-bcce-b302099a8058"
)

func links(t testing.TB, secret, directory string) *link.Links {
	t.Helper()
	l, err := link.New([]byte(secret), directory)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func made(t testing.TB) *link.Links { return links(t, strings.Repeat("s", 32), "d") }

func TestALinkIsReadAsItWasMade(t *testing.T) {
	l := made(t)
	for _, tt := range []struct {
		purpose pap.Purpose
		id      string
		form    string
	}{
		{pap.ForInvitation, "inv_" + uuid, `^pst_inv_` + uuid + `\.7\.[A-Za-z0-9_-]{43}$`},
		{pap.ForPasswordReset, "usr_" + uuid, `^pst_pwd_` + uuid + `\.7\.[A-Za-z0-9_-]{43}$`},
		{pap.ForEmailChange, "usr_" + uuid, `^pst_eml_` + uuid + `\.7\.[A-Za-z0-9_-]{43}$`},
	} {
		text := l.Make(tt.purpose, tt.id, 7)
		if !regexp.MustCompile(tt.form).MatchString(text) {
			t.Errorf("got %s, want %s", text, tt.form)
		}
		id, generation, err := l.Read(tt.purpose, text)
		if id != tt.id || generation != 7 || err != nil {
			t.Errorf("got %s, %d, %v, want %s, 7", id, generation, err, tt.id)
		}
		if again := made(t).Make(tt.purpose, tt.id, 7); again != text {
			t.Errorf("got %s the second time, want %s", again, text)
		}
	}
}

func TestALinkOpensNothingElse(t *testing.T) {
	l := made(t)
	text := l.Make(pap.ForPasswordReset, "usr_"+uuid, 1)
	invitation := l.Make(pap.ForInvitation, "inv_"+uuid, 1)
	second := l.Make(pap.ForInvitation, "inv_"+uuid, 2)
	mac := invitation[len(invitation)-43:]
	for _, tt := range []struct {
		name    string
		links   *link.Links
		purpose pap.Purpose
		text    string
	}{
		{"of another purpose", l, pap.ForEmailChange, text},
		{"of another purpose by its name", l, pap.ForEmailChange, strings.Replace(text, "pwd", "eml", 1)},
		{"of no purpose", l, "", text},
		{"of another directory", links(t, strings.Repeat("s", 32), "e"), pap.ForPasswordReset, text},
		{"of another secret", links(t, strings.Repeat("z", 32), "d"), pap.ForPasswordReset, text},
		{"with the id of another", l, pap.ForInvitation, strings.Replace(invitation, uuid, other, 1)},
		{"with another generation", l, pap.ForInvitation, strings.Replace(invitation, ".1.", ".2.", 1)},
		{"with the MAC of another", l, pap.ForInvitation, second[:len(second)-43] + mac},
		{"with a zero before the generation", l, pap.ForInvitation, strings.Replace(invitation, ".1.", ".01.", 1)},
		{"with a sign before the generation", l, pap.ForInvitation, strings.Replace(invitation, ".1.", ".+1.", 1)},
		{"empty", l, pap.ForInvitation, ""},
		{"null", l, pap.ForInvitation, "null"},
		{"an empty list", l, pap.ForInvitation, "[]"},
		{"a dot", l, pap.ForInvitation, "."},
		{"without a MAC", l, pap.ForInvitation, invitation[:len(invitation)-43]},
		{"with space around", l, pap.ForInvitation, " " + invitation},
		{"with a line break", l, pap.ForInvitation, invitation + "\n"},
		{"with a line break in the MAC", l, pap.ForInvitation, invitation[:len(invitation)-3] + "\n" + invitation[len(invitation)-3:]},
		{"with padding", l, pap.ForInvitation, invitation + "="},
		{"very long", l, pap.ForInvitation, strings.Repeat("a", 1<<20)},
		{"in another script", l, pap.ForInvitation, strings.Replace(invitation, "pst", "рst", 1)},
		{"in capitals", l, pap.ForInvitation, strings.ToUpper(invitation)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, generation, err := tt.links.Read(tt.purpose, tt.text)
			if id != "" || generation != 0 || !errors.Is(err, authz.ErrInvalid) || err.Error() != "this link was not made here: invalid" {
				t.Errorf("got %q, %d, %v, want the one error of kind invalid", id, generation, err)
			}
		})
	}
}

func TestEveryByteOfALinkCounts(t *testing.T) {
	l := made(t)
	text := l.Make(pap.ForInvitation, "inv_"+uuid, 12)
	for i := range len(text) {
		for c := range 256 {
			changed := text[:i] + string([]byte{byte(c)}) + text[i+1:]
			if _, _, err := l.Read(pap.ForInvitation, changed); (err == nil) != (changed == text) {
				t.Fatalf("got error %v with byte %d as %#x", err, i, c)
			}
		}
		if _, _, err := l.Read(pap.ForInvitation, text[:i]+text[i+1:]); err == nil {
			t.Fatalf("got no error without byte %d", i)
		}
	}
}

func TestLinksNeedASecretAndADirectory(t *testing.T) {
	for _, tt := range []struct{ secret, directory, want string }{
		{strings.Repeat("s", 31), "d", "a secret of 31 bytes is too short for links: use 32 or more"},
		{strings.Repeat("s", 32), "", "links need the id of the directory"},
	} {
		if _, err := link.New([]byte(tt.secret), tt.directory); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	l := made(f)
	text := l.Make(pap.ForInvitation, "inv_"+uuid, 1)
	for _, seed := range []string{text, "", ".", text[:20], strings.Repeat(".", 100), text + text} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		id, generation, err := l.Read(pap.ForInvitation, in)
		if err == nil && l.Make(pap.ForInvitation, id, generation) != in {
			t.Errorf("got %s, %d of %q, which does not make it", id, generation, in)
		}
		if err == nil && in != text {
			t.Errorf("got a link that was never made: %q", in)
		}
	})
}

func BenchmarkMake(b *testing.B) {
	l := made(b)
	b.ReportAllocs()
	for b.Loop() {
		l.Make(pap.ForInvitation, "inv_"+uuid, 1)
	}
}

func BenchmarkRead(b *testing.B) {
	l := made(b)
	text := l.Make(pap.ForInvitation, "inv_"+uuid, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := l.Read(pap.ForInvitation, text); err != nil {
			b.Fatal(err)
		}
	}
}
