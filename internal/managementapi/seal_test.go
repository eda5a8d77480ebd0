package managementapi

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func testSeal(t testing.TB, now func() time.Time) *seal {
	t.Helper()
	s, err := newSeal([]byte(strings.Repeat("s", 32)), now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAPageTokenIsOfOneListForAnHour(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := testSeal(t, func() time.Time { return now })
	token := s.page("position", "list")
	if got, ok := s.position(token, "list"); !ok || got != "position" {
		t.Errorf("got %q, %v, want the position", got, ok)
	}
	if strings.Contains(token, "position") {
		t.Errorf("got %s, want nothing readable", token)
	}
	for name, bad := range map[string]string{
		"empty": "", "no base64": "!!", "short": "abcd", "cut": token[:len(token)-4], "longer": token + "AAAA", "a line break": token[:8] + "\n" + token[8:],
	} {
		if _, ok := s.position(bad, "list"); ok {
			t.Errorf("%s: was taken", name)
		}
	}
	if _, ok := s.position(token, "another list"); ok {
		t.Error("the token of one list was taken for another")
	}
	now = now.Add(pageLasts)
	if _, ok := s.position(token, "list"); ok {
		t.Error("a token of an hour ago was taken")
	}
}

func TestKeysNeedASecret(t *testing.T) {
	if _, err := newSeal([]byte("short"), time.Now); err == nil {
		t.Error("a short secret was taken")
	}
}

func TestFingerprintsTellRequestsApart(t *testing.T) {
	s := testSeal(t, time.Now)
	one := s.fingerprint("/v1/a", []byte(`{"b":1}`))
	if one != s.fingerprint("/v1/a", []byte(`{"b":1}`)) {
		t.Error("the same request has two fingerprints")
	}
	if one == s.fingerprint("/v1/b", []byte(`{"b":1}`)) || one == s.fingerprint("/v1/a", []byte(`{"b":2}`)) {
		t.Error("two requests have one fingerprint")
	}
}

// FuzzPageToken changes tokens: none but the one that was made is taken.
func FuzzPageToken(f *testing.F) {
	s := testSeal(f, func() time.Time { return time.Unix(1_800_000_000, 0) })
	good := s.page("1772442000000.mem_1", "list")
	f.Add(good)
	f.Add("")
	f.Add(strings.ToUpper(good))
	f.Fuzz(func(t *testing.T, token string) {
		position, ok := s.position(token, "list")
		if !ok {
			return
		}
		if position != "1772442000000.mem_1" || token != good {
			t.Errorf("took %q as %q", token, position)
		}
	})
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		f.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		if _, ok := s.position(base64.RawURLEncoding.EncodeToString(raw), "list"); ok {
			f.Errorf("byte %d was changed and the token was taken", i)
		}
		raw[i] ^= 1
	}
}
