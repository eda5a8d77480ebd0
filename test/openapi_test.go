package test

import (
	"net/http"
	"sync"

	"github.com/postern-authz/postern/internal/managementapi"
	"github.com/postern-authz/postern/internal/openapitest"
)

// checker knows what the management listener may answer.
var checker = sync.OnceValues(func() (*openapitest.Checker, error) {
	return openapitest.New(managementapi.Document)
})

// conforms says what of an answer is not as the OpenAPI file has it.
func conforms(x exchange) error {
	c, err := checker()
	if err != nil {
		return err
	}
	req, err := http.NewRequest(x.method, x.url, nil)
	if err != nil {
		return err
	}
	return c.Check(req, x.status, x.header, []byte(x.body))
}
