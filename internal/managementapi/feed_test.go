package managementapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/feed"
)

// clientOf reads the feed of a listener as a server without a database does.
func clientOf(t *testing.T, l *listener, token string, more ...string) *feed.Client {
	t.Helper()
	c := feed.NewClient(feed.Options{URLs: append(more, l.base), Token: token})
	t.Cleanup(c.Close)
	return c
}

func TestAServerWithoutADatabaseReadsWhatTheDirectoryHolds(t *testing.T) {
	l := listen(t, Options{})
	c := clientOf(t, l, "replicate")
	state, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := state.ServiceTokenExpiresAt; !got.Equal(tokenEnd()) {
		t.Errorf("got a service token that ends at %v, want %v", got, tokenEnd())
	}
	login := authz.LoginKey("regina")
	keys := []authz.Key{login, {Kind: authz.KindAccount, ID: "a-1"}, {Kind: authz.KindAccountGroup, ID: "globex-sites"}, {Kind: authz.KindTool, ID: "wan_analysis"}, {Kind: authz.KindUser, ID: "nobody"}}
	docs, err := read1(t, l, login)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, authz.Key{Kind: authz.KindUser, ID: docs.Login})
	got, at, err := c.Read(t.Context(), keys)
	want, wantAt, wantErr := l.store.Read(t.Context(), keys)
	if err != nil || wantErr != nil || at != wantAt || at != state.Head || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v at %v, %v; want %+v at %v, %v", got, at, err, want, wantAt, wantErr)
	}
	changes, err := c.Changes(t.Context(), authz.Point{}, 0)
	all, wantErr := l.store.Changes(t.Context(), authz.Point{}, 0)
	if err != nil || wantErr != nil || !reflect.DeepEqual(changes, all) {
		t.Errorf("got %+v, %v; want %+v, %v", changes, err, all, wantErr)
	}
}

func read1(t *testing.T, l *listener, key authz.Key) (authz.Document, error) {
	t.Helper()
	docs, _, err := l.store.Read(t.Context(), []authz.Key{key})
	return docs[0], err
}

func TestALookWaitsUntilSomethingChanges(t *testing.T) {
	l := listen(t, Options{})
	c := clientOf(t, l, "replicate")
	state, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	none, err := c.Changes(t.Context(), state.Head, 300*time.Millisecond)
	if err != nil || none.Head != state.Head || len(none.Keys) > 0 || none.Held < 300*time.Millisecond || time.Since(begin) < none.Held {
		t.Errorf("without a change: got %+v after %s, %v; want nothing after 300ms", none, time.Since(begin), err)
	}
	time.AfterFunc(50*time.Millisecond, func() { l.put(`{"type":"tool","id":"vpn","name":"VPN"}`) })
	some, err := c.Changes(t.Context(), state.Head, 2*time.Second)
	if err != nil || len(some.Keys) != 1 || some.Held > 1500*time.Millisecond {
		t.Errorf("with a change: got %+v, %v; want one key, soon", some, err)
	}
}

func TestWhoMayNotFollowIsToldSo(t *testing.T) {
	l := listen(t, Options{})
	for who, kind := range map[string]error{"sync": authz.ErrForbidden, "identity": authz.ErrForbidden, "paula": authz.ErrForbidden, "olga": authz.ErrForbidden, "stranger": authz.ErrUnauthenticated} {
		if _, err := clientOf(t, l, who).Open(t.Context()); !errors.Is(err, kind) {
			t.Errorf("%s: got %v, want one of kind %v", who, err, kind)
		}
	}
	if _, err := clientOf(t, l, "replicate").AppKey(t.Context(), "nosuch"); !errors.Is(err, authz.ErrNotFound) {
		t.Errorf("a key that there is not: got %v, want one of kind %v", err, authz.ErrNotFound)
	}
	if _, err := clientOf(t, l, "sync").AppKey(t.Context(), "nosuch"); !errors.Is(err, authz.ErrUnavailable) || errors.Is(err, authz.ErrForbidden) {
		t.Errorf("a key, to who may not follow: got %v, want one of kind %v", err, authz.ErrUnavailable)
	}
	for _, path := range []string{"?after=12", "?after=0-0&wait=-1", "?after=0-0&wait=9999", "?after=00-0", ""} {
		l.as("replicate", http.MethodGet, feed.PathChanges+path, "").wants(http.StatusBadRequest, "")
	}
}

// silent is the URL of a listener that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

// A listener that refuses connections or says nothing costs no answer: the next
// one is asked, and from then on first.
func TestAnotherListenerIsAskedWhenOneDoesNotAnswer(t *testing.T) {
	l := listen(t, Options{})
	silent := silent(t)
	for _, away := range []string{"http://127.0.0.1:1", silent} {
		c := clientOf(t, l, "replicate", away)
		state, err := c.Open(t.Context())
		if err != nil {
			t.Fatalf("%s: got %v", away, err)
		}
		c = clientOf(t, l, "replicate", away)
		begin := time.Now()
		if _, at, err := c.Read(t.Context(), []authz.Key{authz.LoginKey("regina")}); err != nil || at != state.Head || time.Since(begin) > time.Second {
			t.Errorf("%s: got %v, %v after %v, want %v", away, at, err, time.Since(begin), state.Head)
		}
		begin = time.Now()
		seen, err := c.Changes(t.Context(), state.Head, 100*time.Millisecond)
		if took := time.Since(begin); err != nil || seen.Held < 100*time.Millisecond || seen.Held > took {
			t.Errorf("%s: got %+v, %v after %v, want one that was held for 100ms", away, seen, err, took)
		}
	}
}

// A look at a listener that says nothing is had elsewhere, and counts from when
// that was asked.
func TestALookAtASilentListenerIsHadElsewhere(t *testing.T) {
	l := listen(t, Options{})
	silent := silent(t)
	const wait = 200 * time.Millisecond
	begin := time.Now()
	seen, err := clientOf(t, l, "replicate", silent).Changes(t.Context(), authz.Point{}, wait)
	if took := time.Since(begin); err != nil || seen.Head == (authz.Point{}) || seen.Held < wait || seen.Held > took || took > wait+time.Second {
		t.Errorf("got %v held for %v, %v after %v, want one that was asked for after %v", seen.Head, seen.Held, err, took, wait)
	}
}

// A batch of decisions may need more documents than one request may ask for.
func TestWhatIsTooMuchForOneRequestIsReadInParts(t *testing.T) {
	l := listen(t, Options{})
	c := clientOf(t, l, "replicate")
	if _, err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, length := range map[string]int{"long ids": authz.MaxID, "short ids": 8} {
		keys := make([]authz.Key, 10_500)
		for i := range keys {
			keys[i] = authz.Key{Kind: authz.KindAccount, ID: fmt.Sprintf("%s%06d", strings.Repeat("<", length), i)}
		}
		keys[0].ID, keys[10_499].ID = "a-1", "a-2"
		docs, _, err := c.Read(t.Context(), keys)
		if err != nil || len(docs) != len(keys) || docs[0].Place == nil || docs[10_499].Place == nil || docs[1].Place != nil {
			t.Errorf("%s: got %d documents, %v, want %d, of which the first and the last are known", name, len(docs), err, len(keys))
		}
	}
}
