package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/store"
)

func testSchema(t *testing.T, newDSN func(testing.TB) string) {
	ctx := context.Background()

	t.Run("a database without a schema is behind", func(t *testing.T) {
		s, err := store.Open(ctx, store.Options{DSN: newDSN(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close() //nolint:errcheck // it only read
		if err := s.CheckSchema(ctx); !errors.Is(err, store.ErrSchemaBehind) || !strings.Contains(err.Error(), "postern migrate") {
			t.Errorf("got %v, want one that is behind and what to do", err)
		}
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.CheckSchema(ctx), s.Prepare(ctx), s.Migrate(ctx)); err != nil {
			t.Errorf("after migrating: got %v", err)
		}
	})
	t.Run("a newer schema is left alone", func(t *testing.T) {
		dsn := newDSN(t)
		s, db := Open(t, dsn), rawOpen(t, dsn)
		if _, err := db.Exec(`INSERT INTO schema_versions (version_id, is_applied) VALUES (9999, TRUE)`); err != nil {
			t.Fatal(err)
		}
		for _, check := range []func(context.Context) error{s.CheckSchema, s.Prepare, s.Migrate} {
			if err := check(ctx); !errors.Is(err, store.ErrSchemaAhead) || !strings.Contains(err.Error(), "9999") {
				t.Errorf("got %v, want one that is ahead, with the version", err)
			}
		}
	})
	t.Run("several processes migrate at once", func(t *testing.T) {
		dsn := newDSN(t)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				s, err := store.Open(ctx, store.Options{DSN: dsn})
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(s.Migrate(ctx), s.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got := revisionOf(t, Open(t, dsn)); got != 0 {
			t.Errorf("revision: got %d, want 0", got)
		}
	})
	t.Run("what was written is there when the database is opened again", func(t *testing.T) {
		dsn := newDSN(t)
		s := Open(t, dsn)
		update(t, s, portal()...)
		again := Open(t, dsn)
		id, err := s.DirectoryID(ctx)
		againID, againErr := again.DirectoryID(ctx)
		if err := errors.Join(err, againErr); err != nil {
			t.Fatal(err)
		}
		if revisionOf(t, again) != 1 || id != againID || userOf(t, again, "dana") == nil {
			t.Errorf("got revision %d of directory %s, want 1 of %s", revisionOf(t, again), againID, id)
		}
	})
	t.Run("a closed store says that it is unavailable or closed", func(t *testing.T) {
		s, err := store.Open(ctx, store.Options{DSN: newDSN(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(ctx); err == nil {
			t.Error("got no error")
		}
		if _, _, err := s.Read(ctx, []authz.Key{{Kind: authz.KindTool, ID: "x"}}); err == nil {
			t.Error("got no error")
		}
	})
}
