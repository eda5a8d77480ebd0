package storetest

import (
	"errors"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

// testUsernames: a name is given once, and again only to whom it was given
// (R33, R78).
func testUsernames(t *testing.T, newDSN func(testing.TB) string) {
	s := furnished(t, newDSN)
	dana := idOf(t, s, "dana")
	rename := func(name string) func(pap.Tx) error {
		return func(tx pap.Tx) error {
			p, err := tx.Person(dana)
			p.Username = name
			return errors.Join(err, tx.PutPerson(p))
		}
	}
	administer(t, s, rename("dee"))
	administer(t, s, func(tx pap.Tx) error { return tx.PutMember(invited("mem_1")) })
	for name, want := range map[string]string{"DANA": dana, "dee": dana, "TMP-7KQ2": "", "tmp-mem_1": ""} {
		owner := see(t, s, func(r pap.Reader) (string, error) { return r.UsernameOf(name) })
		taken := see(t, s, func(r pap.Reader) (bool, error) { return r.UsernameTaken(name) })
		if owner != want || !taken {
			t.Errorf("%s: got owner %q and taken %t, want %q and true", name, owner, taken, want)
		}
	}
	if see(t, s, func(r pap.Reader) (bool, error) { return r.UsernameTaken("free") }) {
		t.Error("a free name is said to be taken")
	}
	refuse(t, s, authz.ErrNotFound, func(tx pap.Tx) error { _, err := tx.UsernameOf("free"); return err })
	refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error { return tx.PutPerson(person("usr_1", "Dana")) })
	administer(t, s, rename("Dana"))
	if got := idOf(t, s, "dana"); got != dana {
		t.Errorf("back to the old name: got %q, want %q", got, dana)
	}
	update(t, s, directory.User{ID: dana, Kind: "personal", Username: "third"}, directory.User{ID: "usr_2", Kind: "personal", Username: "fourth"})
	for name, want := range map[string]string{"third": dana, "dee": dana, "fourth": "usr_2"} {
		if got := see(t, s, func(r pap.Reader) (string, error) { return r.UsernameOf(name) }); got != want {
			t.Errorf("%s after an import: got %q, want %q", name, got, want)
		}
	}
}
