package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A front stands before the decision listener: it passes on what it is asked, or
// answers in its place.
type front struct {
	server      *httptest.Server
	connections atomic.Int64
	requests    atomic.Int64
	close       func()

	mu      sync.Mutex
	instead answerer    // guarded by mu
	header  http.Header // of the last request; guarded by mu
}

// An answerer answers a request, or says that it does not.
type answerer func(http.ResponseWriter, *http.Request) bool

func newFront(t *testing.T, socket string) *front {
	t.Helper()
	f := &front{}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "localhost"})
	proxy.Transport = transport
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		if instead := f.note(r); instead == nil || !instead(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	f.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.connections.Add(1)
		}
	}
	f.server.Start()
	f.close = sync.OnceFunc(func() {
		f.server.CloseClientConnections()
		f.server.Close()
		transport.CloseIdleConnections()
	})
	t.Cleanup(f.close)
	return f
}

func (f *front) note(r *http.Request) answerer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.header = r.Header.Clone()
	return f.instead
}

// last is the header of the last request.
func (f *front) last() http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.header
}

// answer makes a answer from now on; nil: the server itself.
func (f *front) answer(a answerer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = a
}

// once answers the first request alone.
func once(a answerer) answerer {
	var done atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) bool {
		return done.CompareAndSwap(false, true) && a(w, r)
	}
}

// says answers 200 with a body.
func says(body string) answerer {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, body)
		return true
	}
}

// hangs answers when nobody waits any more.
func hangs(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body) // before that, the server does not notice that the client goes
	<-r.Context().Done()
	return true
}

// wrongAnswers are what no server should say and an application has to survive.
func wrongAnswers() map[string]answerer {
	all := map[string]answerer{
		"a 500":                coded(http.StatusInternalServerError),
		"a 401":                coded(http.StatusUnauthorized),
		"a 201 that allows":    coded(http.StatusCreated),
		"a redirect":           redirected,
		"a body that is cut":   shortened,
		"another media type":   typed("text/html"),
		"no media type":        typed(""),
		"five megabytes":       says(`{"decision":true,"context":{"text":"` + strings.Repeat("x", 5<<20) + `"}}`),
		"a closed connection":  hungUp,
		"a 503 without a time": coded(http.StatusServiceUnavailable),
	}
	for _, body := range []string{
		``, `null`, `true`, `[]`, `[true]`, `{}`, `{"decision":"true"}`, `{"decision":1}`, `{"decision":null}`, `{"Decision":true}`, `{"allow":true}`, `{"result":true}`,
		`{"decision":true`, `{"decision":true} true`, `<html></html>`, `{"decision":true,"context":7}`, `{"decision":true,"context":[]}`, `{"decision":true,"context":"x"}`,
		`{"decision":true,"context":{"error":{"status":500,"message":"x"}}}`, `{"decision":true,"context":{"obligations":{}}}`, `{"decision":true,"context":{"obligations":"redact"}}`,
		`{"decision":true,"context":{"obligations":[{"id":"call_home"}]}}`, `{"decision":true,"context":{"obligations":[7]}}`, `{"decision":true,"context":{"obligations":[{}]}}`,
	} {
		all["the body "+body] = says(body)
	}
	return all
}

func coded(status int) answerer {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		return says(`{"decision":true}`)(w, r)
	}
}

func typed(media string) answerer {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header()["Content-Type"] = []string{media}
		_, _ = fmt.Fprint(w, `{"decision":true}`)
		return true
	}
}

func redirected(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/elsewhere" {
		return says(`{"decision":true}`)(w, r)
	}
	http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	return true
}

func shortened(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Length", "100")
	return says(`{"decision":true}`)(w, r)
}

func hungUp(w http.ResponseWriter, _ *http.Request) bool {
	panic(http.ErrAbortHandler)
}
