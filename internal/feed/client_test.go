package feed_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// While servers are upgraded in turn, one that is asked may be older or newer.
func TestALookIsUnderstoodWhicheverPosternAnswers(t *testing.T) {
	written := time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	for name, tt := range map[string]struct {
		more string
		want time.Time
	}{
		"this one":                         {`,"written_at":"2026-03-01T12:00:00.123Z"`, written},
		"an older one, which says no time": {``, time.Time{}},
		"a newer one, which says more":     {`,"written_at":"2026-03-01T12:00:00.123Z","written_by":{"host":"a"}`, written},
	} {
		c := asking(t, func(r *http.Request) any {
			if r.URL.Path != feed.PathChanges {
				return feed.State{Directory: "ours"}
			}
			return json.RawMessage(`{"directory":"ours","head":{"revision":2,"stamp":"7"},"points":[{"revision":2,"stamp":"7"}],"held_ms":0` + tt.more + `}`)
		})
		got, err := c.Changes(t.Context(), authz.Point{Revision: 1, Stamp: 1}, 0)
		if err != nil || got.Head != (authz.Point{Revision: 2, Stamp: 7}) || len(got.Points) != 1 || !got.WrittenAt.Equal(tt.want) {
			t.Errorf("%s: got %+v, %v, want point 2-7, written at %v", name, got, err, tt.want)
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

// T19: what is at the URL by mistake may say again what it is sent.
func TestNoErrorRepeatsTheToken(t *testing.T) {
	const token = "st_canary_of_a_sidecar"
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_ = json.NewEncoder(w).Encode(map[string]string{"detail": "no route for " + r.Header.Get("Authorization")})
	}))
	t.Cleanup(echo.Close)
	c := feed.NewClient(feed.Options{URLs: []string{echo.URL}, Token: token})
	t.Cleanup(c.Close)
	if _, err := c.Open(t.Context()); err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "no route for Bearer [redacted]") {
		t.Errorf("got %v, want what was answered but for the token", err)
	}
}
