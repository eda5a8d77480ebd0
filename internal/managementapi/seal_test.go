package managementapi

import (
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

// FuzzPageToken changes a token: none but the one that was made is taken.
func FuzzPageToken(f *testing.F) {
	const good = "lbgrLA4sz5NJoHLkkx_DoU-3jEH6I2Z1qjAJ5T_j7XaaLcL7b_bZFGBoJFrlZuYSnV3UY_QsrXHKPF-cMqpO8byQxA"
	s := testSeal(f, func() time.Time { return time.Unix(1_800_000_000, 0) })
	if _, ok := s.position(good, "list"); !ok {
		f.Fatal("the token was not taken: make another")
	}
	for _, seed := range []string{good, "", strings.ToUpper(good), good + "A", good[1:]} {
		f.Add(seed)
	}
	for i := range good {
		f.Add(good[:i] + "_" + good[i+1:])
	}
	f.Fuzz(func(t *testing.T, token string) {
		if position, ok := s.position(token, "list"); ok && token != good {
			t.Errorf("took %q as %q", token, position)
		}
	})
}
