package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
)

func testFollowers(t *testing.T, newDSN func(testing.TB) string) {
	ctx := context.Background()

	t.Run("a follower of 8 writers misses nothing (D9)", func(t *testing.T) { testParallelWriters(t, Open(t, newDSN(t))) })
	t.Run("too many changes at once are a reset", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, tool("one"))
		var records []any
		for i := range 1001 {
			records = append(records, tool(fmt.Sprint(i)))
		}
		update(t, s, records[:1000]...)
		if got := changesAfter(t, s, 1); got.Reset || len(got.Keys) != 1000 {
			t.Errorf("1000: got reset %v and %d keys", got.Reset, len(got.Keys))
		}
		update(t, s, restricted(records)...)
		if got := changesAfter(t, s, 2); !got.Reset || got.Head.Revision != 3 || got.Keys != nil {
			t.Errorf("1001: got %+v, want a reset at 3", got)
		}
		if got := changesAfter(t, s, 3); got.Reset || got.Head.Revision != 3 || got.Keys != nil {
			t.Errorf("afterwards: got %+v, want nothing at 3", got)
		}
	})
	t.Run("a directory that went backwards is a reset", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, tool("one"))
		if got := changesAfter(t, s, 2); !got.Reset || !got.Lost || got.Head.Revision != 1 {
			t.Errorf("got %+v, want a reset at 1", got)
		}
	})
	t.Run("a directory that was written again past its old head is a reset", func(t *testing.T) {
		dsn := newDSN(t)
		s, db := Open(t, dsn), rawOpen(t, dsn)
		update(t, s, tool("one"))
		update(t, s, tool("two"))
		before := changesAfter(t, s, 0)
		for _, statement := range []string{"DELETE FROM changes WHERE revision = 2", "UPDATE directory SET revision = 1"} {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		update(t, s, tool("three"))
		update(t, s, tool("four"))
		got, err := s.Changes(ctx, before.Head, 0)
		if err != nil || !got.Reset || !got.Lost || got.Head.Revision != 3 {
			t.Errorf("after the head that was lost: got %+v, %v, want a loss at 3", got, err)
		}
		got, err = s.Changes(ctx, before.Points[0], 0)
		if err != nil || got.Reset || len(got.Points) != 2 || got.Points[1] != got.Head {
			t.Errorf("after a point of both histories: got %+v, %v, want two points", got, err)
		}
	})
	t.Run("a follower is served while every reader is busy", func(t *testing.T) {
		s := open(t, store.Options{DSN: newDSN(t), ReadConns: 1})
		err := s.View(ctx, func(directory.Reader) error {
			update(t, s, tool("one"))
			if got := changesAfter(t, s, 0); got.Head.Revision != 1 || len(got.Keys) != 1 {
				t.Errorf("got %+v, want one change", got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("the log says when the oldest of its changes was written", func(t *testing.T) { testWritten(t, newDSN(t)) })
	t.Run("the log forgets the oldest and tells who needs them", func(t *testing.T) {
		s := open(t, store.Options{DSN: newDSN(t), ChangeLog: 10})
		for i := range 260 {
			update(t, s, directory.Tool{ID: "t", Restricted: i%2 == 0})
		}
		if got := changesAfter(t, s, 250); !got.Reset {
			t.Errorf("after what was forgotten: got %+v, want a reset", got)
		}
		if got := changesAfter(t, s, 251); got.Reset || len(got.Keys) != 9 || len(got.Points) != 9 {
			t.Errorf("after what is left: got %d keys, reset %v, want 9", len(got.Keys), got.Reset)
		}
	})
}

// testWritten reads changes of which one is by an older Postern, which says
// nothing about when, while servers are upgraded in turn.
func testWritten(t *testing.T, dsn string) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	s, db := open(t, store.Options{DSN: dsn, Now: func() time.Time { return now }}), rawOpen(t, dsn)
	first := now.Truncate(time.Millisecond)
	update(t, s, tool("one"))
	now = now.Add(time.Minute)
	update(t, s, tool("two"))
	for _, statement := range []string{"UPDATE directory SET revision = 3", "INSERT INTO changes (revision, seq, kind, key) VALUES (3, 0, 'stamp', 'a'), (3, 1, 'tool', 'three')"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Minute)
	update(t, s, tool("four"))
	for after, want := range []time.Time{first, first.Add(time.Minute), {}, first.Add(2 * time.Minute), {}} {
		if got := changesAfter(t, s, authz.Revision(after)); got.Head.Revision != 4 || !got.WrittenAt.Equal(want) {
			t.Errorf("after %d: got %v at %d, want %v at 4", after, got.WrittenAt, got.Head.Revision, want)
		}
	}
	if got := changesAfter(t, s, 5); !got.Reset || !got.WrittenAt.IsZero() {
		t.Errorf("a reset: got %+v, want no time", got)
	}
	told, err := s.Tell(t.Context(), authz.Point{Revision: 1})
	if err != nil || !told.WrittenAt.Equal(first.Add(time.Minute)) {
		t.Errorf("told: got %v, %v, want %v", told.WrittenAt, err, first.Add(time.Minute))
	}
	checkWrittenAtTheEnd(t, s, &now)
}

// checkWrittenAtTheEnd wants an import to be written when it ends.
func checkWrittenAtTheEnd(t *testing.T, s *store.Store, now *time.Time) {
	t.Helper()
	at, err := s.Update(t.Context(), func(tx directory.Tx) error {
		*now = now.Add(time.Hour)
		return tx.PutTool(tool("five"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := changesAfter(t, s, at-1).WrittenAt; !got.Equal(now.Truncate(time.Millisecond)) {
		t.Errorf("an import that took an hour: got %v, want its end %v", got, now)
	}
}

func tool(id string) directory.Tool { return directory.Tool{ID: id, Name: "Tool " + id} }

// restricted are the tools with their restriction changed.
func restricted(tools []any) []any {
	changed := make([]any, len(tools))
	for i, record := range tools {
		tool := record.(directory.Tool)
		tool.Restricted = true
		changed[i] = tool
	}
	return changed
}

// testParallelWriters lets writers write and a follower follow at the same time;
// in the end it has seen, for each revision, what its writer changed.
func testParallelWriters(t *testing.T, s *store.Store) {
	const writers, each = 8, 25
	var mu sync.Mutex
	wrote := map[authz.Revision]authz.Key{}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				record := directory.Tool{ID: fmt.Sprint("tool", w), Restricted: i%2 == 0}
				revision, err := s.Update(context.Background(), putting(record))
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				mu.Lock()
				wrote[revision] = authz.Key{Kind: authz.KindTool, ID: record.ID}
				mu.Unlock()
			}
		})
	}
	saw := follow(t, s, writers*each)
	group.Wait()
	for revision := authz.Revision(1); revision <= writers*each; revision++ {
		if saw[revision] != wrote[revision] || saw[revision] == (authz.Key{}) {
			t.Errorf("revision %d: saw %v, wrote %v", revision, saw[revision], wrote[revision])
		}
	}
}

// follow polls until the directory is at the revision.
func follow(t *testing.T, s *store.Store, until authz.Revision) map[authz.Revision]authz.Key {
	saw := map[authz.Revision]authz.Key{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for at := authz.Revision(0); at < until; {
		changes, err := s.Changes(ctx, authz.Point{Revision: at}, 0)
		if err != nil {
			t.Fatalf("follow after %d: %v", at, err)
		}
		for _, change := range changes.Keys {
			saw[change.Revision] = change.Key
		}
		at = changes.Head.Revision
	}
	return saw
}
