package authz_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/postern-authz/postern/internal/authz"
)

func TestCheckKey(t *testing.T) {
	for _, c := range []struct {
		name, id string
		ok       bool
	}{
		{"letters and digits", "a1", true},
		{"every mark that is allowed", "A.b_c~d@e/f-g", true},
		{"the longest", strings.Repeat("a", authz.MaxID), true},
		{"one longer", strings.Repeat("a", authz.MaxID+1), false},
		{"nothing", "", false},
		{"a mark first", "-a", false},
		{"what separates kind and id in a scope", "a:b", false},
		{"what separates contract and delivery in a scope", "a+b", false},
		{"a space", "a b", false},
		{"a line break at the end", "a\n", false},
		{"a letter that only looks like one", "аcme", false},
		{"no character at all", "a\xff", false},
	} {
		t.Run(c.name, func(t *testing.T) { want(t, authz.CheckKey(c.id), c.ok) })
	}
}

func TestCheckID(t *testing.T) {
	const v7 = "01890a5d-ac96-774b-bcce-b302099a8057"
	for _, c := range []struct {
		name, id string
		ok       bool
	}{
		{"a user's", "usr_" + v7, true},
		{"another kind's", "mem_" + v7, false},
		{"no prefix", v7, false},
		{"upper case", "usr_" + strings.ToUpper(v7), false},
		{"version 4", "usr_01890a5d-ac96-474b-bcce-b302099a8057", false},
		{"another variant", "usr_01890a5d-ac96-774b-0cce-b302099a8057", false},
		{"no dashes", "usr_" + strings.ReplaceAll(v7, "-", ""), false},
		{"a dash elsewhere", "usr_01890a5-dac96-774b-bcce-b302099a8057", false},
		{"more behind it", "usr_" + v7 + "0", false},
	} {
		t.Run(c.name, func(t *testing.T) { want(t, authz.CheckID(authz.PrefixUser, c.id), c.ok) })
	}
}

func want(t *testing.T, err error, ok bool) {
	t.Helper()
	if ok != (err == nil) {
		t.Errorf("got %v, want accepted: %v", err, ok)
	}
	if err != nil && !errors.Is(err, authz.ErrInvalid) {
		t.Errorf("got %v, want an error of kind invalid", err)
	}
}

// FuzzCheckKey: two different keys never make the same scope, alone or paired.
func FuzzCheckKey(f *testing.F) {
	f.Add("a", "b")
	f.Add("k1+delivery:d1", "d2")
	f.Add("k1", "d1+delivery:d2")
	f.Fuzz(func(t *testing.T, a, b string) {
		if authz.CheckKey(a) != nil || authz.CheckKey(b) != nil {
			return
		}
		contract, delivery, ok := strings.Cut(string(authz.PairScope(a, b)), "+")
		if !ok || contract != "contract:"+a || delivery != "delivery:"+b {
			t.Errorf("%q and %q make a scope that reads %q and %q", a, b, contract, delivery)
		}
		kind, id, _ := strings.Cut(string(authz.ScopeOf(authz.KindAccount, a)), ":")
		if kind != "account" || id != a {
			t.Errorf("%q makes a scope that reads %q and %q", a, kind, id)
		}
	})
}

// FuzzCheckID agrees with the library that makes the ids.
func FuzzCheckID(f *testing.F) {
	f.Add("usr_01890a5d-ac96-774b-bcce-b302099a8057")
	f.Add("usr_{01890a5d-ac96-774b-bcce-b302099a8057}")
	f.Add("usr_urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057")
	f.Fuzz(func(t *testing.T, id string) {
		parsed, err := uuid.Parse(strings.TrimPrefix(id, authz.PrefixUser))
		canonical := err == nil && parsed.Version() == 7 && parsed.Variant() == uuid.RFC4122 && id == authz.PrefixUser+parsed.String()
		if accepted := authz.CheckID(authz.PrefixUser, id) == nil; accepted != canonical {
			t.Errorf("%q: accepted %v, canonical %v", id, accepted, canonical)
		}
	})
}
