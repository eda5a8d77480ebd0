package httpserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/authz"
)

// knownKeys is Keys in memory. It counts what it was asked.
type knownKeys struct {
	mu    sync.Mutex
	keys  map[string]Key
	err   error
	asked int
}

func (k *knownKeys) AppKey(_ context.Context, id string) (Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.err != nil {
		return Key{}, k.err
	}
	key, ok := k.keys[id]
	if !ok {
		return Key{}, fmt.Errorf("app key %s: %w", id, authz.ErrNotFound)
	}
	return key, nil
}

func (k *knownKeys) set(id string, key Key, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[id], k.err = key, err
}

func (k *knownKeys) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// guarded is a server that says who asks.
func guarded(t *testing.T, o AuthOptions) (*running, *Authenticator) {
	t.Helper()
	o.Listener, o.Metrics = "test", prometheus.NewRegistry()
	auth, err := NewAuthenticator(o)
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, Options{}, func(app *fiber.App) { app.Get("/who", auth.Handle, who) })
	return server, auth
}

func who(c *fiber.Ctx) error { return c.SendString("caller " + Caller(c).ID) }

func TestAppKeys(t *testing.T) {
	clock := newClock()
	id, secret, hash := NewAppKey()
	_, other, _ := NewAppKey()
	revoked, revokedSecret, revokedHash := NewAppKey()
	expired, expiredSecret, expiredHash := NewAppKey()
	keys := &knownKeys{keys: map[string]Key{
		id:      {Hash: hash, Holder: authz.Caller{ID: id}, Expires: clock.Now().Add(time.Second)},
		revoked: {Hash: revokedHash, Holder: authz.Caller{ID: revoked}, Revoked: true},
		expired: {Hash: expiredHash, Holder: authz.Caller{ID: expired}, Expires: clock.Now()},
	}}
	for mode, without := range map[Mode]int{ModeKey: 401, ModeNone: 200, ModeMTLS: 401} {
		server, auth := guarded(t, AuthOptions{Mode: mode, Keys: keys, Now: clock.Now})
		for name, tt := range map[string]struct {
			header string
			status int
			reason string
		}{
			"the right key":             {"Bearer " + secret, 200, ""},
			"a scheme in another case":  {"bearer " + secret, 200, ""},
			"an unknown id":             {"Bearer " + other, 401, authUnknown},
			"the secret of another key": {"Bearer pk_" + id + other[strings.LastIndex(other[:len(other)-43], "_"):], 401, authWrong},
			"a revoked key":             {"Bearer " + revokedSecret, 401, authRevoked},
			"an expired key":            {"Bearer " + expiredSecret, 401, authExpired},
			"a truncated key":           {"Bearer " + secret[:len(secret)-1], 401, authMalformed},
			"an extended key":           {"Bearer " + secret + "A", 401, authMalformed},
			"the id alone":              {"Bearer pk_" + id, 401, authMalformed},
			"a token of 8 KiB":          {"Bearer " + strings.Repeat("a", 8<<10), 401, authMalformed},
			"another scheme":            {"Basic " + secret, 401, authMalformed},
			"a key without a scheme":    {secret, 401, authMalformed},
			"a scheme without a key":    {"Bearer", 401, authMalformed},
			"two spaces":                {"Bearer  " + secret, 401, authMalformed},
			"two keys":                  {"Bearer " + secret + ", Bearer " + secret, 401, authMalformed},
		} {
			t.Run(string(mode)+"/"+name, func(t *testing.T) {
				before := testutil.ToFloat64(auth.failures.WithLabelValues(tt.reason))
				resp, body := server.do(t, "GET", "/who", "", "Authorization", tt.header)
				if resp.StatusCode != tt.status {
					t.Fatalf("got %d %s, want %d", resp.StatusCode, body, tt.status)
				}
				if tt.status == 200 && body != "caller "+id {
					t.Errorf("got %s, want caller %s", body, id)
				}
				if tt.status == 401 && (resp.Header.Get("WWW-Authenticate") != `Bearer realm="postern"` || !strings.Contains(body, nobody[:30])) {
					t.Errorf("got %s with %v, want the same 401 for every stranger", body, resp.Header)
				}
				if got := testutil.ToFloat64(auth.failures.WithLabelValues(tt.reason)); tt.reason != "" && got != before+1 {
					t.Errorf("failures for %s got %v, want %v", tt.reason, got, before+1)
				}
			})
		}
		if resp, body := server.do(t, "GET", "/who", ""); resp.StatusCode != without {
			t.Errorf("mode %s without a key got %d %s, want %d", mode, resp.StatusCode, body, without)
		}
	}
}

func TestAWrongKeyIsRefusedWhereNoneIsKnown(t *testing.T) {
	server, _ := guarded(t, AuthOptions{Mode: ModeNone})
	_, secret, _ := NewAppKey()
	if resp, _ := server.do(t, "GET", "/who", "", "Authorization", "Bearer "+secret); resp.StatusCode != 401 {
		t.Errorf("got %d, want 401", resp.StatusCode)
	}
	if resp, body := server.do(t, "GET", "/who", "", "X-Forwarded-User", "admin", "X-User", "admin", "X_Authorization", "Bearer "+secret); resp.StatusCode != 200 || body != "caller " {
		t.Errorf("T15 got %d %q, want nobody's name", resp.StatusCode, body)
	}
}

func TestKeysAreReadOnceASecond(t *testing.T) {
	clock := newClock()
	id, secret, hash := NewAppKey()
	keys := &knownKeys{keys: map[string]Key{id: {Hash: hash}}}
	server, _ := guarded(t, AuthOptions{Mode: ModeKey, Keys: keys, Now: clock.Now})
	ask := func() int {
		resp, _ := server.do(t, "GET", "/who", "", "Authorization", "Bearer "+secret)
		return resp.StatusCode
	}
	for _, step := range []struct {
		what   string
		pass   time.Duration
		change func()
		status int
		asked  int
	}{
		{"the first time", 0, func() {}, 200, 1},
		{"again at once", 0, func() {}, 200, 1},
		{"just revoked", 999 * time.Millisecond, func() { keys.set(id, Key{Hash: hash, Revoked: true}, nil) }, 200, 1},
		{"revoked a second ago", time.Millisecond, func() {}, 401, 2},
		{"valid again", time.Second, func() { keys.set(id, Key{Hash: hash}, nil) }, 200, 3},
		{"keys cannot be read", 2 * time.Second, func() { keys.set(id, Key{Hash: hash}, errors.New("disk")) }, 200, 4},
		{"for longer than 5 s", 3 * time.Second, func() {}, 503, 5},
		{"readable again", 0, func() { keys.set(id, Key{Hash: hash}, nil) }, 200, 6},
	} {
		clock.pass(step.pass)
		step.change()
		if got := ask(); got != step.status || keys.count() != step.asked {
			t.Errorf("%s got %d after %d look-ups, want %d after %d", step.what, got, keys.count(), step.status, step.asked)
		}
	}
}

func TestNewAuthenticatorRefuses(t *testing.T) {
	for _, o := range []AuthOptions{{}, {Mode: "oauth"}, {Mode: ModeKey}} {
		if _, err := NewAuthenticator(o); err == nil {
			t.Errorf("NewAuthenticator(%+v) got nil, want an error", o)
		}
	}
}

func TestNewAppKey(t *testing.T) {
	id, secret, hash := NewAppKey()
	if got, err := ParseAppKey(secret); err != nil || got != id {
		t.Errorf("ParseAppKey got %q, %v, want %q", got, err, id)
	}
	if HashAppKey(secret) != hash {
		t.Error("the hash is not that of the secret")
	}
	if _, again, _ := NewAppKey(); again == secret {
		t.Error("two keys are equal")
	}
}

func TestParseAppKey(t *testing.T) {
	zeros := strings.Repeat("A", 43)
	for name, tt := range map[string]struct{ secret, id string }{
		"a key":                             {"pk_portal_" + zeros, "portal"},
		"a secret with underscores":         {"pk_portal_" + strings.Repeat("_", 42) + "8", "portal"},
		"an id with a hyphen":               {"pk_a-1_" + zeros, "a-1"},
		"no prefix":                         {"portal_" + zeros, ""},
		"a prefix in capitals":              {"PK_portal_" + zeros, ""},
		"no id":                             {"pk__" + zeros, ""},
		"no id and no underscore":           {"pk_" + zeros, ""},
		"an id with an underscore":          {"pk_a_b_" + zeros, ""},
		"an id in capitals":                 {"pk_Portal_" + zeros, ""},
		"an id of 64":                       {"pk_" + strings.Repeat("a", 64) + "_" + zeros, strings.Repeat("a", 64)},
		"an id of 65":                       {"pk_" + strings.Repeat("a", 65) + "_" + zeros, ""},
		"a secret that is too short":        {"pk_portal_" + zeros[1:], ""},
		"a secret in another alphabet":      {"pk_portal_" + strings.Repeat("+", 42) + "A", ""},
		"a secret with bits beyond its end": {"pk_portal_" + zeros[1:] + "B", ""},
		"a line break in the secret":        {"pk_portal_" + zeros[1:] + "\n", ""},
		"nothing":                           {"", ""},
	} {
		id, err := ParseAppKey(tt.secret)
		if id != tt.id || (err == nil) != (tt.id != "") {
			t.Errorf("%s: ParseAppKey(%q) got %q, %v, want %q", name, tt.secret, id, err, tt.id)
		}
		if err != nil && tt.secret != "" && strings.Contains(err.Error(), tt.secret) {
			t.Errorf("%s: the error %q quotes the key", name, err)
		}
	}
}

// FuzzParseAppKey says that parsing never panics, and that a key reads one way
// only: what is parsed is the prefix, the id, and the secret.
func FuzzParseAppKey(f *testing.F) {
	_, secret, _ := NewAppKey()
	for _, seed := range []string{secret, "", "pk_", "pk_a_" + strings.Repeat("A", 43), "pk__" + strings.Repeat("_", 43)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		id, err := ParseAppKey(secret)
		if err == nil && (!strings.HasPrefix(secret, "pk_"+id+"_") || len(secret) != len("pk_")+len(id)+1+43) {
			t.Errorf("ParseAppKey(%q) got %q", secret, id)
		}
	})
}

// FuzzRequestID says that what is logged of any request id is visible ASCII and
// short (T18).
func FuzzRequestID(f *testing.F) {
	f.Add("bfe9eb29-ab87-4ca3-be83-a1d5d8305716")
	f.Add("a\r\nb\x00\u2028")
	f.Fuzz(func(t *testing.T, id string) {
		got := printable(id)
		if len(got) > 128 || strings.ContainsFunc(got, func(r rune) bool { return r < '!' || r > '~' }) {
			t.Errorf("printable(%q) got %q", id, got)
		}
	})
}
