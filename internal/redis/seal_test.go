package redis

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
)

func sealerOf(t testing.TB, secret, directory string) *sealer {
	t.Helper()
	s, err := newSealer([]byte(strings.Repeat(secret, 32)), directory)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func userDocument(accounts int) authz.Document {
	m := authz.Membership{ID: "mem_01890a5d-ac96-774b-bcce-b302099a8058", Organization: "acme", OrganizationKind: "customer", State: "active", Role: "user"}
	for i := range accounts {
		m.Grants = append(m.Grants, authz.Grant{Scope: authz.ScopeOf(authz.KindAccount, fmt.Sprintf("%022x", uint64(i)*0x9e3779b97f4a7c15))})
	}
	return authz.Document{User: &authz.User{ID: "usr_1", Kind: "personal", Memberships: []authz.Membership{m}}}
}

func TestAValueOpensForItsKeyOfItsDirectoryAlone(t *testing.T) {
	s := sealerOf(t, "s", "dir")
	key, doc, asOf := authz.Key{Kind: authz.KindUser, ID: "usr_1"}, userDocument(3), authz.Point{Revision: 7, Stamp: 1<<63 + 9}
	value := sealed(t, s, key, doc, asOf)
	got, err := s.open(key, value)
	if want := (authz.Kept{Document: doc, AsOf: asOf, OK: true}); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v (%v), want %+v", got, err, want)
	}
	for name, c := range map[string]struct {
		s   *sealer
		key authz.Key
	}{
		"another kind":      {s, authz.Key{Kind: authz.KindLogin, ID: "usr_1"}},
		"another id":        {s, authz.Key{Kind: authz.KindUser, ID: "usr_2"}},
		"kind and id moved": {s, authz.Key{Kind: "use", ID: "rusr_1"}},
		"another directory": {sealerOf(t, "s", "dir2"), key},
		"another secret":    {sealerOf(t, "x", "dir"), key},
	} {
		if got, err := c.s.open(c.key, value); err == nil || got.OK {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func TestNoBitOfAValueCanBeChanged(t *testing.T) {
	s := sealerOf(t, "s", "dir")
	key := authz.Key{Kind: authz.KindUser, ID: "usr_1"}
	value := sealed(t, s, key, userDocument(1), authz.Point{Revision: 7, Stamp: 8})
	for i := range len(value) * 8 {
		changed := bytes.Clone(value)
		changed[i/8] ^= 1 << (i % 8)
		if got, err := s.open(key, changed); err == nil || got.OK {
			t.Errorf("bit %d: got %+v, want an error", i, got)
		}
	}
	for end := range value {
		if _, err := s.open(key, value[:end]); err == nil {
			t.Errorf("cut at %d: got no error", end)
		}
	}
	if _, err := s.open(key, append(bytes.Clone(value), 0)); err == nil {
		t.Error("one byte more: got no error")
	}
}

func TestEqualNamesAreOfEqualKeys(t *testing.T) {
	s := sealerOf(t, "s", "dir")
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[ab :{}\x00]{0,3}`)
		kind := rapid.SampledFrom([]string{"user", "user_account", "login", "account"})
		a := authz.Key{Kind: authz.Kind(kind.Draw(t, "kind")), ID: part.Draw(t, "id")}
		b := authz.Key{Kind: authz.Kind(kind.Draw(t, "other kind")), ID: part.Draw(t, "other id")}
		if (s.name(a) == s.name(b)) != (a == b) {
			t.Fatalf("got names %s and %s of %q and %q", s.name(a), s.name(b), a, b)
		}
		if bytes.Equal(s.bound(a, 1), s.bound(b, 1)) != (a == b) {
			t.Fatalf("got values bound alike of %q and %q", a, b)
		}
	})
}

func TestPartsOfAThingLieBesideIt(t *testing.T) {
	s := sealerOf(t, "s", "dir")
	tag := func(key authz.Key) string { _, rest, _ := strings.Cut(s.name(key), "{"); return rest[:22] }
	user := tag(authz.Key{Kind: authz.KindUser, ID: "usr_1"})
	if part := tag(authz.Key{Kind: "user_account", ID: "usr_1 a1"}); part != user {
		t.Errorf("got hash tags %s and %s, want one", user, part)
	}
	if other := tag(authz.Key{Kind: authz.KindUser, ID: "usr_2"}); other == user {
		t.Error("got one hash tag of two users")
	}
}

func TestNoIDShowsInRedis(t *testing.T) {
	s := sealerOf(t, "s", "dir")
	for _, id := range []string{"rita@acme.example", "usr_1 rita@acme.example"} {
		key := authz.Key{Kind: authz.KindLogin, ID: id}
		shown := s.name(key) + string(sealed(t, s, key, authz.Document{Login: "rita@acme.example"}, authz.Point{}))
		if strings.Contains(shown, "rita") || strings.Contains(shown, "usr_1") || strings.Contains(shown, "dir") {
			t.Errorf("got %q", shown)
		}
	}
}

func TestWhatIsTooLargeIsNotSealed(t *testing.T) {
	s := sealerOf(t, "s", "dir")
	key := authz.Key{Kind: authz.KindUser, ID: "usr_1"}
	if value, err := s.seal(key, userDocument(20_000), authz.Point{}); err == nil {
		t.Errorf("got %d bytes, want an error", len(value))
	}
	value := sealed(t, s, key, userDocument(5000), authz.Point{})
	if _, err := s.open(key, value); err != nil {
		t.Errorf("5,000 accounts in %d bytes: got %v", len(value), err)
	}
}

func TestASecretThatIsShortIsRefused(t *testing.T) {
	if _, err := New(Options{Secret: []byte("short"), Directory: "d"}); err == nil {
		t.Error("a short secret: got no error")
	}
	if _, err := New(Options{Secret: make([]byte, 32)}); err == nil {
		t.Error("no directory: got no error")
	}
}

func sealed(t testing.TB, s *sealer, key authz.Key, d authz.Document, asOf authz.Point) []byte {
	t.Helper()
	value, err := s.seal(key, d, asOf)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func BenchmarkSealer(b *testing.B) {
	s := sealerOf(b, "s", "dir")
	key := authz.Key{Kind: authz.KindUser, ID: "usr_01890a5d-ac96-774b-bcce-b302099a8057"}
	for _, n := range []int{10, 1000, 5000} {
		doc := userDocument(n)
		value := sealed(b, s, key, doc, authz.Point{})
		b.Run(fmt.Sprintf("seal/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.seal(key, doc, authz.Point{})
			}
			b.ReportMetric(float64(len(value)), "bytes")
		})
		b.Run(fmt.Sprintf("open/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.open(key, value)
			}
		})
	}
	b.Run("name", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = s.name(key)
		}
	})
}
