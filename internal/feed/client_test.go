package feed_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/feed"
)

// asking is a client of a server that answers with what say returns.
func asking(t *testing.T, say func(*http.Request) any) *feed.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(say(r))
	}))
	t.Cleanup(server.Close)
	c := feed.NewClient(feed.Options{URLs: []string{server.URL}, Token: "t"})
	t.Cleanup(c.Close)
	if _, err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Of several listeners one may be of another directory, by mistake: its app keys
// open nothing here, nor does a key that nobody asked for.
func TestAnAppKeyOfAnotherDirectoryIsNotUsed(t *testing.T) {
	for name, key := range map[string]feed.AppKey{
		"of another directory": {Directory: "theirs", ID: "app"},
		"of none":              {ID: "app"},
		"of another id":        {Directory: "ours", ID: "other"},
	} {
		c := asking(t, func(r *http.Request) any {
			if strings.HasPrefix(r.URL.Path, feed.PathAppKeys) {
				return key
			}
			return feed.State{Directory: "ours"}
		})
		if k, err := c.AppKey(t.Context(), "app"); !errors.Is(err, authz.ErrUnavailable) {
			t.Errorf("%s: got %+v, %v, want one of kind %v", name, k, err, authz.ErrUnavailable)
		}
	}
}

// The directory moves on between the parts: those of before are read again.
func TestAllPartsOfARequestAreOfOnePoint(t *testing.T) {
	for name, changes := range map[string]int64{"once": 1, "all the time": 1 << 40} {
		var reads atomic.Int64
		c := asking(t, func(r *http.Request) any {
			if r.URL.Path != feed.PathDocuments {
				return feed.State{Directory: "ours"}
			}
			var q feed.Query
			if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
				t.Error(err)
			}
			revision := authz.Revision(min(reads.Add(1), changes+1))
			docs := make([]authz.Document, len(q.Keys))
			for i := range docs {
				docs[i].User = &authz.User{Memberships: []authz.Membership{}, Removed: revision > 1}
			}
			return feed.Documents{Directory: "ours", AsOf: authz.Point{Revision: revision, Stamp: 1}, Documents: docs}
		})
		docs, at, err := c.Read(t.Context(), make([]authz.Key, 2*feed.MaxKeys))
		if name == "all the time" {
			if !errors.Is(err, authz.ErrUnavailable) {
				t.Errorf("%s: got %v, want one of kind %v", name, err, authz.ErrUnavailable)
			}
			continue
		}
		if err != nil || at.Revision != 2 || !docs[0].User.Removed || !docs[len(docs)-1].User.Removed {
			t.Errorf("%s: got point %v, %v, want all of revision 2", name, at, err)
		}
	}
}
