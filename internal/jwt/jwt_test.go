package jwt

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/keyring"
)

func TestNewRefusesAnIssuerThatIsNotPinned(t *testing.T) {
	for name, list := range map[string][]Issuer{
		"no name":     {{Audience: "a", Keys: "k"}},
		"no audience": {{Name: "i", Keys: "k"}},
		"no keys":     {{Name: "i", Audience: "a"}},
		"twice":       {{Name: "i", Audience: "a", Keys: "k"}, {Name: "i", Audience: "b", Keys: "k"}},
	} {
		if _, err := New(Options{Issuers: list}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// What a token says of itself is judged before any key is looked for.
func TestATokenThatCannotBeOneIsRefusedUnread(t *testing.T) {
	v, err := New(Options{Issuers: []Issuer{{Name: "https://id.example", Audience: "postern", Keys: "/nowhere"}}})
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	token := func(header, claims string) string {
		return part([]byte(header)) + "." + part([]byte(claims)) + "." + part([]byte("signature"))
	}
	const ours = `{"iss":"https://id.example"}`
	for name, tt := range map[string]struct {
		text string
		want keyring.Fault
	}{
		"nothing":                   {"", keyring.Malformed},
		"two parts":                 {"a.b", keyring.Malformed},
		"no signature":              {strings.TrimSuffix(token(`{"alg":"RS256"}`, ours), part([]byte("signature"))), keyring.Malformed},
		"too long":                  {token(`{"alg":"RS256"}`, ours+strings.Repeat(" ", 9000)), keyring.Malformed},
		"a header that is critical": {token(`{"alg":"RS256","crit":["b64"]}`, ours), keyring.Malformed},
		"padding":                   {token(`{"alg":"RS256"}`, ours) + "=.", keyring.Malformed},
		"no algorithm":              {token(`{"alg":"none"}`, ours), BadAlgorithm},
		"a shared secret":           {token(`{"alg":"HS256"}`, ours), BadAlgorithm},
		"another issuer":            {token(`{"alg":"RS256"}`, `{"iss":"https://id.example/"}`), BadIssuer},
		"keys of its own":           {token(`{"alg":"RS256","jku":"https://evil.example"}`, `{"iss":"https://evil.example"}`), BadIssuer},
	} {
		if _, err := v.Verify(t.Context(), tt.text); !errors.Is(err, tt.want) || !errors.Is(err, authz.ErrUnauthenticated) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if _, err := v.Verify(t.Context(), token(`{"alg":"RS256"}`, ours)); !errors.Is(err, authz.ErrUnavailable) {
		t.Errorf("got %v without keys, want it unavailable", err)
	}
}
