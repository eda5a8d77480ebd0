package secret_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/secret"
)

func TestASecretIsReadBackAndNoOther(t *testing.T) {
	for _, p := range []secret.Prefix{secret.AppKey, secret.OperatorKey, secret.ServiceToken} {
		id, text, hash := p.New()
		if got, err := p.Parse(text); err != nil || got != id {
			t.Errorf("%s: got %q, %v, want %q", p, got, err, id)
		}
		if secret.Hash(text) != hash {
			t.Errorf("%s: the hash of the secret is not the one it was made with", p)
		}
		if _, again, _ := p.New(); again == text {
			t.Errorf("%s: got the same secret twice", p)
		}
		for _, other := range []secret.Prefix{secret.AppKey, secret.OperatorKey, secret.ServiceToken} {
			if _, err := other.Parse(text); (err == nil) != (other == p) {
				t.Errorf("%s read as %s: got %v", p, other, err)
			}
		}
	}
}

func TestErrorsDoNotQuoteTheSecret(t *testing.T) {
	_, text, _ := secret.ServiceToken.New()
	tail := text[len(text)-43:]
	for name, bad := range map[string]string{
		"a letter is missing":     text[:len(text)-1],
		"the prefix is another":   "xx_" + text[3:],
		"the id has a capital":    "st_A" + text[3:],
		"the secret is no base64": text[:len(text)-1] + "!",
	} {
		_, err := secret.ServiceToken.Parse(bad)
		if err == nil || strings.Contains(err.Error(), tail[:20]) {
			t.Errorf("%s: got %v, want an error that does not quote it", name, err)
		}
	}
}
