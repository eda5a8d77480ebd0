package authz_test

import (
	"testing"

	"github.com/postern-authz/postern/internal/authz"
)

func TestLoginKeyIsLowerASCII(t *testing.T) {
	for name, want := range map[string]string{
		"":                 "",
		"rita.lindqvist@x": "rita.lindqvist@x",
		"Rita.LINDQVIST@x": "rita.lindqvist@x",
		"\u212Aate":        "\u212Aate", // the Kelvin sign is no k
		"\u0130stanbul":    "\u0130stanbul",
		"[@Z`{":            "[@z`{",
		"\xff\xfeA":        "\xff\xfea",
	} {
		if got := authz.LoginKey(name); got != (authz.Key{Kind: authz.KindLogin, ID: want}) {
			t.Errorf("LoginKey(%q): got %q, want %q", name, got, want)
		}
	}
}
