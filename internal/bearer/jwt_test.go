package bearer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/jwt"
	"github.com/postern-authz/postern/internal/keyring"
	"github.com/postern-authz/postern/internal/pap"
)

// signers are the private keys of an issuer, by key id.
type signers struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

func newSigners(t *testing.T) signers {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	e, errE := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, errD := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err, errE, errD); err != nil {
		t.Fatal(err)
	}
	return signers{r, e, d}
}

// set is the JWK Set of the public keys; more are added as they are.
func (s signers) set(t *testing.T, more ...map[string]any) []byte {
	t.Helper()
	var list []any
	for kid, public := range map[string]any{"rsa": s.rsa.Public(), "ec": s.ec.Public(), "ed": s.ed.Public()} {
		key, err := jwk.Import(public)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Set(jwk.KeyIDKey, kid); err != nil {
			t.Fatal(err)
		}
		list = append(list, key)
	}
	for _, m := range more {
		list = append(list, m)
	}
	text, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claims are those of a token that is good, with some changed; nil leaves one
// out.
func claims(now time.Time, change map[string]any) map[string]any {
	c := map[string]any{"iss": "https://id.example", "aud": []string{"postern", "other"}, "sub": rosa, "exp": now.Add(time.Minute).Unix()}
	for name, value := range change {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// sign makes a token as the header says, by the standard library alone, so that
// no library's care keeps a bad one from being made.
func (s signers) sign(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(header) + "." + part(claims)
	digest := sha256.Sum256([]byte(signed))
	var mac []byte
	var err error
	switch header["alg"] {
	case "RS256":
		mac, err = rsa.SignPKCS1v15(rand.Reader, s.rsa, crypto.SHA256, digest[:])
	case "ES256":
		r, v, failed := ecdsa.Sign(rand.Reader, s.ec, digest[:])
		mac, err = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...), failed
	case "EdDSA":
		mac = ed25519.Sign(s.ed, []byte(signed))
	case "HS256": // with the public key for a secret
		h := hmac.New(sha256.New, s.rsa.PublicKey.N.Bytes())
		h.Write([]byte(signed))
		mac = h.Sum(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac)
}

func header(alg, kid string) map[string]any { return map[string]any{"alg": alg, "kid": kid} }

func trusted(t *testing.T, keys []byte, claim string) (*Bearer, *phonebook, *clock) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, keys, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, jwt.Issuer{Name: "https://id.example", Audience: "postern", Keys: path, UserClaim: claim})
}

func TestJWTsSayWhoComesAndForgedOnesDoNot(t *testing.T) {
	issuer, forger := newSigners(t), newSigners(t)
	b, _, clock := trusted(t, issuer.set(t), "")
	now := clock.Now()
	good := claims(now, nil)
	with := func(name string, value any) map[string]any { return claims(now, map[string]any{name: value}) }
	headed := func(name string, value any) map[string]any {
		h := header("RS256", "rsa")
		h[name] = value
		return h
	}
	valid := issuer.sign(t, header("RS256", "rsa"), good)
	for _, tt := range []struct {
		name, token string
		err         error
	}{
		{"signed with RSA", valid, nil},
		{"signed on P-256", issuer.sign(t, header("ES256", "ec"), good), nil},
		{"signed with Ed25519", issuer.sign(t, header("EdDSA", "ed"), good), nil},
		{"forged with RSA", forger.sign(t, header("RS256", "rsa"), good), jwt.BadSignature},
		{"forged on P-256", forger.sign(t, header("ES256", "ec"), good), jwt.BadSignature},
		{"forged with Ed25519", forger.sign(t, header("EdDSA", "ed"), good), jwt.BadSignature},
		{"not signed at all (alg none)", issuer.sign(t, header("none", "rsa"), good) + "AA", jwt.BadAlgorithm},
		{"not signed and without a third part", issuer.sign(t, header("none", "rsa"), good), keyring.Malformed},
		{"alg None in capitals", issuer.sign(t, header("nOnE", "rsa"), good) + "AA", jwt.BadAlgorithm},
		{"the public key as an HMAC secret", issuer.sign(t, header("HS256", "rsa"), good), jwt.BadAlgorithm},
		{"an algorithm in lower case", issuer.sign(t, header("rs256", "rsa"), good) + "AA", jwt.BadAlgorithm},
		{"another RSA algorithm", issuer.sign(t, header("PS256", "rsa"), good) + "AA", jwt.BadAlgorithm},
		{"the key id of another key", issuer.sign(t, header("RS256", "ec"), good), jwt.BadKey},
		{"the key id of another algorithm", issuer.sign(t, header("ES256", "ed"), good), jwt.BadKey},
		{"an unknown key id", issuer.sign(t, header("RS256", "new"), good), jwt.BadKey},
		{"no key id among several keys", issuer.sign(t, map[string]any{"alg": "RS256"}, good), jwt.BadKey},
		{"a key of its own in the header", forger.sign(t, headed("jwk", json.RawMessage(forger.set(t))), good), jwt.BadSignature},
		{"a URL of keys in the header", forger.sign(t, headed("jku", "https://evil.example/keys"), good), jwt.BadSignature},
		{"a header that must be understood", issuer.sign(t, headed("crit", []string{"exp"}), good), keyring.Malformed},
		{"of another issuer", issuer.sign(t, header("RS256", "rsa"), with("iss", "https://evil.example")), jwt.BadIssuer},
		{"of the issuer with a slash", issuer.sign(t, header("RS256", "rsa"), with("iss", "https://id.example/")), jwt.BadIssuer},
		{"of no issuer", issuer.sign(t, header("RS256", "rsa"), with("iss", nil)), jwt.BadIssuer},
		{"for another audience", issuer.sign(t, header("RS256", "rsa"), with("aud", "portal")), jwt.BadAudience},
		{"for no audience", issuer.sign(t, header("RS256", "rsa"), with("aud", nil)), jwt.BadAudience},
		{"for an audience that begins so", issuer.sign(t, header("RS256", "rsa"), with("aud", "postern2")), jwt.BadAudience},
		{"that never expires", issuer.sign(t, header("RS256", "rsa"), with("exp", nil)), jwt.BadClaims},
		{"that expired just within the leeway", issuer.sign(t, header("RS256", "rsa"), with("exp", now.Add(-29*time.Second).Unix())), nil},
		{"that expired", issuer.sign(t, header("RS256", "rsa"), with("exp", now.Add(-31*time.Second).Unix())), keyring.Expired},
		{"that holds within the leeway", issuer.sign(t, header("RS256", "rsa"), with("nbf", now.Add(29*time.Second).Unix())), nil},
		{"that does not hold yet", issuer.sign(t, header("RS256", "rsa"), with("nbf", now.Add(31*time.Second).Unix())), jwt.BadTime},
		{"issued tomorrow", issuer.sign(t, header("RS256", "rsa"), with("iat", now.Add(24*time.Hour).Unix())), jwt.BadTime},
		{"about nobody", issuer.sign(t, header("RS256", "rsa"), with("sub", nil)), jwt.BadUser},
		{"about a username", issuer.sign(t, header("RS256", "rsa"), with("sub", "rosa")), jwt.BadUser},
		{"about a number", issuer.sign(t, header("RS256", "rsa"), with("sub", 7)), jwt.BadClaims},
		{"with a letter of the claims changed", valid[:len(valid)-380] + "x" + valid[len(valid)-379:], jwt.BadSignature},
		{"of four parts", valid + ".AA", keyring.Malformed},
		{"in padded base64", valid + "=", jwt.BadSignature},
		{"in JSON", `{"payload":"e30","signatures":[]}`, keyring.Malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := b.Identify(t.Context(), "Bearer "+tt.token, "")
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Fatalf("got %+v, %v, want %v", got, err, tt.err)
			}
			if err == nil && (got.Kind != pap.JWT || got.Actor != rosa || got.ID != "https://id.example "+rosa || len(got.Scopes) != 0) {
				t.Errorf("got %+v, want rosa by her JWT", got)
			}
			if err != nil && !errors.Is(err, authz.ErrUnauthenticated) {
				t.Errorf("got %v, want a stranger", err)
			}
		})
	}
}

func TestAJWTActsForItsOwnUserAlone(t *testing.T) {
	issuer := newSigners(t)
	b, _, clock := trusted(t, issuer.set(t), "")
	header := "Bearer " + issuer.sign(t, header("RS256", "rsa"), claims(clock.Now(), nil))
	for actor, want := range map[string]error{"": nil, rosa: nil, sam: authz.ErrInvalid} {
		if _, err := b.Identify(t.Context(), header, actor); !errors.Is(err, want) {
			t.Errorf("acting for %q: got %v, want %v", actor, err, want)
		}
	}
}

func TestAClaimMayNameTheUserByUsername(t *testing.T) {
	issuer := newSigners(t)
	b, _, clock := trusted(t, issuer.set(t), "preferred_username")
	for name, tt := range map[string]struct {
		claim any
		actor string
		err   error
	}{
		"a username":                     {"rosa", rosa, nil},
		"a username of nobody":           {"nobody", "", jwt.BadUser},
		"an id, which is nobody's name":  {sam, "", jwt.BadUser},
		"a list of usernames":            {[]string{"rosa"}, "", jwt.BadUser},
		"an empty username":              {"", "", jwt.BadUser},
		"no username":                    {nil, "", jwt.BadUser},
		"a username in another case":     {"Rosa", "", jwt.BadUser},
		"a username in an object":        {map[string]any{"id": "rosa"}, "", jwt.BadUser},
		"a username with a byte of NUL":  {"rosa\x00", "", jwt.BadUser},
		"a username with a space behind": {"rosa ", "", jwt.BadUser},
	} {
		token := issuer.sign(t, header("RS256", "rsa"), claims(clock.Now(), map[string]any{"preferred_username": tt.claim}))
		if got, err := b.Identify(t.Context(), "Bearer "+token, ""); got.Actor != tt.actor || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %+v, %v, want %q, %v", name, got, err, tt.actor, tt.err)
		}
	}
}

func TestKeysThatSayWhatTheyAreForAreForNothingElse(t *testing.T) {
	issuer := newSigners(t)
	point := func(kid string, more map[string]any) map[string]any {
		key, err := jwk.Import(issuer.ec.Public())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]any{"kid": kid}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		m["kid"] = kid
		for name, value := range more {
			m[name] = value
		}
		return m
	}
	secret := map[string]any{"kty": "oct", "kid": "rsa", "k": base64.RawURLEncoding.EncodeToString(issuer.rsa.PublicKey.N.Bytes())}
	b, _, clock := trusted(t, issuer.set(t,
		point("encrypts", map[string]any{"use": "enc"}), point("other", map[string]any{"alg": "ES384"}),
		point("rsa", nil), secret, map[string]any{"kty": "novel", "kid": "novel"}), "")
	for kid, want := range map[string]error{"encrypts": jwt.BadKey, "other": jwt.BadKey, "rsa": nil, "novel": jwt.BadKey} {
		token := issuer.sign(t, header("ES256", kid), claims(clock.Now(), nil))
		if _, err := b.Identify(t.Context(), "Bearer "+token, ""); !errors.Is(err, want) {
			t.Errorf("signed on P-256 with key %s: got %v, want %v", kid, err, want)
		}
	}
	if _, err := b.Identify(t.Context(), "Bearer "+issuer.sign(t, header("RS256", "rsa"), claims(clock.Now(), nil)), ""); err != nil {
		t.Errorf("signed with RSA by the key whose id a secret has too: got %v, want no error", err)
	}
}

// F33: an identity provider that is away stops nobody whose key was seen.
func TestKeysOutliveTheirIssuersSilenceForADay(t *testing.T) {
	issuer, rotated := newSigners(t), newSigners(t)
	var body atomic.Pointer[[]byte]
	var asked atomic.Int64
	first, second := issuer.set(t), rotated.set(t, map[string]any{})
	body.Store(&first)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if text := body.Load(); text != nil {
			_, _ = w.Write(*text)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	b, _, clock := open(t, jwt.Issuer{Name: "https://id.example", Audience: "postern", Keys: server.URL})
	show := func(s signers, kid string) error {
		_, err := b.Identify(t.Context(), "Bearer "+s.sign(t, header("RS256", kid), claims(clock.Now(), nil)), "")
		return err
	}
	for _, step := range []struct {
		what   string
		pass   time.Duration
		body   *[]byte
		signed signers
		kid    string
		err    error
		asked  int64
	}{
		{"the first token", 0, &first, issuer, "rsa", nil, 1},
		{"the next one", time.Second, &first, issuer, "rsa", nil, 1},
		{"an unknown key id, just after a look", time.Second, &first, issuer, "made-up", jwt.BadKey, 1},
		{"an unknown key id, a minute later", time.Minute, &first, issuer, "made-up", jwt.BadKey, 2},
		{"another one at once", 0, &first, issuer, "made-up-too", jwt.BadKey, 2},
		{"the issuer is away", time.Hour, nil, issuer, "rsa", nil, 2},
		{"an unknown key id while it is away", 0, nil, issuer, "made-up", jwt.BadKey, 3},
		{"another one at once", 9 * time.Second, nil, issuer, "made-up", jwt.BadKey, 3},
		{"a day later", 24 * time.Hour, nil, issuer, "rsa", authz.ErrUnavailable, 4},
		{"the issuer is back with other keys", 10 * time.Second, &second, issuer, "rsa", jwt.BadSignature, 5},
		{"its new key", 0, &second, rotated, "rsa", nil, 5},
	} {
		body.Store(step.body)
		clock.pass(step.pass)
		if err := show(step.signed, step.kid); !errors.Is(err, step.err) || asked.Load() != step.asked {
			t.Errorf("%s: got %v after %d looks, want %v after %d", step.what, err, asked.Load(), step.err, step.asked)
		}
	}
}

func TestWhatIsNoKeySetIsNotRead(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(newSigners(t).set(t)) }))
	defer elsewhere.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"an error":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"nothing":         func(http.ResponseWriter, *http.Request) {},
		"no JSON":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no keys":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"too much of it":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 256<<10+1)) },
		"a key, no set":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"kty":"oct","k":"AA"}`)) },
		"a set with none": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[{"kty":"novel"}]}`)) },
	} {
		server := httptest.NewServer(answer)
		b, _, clock := open(t, jwt.Issuer{Name: "https://id.example", Audience: "postern", Keys: server.URL})
		token := newSigners(t).sign(t, header("RS256", "rsa"), claims(clock.Now(), nil))
		if _, err := b.Identify(t.Context(), "Bearer "+token, ""); err == nil {
			t.Errorf("%s: got no error", name)
		}
		server.Close()
	}
}
