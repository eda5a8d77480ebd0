package test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An issuer is an identity provider with one key, made by the standard library
// alone.
type issuer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

// keys is its JWK Set.
func (i issuer) keys() string {
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		i.t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"one","alg":"ES256","use":"sig","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
}

// token signs a good one for a username, with some members of the header and
// the claims changed.
func (i issuer) token(username string, header, claims map[string]any) string {
	h := map[string]any{"alg": "ES256", "kid": "one", "typ": "JWT"}
	c := map[string]any{"iss": "https://id.example", "aud": "postern", "sub": "1234", "preferred_username": username,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(h, header)
	maps.Copy(c, claims)
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			i.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(h) + "." + part(c)
	if h["alg"] == "none" {
		return signed + "."
	}
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		i.t.Fatal(err)
	}
	mac := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	token := signed + "." + base64.RawURLEncoding.EncodeToString(mac)
	written.secret(token)
	return token
}

func TestAPortalSessionActsAsItsUser(t *testing.T) {
	t.Parallel()
	idp := issuer{t, newKey(t)}
	i := install(t)
	i.env = append(i.env, "POSTERN_JWT_ISSUER=https://id.example", "POSTERN_JWT_AUDIENCE=postern", "POSTERN_JWT_USER_CLAIM=preferred_username",
		"POSTERN_JWT_KEYS="+i.file(t, "keys.json", idp.keys()))
	o := administered(t, i)
	_, rosa := o.username("acme", "rosa")
	_, paula := o.username("acme", "paula")
	session := func(token string) string { return "Authorization: Bearer " + token }
	const me, acme = "/v1/me", "/v1/organizations/acme"
	for name, tt := range map[string]struct {
		token  string
		status int
	}{
		"a good one":              {idp.token("rosa", nil, nil), 200},
		"expired":                 {idp.token("rosa", nil, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), 401},
		"without an end":          {idp.token("rosa", nil, map[string]any{"exp": nil}), 401},
		"for another audience":    {idp.token("rosa", nil, map[string]any{"aud": "elsewhere"}), 401},
		"of another issuer":       {idp.token("rosa", nil, map[string]any{"iss": "https://evil.example"}), 401},
		"not signed":              {idp.token("rosa", map[string]any{"alg": "none"}, nil), 401},
		"by a key nobody knows":   {idp.token("rosa", map[string]any{"kid": "two"}, nil), 401},
		"signed by somebody else": {issuer{t, newKey(t)}.token("rosa", nil, nil), 401},
		"of nobody":               {idp.token("nobody", nil, nil), 401},
	} {
		if x := o.does(tt.status, http.MethodGet, me, "", session(tt.token)); tt.status == 200 && x.read("username") != "rosa" {
			t.Errorf("%s: got %s, want rosa", name, x)
		}
	}
	ofRosa, ofPaula := session(idp.token("rosa", nil, nil)), session(idp.token("paula", nil, nil))
	o.does(http.StatusOK, http.MethodGet, me, "", ofRosa, "Postern-Actor: "+rosa)
	o.does(http.StatusBadRequest, http.MethodGet, me, "", ofRosa, "Postern-Actor: "+paula)
	o.does(http.StatusForbidden, http.MethodPost, acme+"/invitations", `{"email":"x@acme.example","role":"regular"}`, ofRosa)
	x := o.does(http.StatusCreated, http.MethodPost, acme+"/invitations",
		`{"email":"x@acme.example","role":"regular","grants":{"accounts":[{"id":"a-1001"}]},"deliver":"return_link"}`, ofPaula)
	if got := x.read("invitation.inviter.id"); got != paula || x.read("invitation.inviter.kind") != "user" {
		t.Errorf("got the inviter %q, want paula", got)
	}
	o.does(http.StatusNotFound, http.MethodGet, "/v1/organizations/globex", "", ofPaula)
	trail := o.does(http.StatusOK, http.MethodGet, acme+"/audit-events?type=invitation.created", "")
	if !strings.Contains(trail.body, paula) {
		t.Errorf("the trail does not say that it was paula:\n%s", trail)
	}
}
