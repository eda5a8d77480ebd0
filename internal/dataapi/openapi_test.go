package dataapi

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/openapitest"
)

var checker = sync.OnceValues(func() (*openapitest.Checker, error) { return openapitest.New(decisionapi.Document) })

// conforms checks an answer, and a request that was answered well, against the
// OpenAPI file of the listener.
func conforms(t testing.TB, asked *http.Request, body string, resp *http.Response, text []byte) {
	t.Helper()
	c, err := checker()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(asked.Method, "http://localhost"+asked.RequestURI, nil)
	if err != nil || strings.Contains(asked.RequestURI, "//") {
		return // a path that OpenAPI cannot have
	}
	req.Header = asked.Header
	err = c.Check(req, resp.StatusCode, resp.Header, text)
	if err == nil && resp.StatusCode < 300 {
		err = c.CheckRequest(req, []byte(body))
	}
	if err != nil {
		t.Error(err)
	}
}
