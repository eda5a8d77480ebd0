package decisionapi

import (
	"net/http"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/openapitest"
)

var checker = sync.OnceValues(func() (*openapitest.Checker, error) { return openapitest.New(Document) })

// checked checks all that goes through a transport against the OpenAPI file.
func checked(t testing.TB, next *http.Transport) http.RoundTripper {
	t.Helper()
	c, err := checker()
	if err != nil {
		t.Fatal(err)
	}
	return &transport{openapitest.Transport{Checker: c, Next: next, Fail: func(err error) { t.Error(err) }}, next}
}

// A transport closes the connections of the one below it.
type transport struct {
	openapitest.Transport
	below *http.Transport
}

func (t *transport) CloseIdleConnections() { t.below.CloseIdleConnections() }

func TestTheDocumentIsServed(t *testing.T) {
	l := listen(t, Options{})
	if got := l.send(t, "GET", "/openapi.json", ""); got.StatusCode != http.StatusOK || got.body != string(Document) {
		t.Errorf("got %d %.80s, want the file", got.StatusCode, got.body)
	}
}
