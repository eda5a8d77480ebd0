package directory_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

func TestEmailKey(t *testing.T) {
	tests := []struct{ name, address, want string }{
		{"an ordinary address", "Dana.Roy+portal@Example.COM", "dana.roy+portal@example.com"},
		{"dots and what follows a plus stay", "d.a.n.a+x@gmail.com", "d.a.n.a+x@gmail.com"},
		{"spaces around it go", "  dana@example.com ", "dana@example.com"},
		{"an apostrophe", "o'neil@example.ie", "o'neil@example.ie"},
		{"a domain of one label", "root@localhost", "root@localhost"},
		{"a domain with umlauts", "info@Bücher.example", "info@xn--bcher-kva.example"},
		{"the same domain in A-labels", "info@XN--BCHER-KVA.example", "info@xn--bcher-kva.example"},
		{"sharp s is no double s", "info@straße.example", "info@xn--strae-oqa.example"},
		{"a local part beyond ASCII keeps its case", "Jörg@example.com", "Jörg@example.com"},
		{"a local part is normalized", "Jo\u0308rg@example.com", "Jörg@example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := directory.EmailKey(tt.address)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestEmailKeyRefuses(t *testing.T) {
	tests := []struct{ name, address string }{
		{"nothing", ""},
		{"spaces only", "   "},
		{"no @", "dana.example.com"},
		{"two @", "dana@evil.example@example.com"},
		{"two addresses", "a@example.com,b@example.com"},
		{"two addresses apart", "a@example.com b@example.com"},
		{"a display name", "Dana <dana@example.com>"},
		{"a comment", "dana(work)@example.com"},
		{"a quoted local part", `"dana roy"@example.com`},
		{"an encoded word", "=?utf-8?q?dana?=@example.com"},
		{"nothing before the @", "@example.com"},
		{"nothing after the @", "dana@"},
		{"a dot in front", ".dana@example.com"},
		{"a dot behind", "dana.@example.com"},
		{"two dots", "da..na@example.com"},
		{"an empty label", "dana@example..com"},
		{"a dot at the end", "dana@example.com."},
		{"an address literal", "dana@[192.0.2.1]"},
		{"a header smuggled in", "dana@example.com\r\nBcc: all@example.com"},
		{"a line end behind", "dana@example.com\n"},
		{"a NUL", "dana\x00@example.com"},
		{"a tab around it", "\tdana@example.com"},
		{"an invisible character", "da\u200bna@example.com"},
		{"a right-to-left override", "da\u202ena@example.com"},
		{"no UTF-8", "da\xffna@example.com"},
		{"an underscore in the domain", "dana@exa_mple.com"},
		{"a hyphen in front of the domain", "dana@-example.com"},
		{"an A-label that is none", "dana@xn--a.example"},
		{"a label of 64", "dana@" + strings.Repeat("a", 64) + ".example"},
		{"a local part of 65", strings.Repeat("a", 65) + "@example.com"},
		{"255 bytes", "a@" + strings.Repeat("a.", 125) + "abc"},
		{"the Kelvin sign for a k (V24)", "mi\u212ae@example.com"},
		{"the Kelvin sign in the domain (V24)", "mike@\u212aelvin.example"},
		{"the long s in the domain (V24)", "mike@example\u017f.com"},
		{"full-width letters in the domain (V24)", "mike@ｅxample.com"},
		{"another full stop in the domain (V24)", "mike@example\u3002com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := directory.EmailKey(tt.address)
			if !errors.Is(err, authz.ErrInvalid) {
				t.Fatalf("got %q, %v, want an error of kind invalid", key, err)
			}
			if tt.address != "" && strings.Contains(err.Error(), tt.address) {
				t.Errorf("the error repeats the address: %v", err)
			}
		})
	}
}

// Addresses that look alike are different people (V24).
func TestEmailKeyKeepsHomographsApart(t *testing.T) {
	alike := []string{
		"mike@example.com", "m\u0131ke@example.com", "m\u00edke@example.com", "mi\u1e33e@example.com",
		"ｍike@example.com", "m\u0456ke@example.com", "mi\u03bae@example.com", "\u017fike@example.com",
		"mike@ex\u0430mple.com", "mike@xn--exmple-4nf.com", "mike@examp1e.com", "mike@g\u0131thub.com", "mike@github.com",
	}
	seen := map[string]string{}
	for _, address := range alike {
		key, err := directory.EmailKey(address)
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if other, ok := seen[key]; ok && !(strings.Contains(address, "xn--") || strings.Contains(other, "xn--")) {
			t.Errorf("%q and %q are both %q", other, address, key)
		}
		seen[key] = address
	}
}

func TestEmailKeyIsItsOwnKey(t *testing.T) {
	local := rapid.StringMatching(`[A-Za-z0-9.+_\x{C0}-\x{17F}\x{300}-\x{30F}\x{2126}-\x{212B}\x{430}-\x{44F}\x{FF21}-\x{FF5A}]{1,12}`)
	domain := rapid.StringMatching(`[A-Za-z0-9\-\x{C0}-\x{17F}\x{430}-\x{44F}\x{FF21}-\x{FF5A}]{1,8}(\.[A-Za-z]{1,4}){0,2}`)
	rapid.Check(t, func(t *rapid.T) {
		address := local.Draw(t, "local") + "@" + domain.Draw(t, "domain")
		key, err := directory.EmailKey(address)
		if err != nil {
			return
		}
		again, err := directory.EmailKey(key)
		if err != nil || again != key {
			t.Fatalf("%q has the key %q, and that has the key %q, %v", address, key, again, err)
		}
	})
}

func FuzzEmailKey(f *testing.F) {
	for _, seed := range []string{"Dana@Example.com", "Jörg@Bücher.example", "mi\u212ae@example.com", "a@b@c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		key, err := directory.EmailKey(address)
		if err != nil {
			return
		}
		if again, err := directory.EmailKey(key); err != nil || again != key || len(key) > directory.MaxEmail {
			t.Errorf("%q has the key %q, and that has the key %q, %v", address, key, again, err)
		}
	})
}

func TestUsernames(t *testing.T) {
	good := map[string]string{
		"paula": "paula", "Paula.Roy": "paula.roy", "P@ACME.example": "p@acme.example", "7-up": "7-up", "a_b+c~d": "a_b+c~d",
		strings.Repeat("X", directory.MaxUsername): strings.Repeat("x", directory.MaxUsername),
	}
	for name, key := range good {
		if err := directory.CheckUsername(name); err != nil || authz.LoginKey(name).ID != key {
			t.Errorf("%q: got key %q, %v, want %q", name, authz.LoginKey(name).ID, err, key)
		}
	}
	bad := []string{
		"", ".paula", "@paula", "pau la", "paula\n", "jörg", "mi\u212ae", "a:b", "a/b", "a;b", "a\x00b", "\xff",
		strings.Repeat("x", directory.MaxUsername+1),
	}
	for _, name := range bad {
		if err := directory.CheckUsername(name); !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("%q: got %v, want an error of kind invalid", name, err)
		}
	}
}

func TestAKeyOfAUsernameIsOneOnlyIfTheUsernameIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		key := authz.LoginKey(name).ID
		if (directory.CheckUsername(name) == nil) != (directory.CheckUsername(key) == nil) || authz.LoginKey(key).ID != key {
			t.Fatalf("%q has the key %q", name, key)
		}
	})
}
