package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

// An SQLite file that is moved away stays open: whoever goes on with it decides
// on what is old, and loses what it writes.
func TestAFileThatIsMovedAwayOrReplacedIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.db")
	s := storetest.Open(t, "sqlite:"+path)
	storetest.Fill(t, s)
	text, _ := takeBackup(t, s)
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	wantUses(t, s, nil)
	rename(path, path+".old")
	wantUses(t, s, authz.ErrUnavailable)
	restored(t, "sqlite:"+path+".new", text)
	rename(path+".new", path)
	wantUses(t, s, authz.ErrUnavailable)
	rename(path+".old", path)
	wantUses(t, s, nil)
}

// wantUses wants every way to use the store to end alike.
func wantUses(t *testing.T, s *store.Store, want error) {
	t.Helper()
	ctx := t.Context()
	_, look := s.Changes(ctx, authz.Point{}, 0)
	_, _, read := s.Read(ctx, []authz.Key{{Kind: authz.KindTool, ID: "wan"}})
	_, write := s.Update(ctx, func(tx directory.Tx) error { return tx.PutTool(directory.Tool{ID: "new"}) })
	for what, err := range map[string]error{"look": look, "read": read, "write": write} {
		if !errors.Is(err, want) || want != nil && !strings.Contains(err.Error(), "was moved away or replaced") {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
}
