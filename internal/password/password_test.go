package password_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/password"
)

func TestAPasswordMatchesItsHashAndNoOther(t *testing.T) {
	p := password.New()
	hash, err := p.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if form := `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`; !regexp.MustCompile(form).MatchString(hash) {
		t.Errorf("got %s, want %s", hash, form)
	}
	for _, tt := range []struct {
		name, hash, password string
		want                 bool
	}{
		{"its own", hash, "correct horse", true},
		{"another", hash, "correct horsf", false},
		{"the beginning", hash, "correct", false},
		{"nothing", hash, "", false},
		{"too long", hash, strings.Repeat("a", password.MaxLength+1), false},
		{"nobody's hash", "", "correct horse", false},
		{"nobody's hash and nothing", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := p.Check(t.Context(), tt.hash, tt.password); got != tt.want || err != nil {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
	if again, _ := p.Hash(t.Context(), "correct horse"); again == hash {
		t.Error("got one hash twice, want a salt for each")
	}
}

// The vector is argon2's own command line: argon2 somesalt -id -t 2 -k 65536 -p 1.
func TestAHashOfOtherCostIsCheckedAndOutdated(t *testing.T) {
	p := password.New()
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if got, err := p.Check(t.Context(), hash, "password"); !got || err != nil {
		t.Errorf("got %v, %v, want that it matches", got, err)
	}
	if !p.Outdated(hash) {
		t.Error("got a hash of another cost that is up to date")
	}
	own, err := p.Hash(t.Context(), "password")
	if err != nil || p.Outdated(own) {
		t.Errorf("got %v, outdated %v, want a hash that is up to date", err, p.Outdated(own))
	}
}

func TestPasswordsHaveALength(t *testing.T) {
	for _, tt := range []struct {
		name, password string
		kind           error
	}{
		{"empty", "", authz.ErrInvalid},
		{"one byte short", "1234567", authz.ErrInvalid},
		{"just long enough", "12345678", nil},
		{"as long as may be", strings.Repeat("x", 1024), nil},
		{"a byte too long", strings.Repeat("x", 1025), authz.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := password.New().Hash(t.Context(), tt.password); !errors.Is(err, tt.kind) {
				t.Errorf("got %v, want %v", err, tt.kind)
			}
		})
	}
}

func TestAHashThatCannotBeReadIsAnErrorThatDoesNotShowIt(t *testing.T) {
	for _, hash := range []string{
		"hunter2", "$argon2id$hunter2", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=19456,t=2,p=1,x=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=19456,t=2,p=1$$AAAA",
	} {
		got, err := password.New().Check(t.Context(), hash, "password")
		if got || err == nil || strings.Contains(err.Error(), "hunter2") || errors.Is(err, authz.ErrInvalid) {
			t.Errorf("got %v, %v of %s, want an internal error", got, err, hash)
		}
	}
}

func TestNobodyWaitsLongerThanTheContext(t *testing.T) {
	p := password.New()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Hash(ended, "correct horse"); !errors.Is(err, authz.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want unavailable", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	var wait sync.WaitGroup
	var late sync.Map
	for i := range 64 {
		wait.Go(func() {
			_, err := p.Check(soon, "", "correct horse")
			late.Store(i, errors.Is(err, authz.ErrUnavailable))
		})
	}
	wait.Wait()
	refused := 0
	late.Range(func(_, v any) bool {
		if v.(bool) {
			refused++
		}
		return true
	})
	if refused == 0 {
		t.Error("got 64 checks within 30 ms, want some that gave up waiting")
	}
}

func BenchmarkHash(b *testing.B) {
	p := password.New()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Hash(b.Context(), "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckNobodysHash(b *testing.B) {
	p := password.New()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Check(b.Context(), "", "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}
