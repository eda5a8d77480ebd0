package proxyauth

import (
	"bufio"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/openapitest"
)

var checker = sync.OnceValues(func() (*openapitest.Checker, error) { return openapitest.New(decisionapi.Document) })

// conforms checks an answer, and a request that was let through, against the
// OpenAPI file of the listener.
func conforms(t *testing.T, lines []string, resp *http.Response, body []byte) {
	t.Helper()
	c, err := checker()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(lines, "\r\n") + "\r\n\r\n")))
	if err != nil || req.Method == http.MethodHead || req.URL.Host != "" {
		return // no request that the file could have
	}
	if err := c.Check(req, resp.StatusCode, resp.Header, body); err != nil {
		t.Error(err)
	}
	if resp.StatusCode != http.StatusOK {
		return
	}
	if err := c.CheckRequest(req, nil); err != nil {
		t.Error(err)
	}
}
