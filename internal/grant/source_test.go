package grant_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/store/storetest"
)

// A source is a directory that keeps every state it was ever in, and can be
// slow, cut off, forgetful, or restored from a backup.
type source struct {
	mu        sync.Mutex
	states    []map[authz.Key]authz.Document // by revision
	changed   [][]authz.Key                  // by revision
	points    []authz.Point                  // by revision
	stamp     uint64                         // of the last write
	committed []time.Time                    // by revision
	oldest    authz.Revision                 // changes up to here are no longer listed
	listed    int                            // accounts that a user's document lists; one with more is narrow

	before, after time.Duration // of a read: until it happens, and until it is told
	telling       time.Duration // of a read alone, until it is told
	readErr       error
	changesErr    error
	hang          bool // reads and looks at the change log wait for their deadline
	locked        bool // reads and looks at the change log take 5 s, whatever their deadline
	reads         int
	onRead        func() // between the reading and the telling
}

var errCut = errors.New("connection refused")

func newSource(m model) *source {
	s := &source{listed: 1000}
	s.write(m)
	return s
}

// newNarrow is a source whose users have documents with few accounts.
func newNarrow(m model, listed int) *source {
	s := newSource(m)
	s.listed = listed
	return s
}

// write makes m the next state and returns its revision.
func (s *source) write(m model) authz.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(m.documents())
}

func (s *source) commit(docs map[authz.Key]authz.Document) authz.Revision {
	var last map[authz.Key]authz.Document
	if n := len(s.states); n > 0 {
		last = s.states[n-1]
	}
	var keys []authz.Key
	for key := range union(docs, last) {
		if !reflect.DeepEqual(docs[key], last[key]) {
			keys = append(keys, key)
		}
	}
	s.states = append(s.states, docs)
	s.changed = append(s.changed, keys)
	s.points = append(s.points, authz.Point{Revision: authz.Revision(len(s.points)), Stamp: s.stamp})
	s.stamp++
	s.committed = append(s.committed, time.Now())
	return authz.Revision(len(s.states) - 1)
}

func union(a, b map[authz.Key]authz.Document) map[authz.Key]bool {
	keys := map[authz.Key]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return keys
}

// restore loses everything after a revision.
func (s *source) restore(r authz.Revision) {
	s.set(func() {
		s.states, s.changed, s.committed, s.points = s.states[:r+1], s.changed[:r+1], s.committed[:r+1], s.points[:r+1]
	})
}

func (s *source) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *source) head() authz.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return authz.Revision(len(s.states) - 1)
}

// count is how many reads there were.
func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// wait is how a call behaves on the way to the directory.
func (s *source) wait(ctx context.Context, err error) (after time.Duration, _ error) {
	s.mu.Lock()
	before, after, hang, locked := s.before, s.after, s.hang, s.locked
	s.mu.Unlock()
	switch {
	case locked:
		time.Sleep(5 * time.Second)
		return 0, errCut
	case hang:
		<-ctx.Done()
		return 0, ctx.Err()
	case err != nil:
		return 0, err
	}
	return after, sleep(ctx, before)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *source) Read(ctx context.Context, keys []authz.Key) ([]authz.Document, authz.Point, error) {
	s.mu.Lock()
	s.reads++
	err := s.readErr
	s.mu.Unlock()
	after, err := s.wait(ctx, err)
	if err != nil {
		return nil, authz.Point{}, err
	}
	s.mu.Lock()
	at := s.points[len(s.points)-1]
	docs := make([]authz.Document, len(keys))
	for i, key := range keys {
		docs[i] = s.document(s.states[at.Revision], key)
	}
	onRead := s.onRead
	after += s.telling
	s.mu.Unlock()
	if onRead != nil {
		onRead()
	}
	return docs, at, sleep(ctx, after)
}

// document is what a state has by a key.
func (s *source) document(state map[authz.Key]authz.Document, key authz.Key) authz.Document {
	user, account := key.UserAccount()
	switch {
	case key.Kind == authz.KindLogin: // A-Z as a-z, as usernames are
		return state[authz.Key{Kind: key.Kind, ID: strings.ToLower(key.ID)}]
	case user != "":
		return storetest.PartOf(state[key.Logged()], account)
	}
	return storetest.Narrowed(state[key], s.listed)
}

// Changes begins at the zero Point as a directory does that was never written,
// and lists the first state too.
func (s *source) Changes(ctx context.Context, after authz.Point, _ time.Duration) (authz.Changes, error) {
	s.mu.Lock()
	err := s.changesErr
	s.mu.Unlock()
	wait, err := s.wait(ctx, err)
	if err != nil {
		return authz.Changes{}, err
	}
	s.mu.Lock()
	c := authz.Changes{Head: s.points[len(s.points)-1]}
	c.Lost = after.Revision > c.Head.Revision || after.Stamp != 0 && after != s.points[after.Revision]
	c.Reset = c.Lost || after.Revision < s.oldest
	for r := after.Revision + 1; r <= c.Head.Revision && !c.Reset; r++ {
		if len(c.Points) == 0 {
			c.WrittenAt = s.committed[r]
		}
		c.Points = append(c.Points, s.points[r])
		for _, key := range s.changed[r] {
			c.Keys = append(c.Keys, authz.Change{Revision: r, Key: key})
		}
	}
	s.mu.Unlock()
	return c, sleep(ctx, wait)
}
