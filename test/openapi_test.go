package test

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/managementapi"
	"github.com/postern-authz/postern/internal/openapitest"
	"github.com/postern-authz/postern/internal/ops"
)

// checkers know what each listener may answer.
var checkers = sync.OnceValues(func() (map[string]*openapitest.Checker, error) {
	all := map[string]*openapitest.Checker{}
	for listener, document := range map[string][]byte{"decisions": decisionapi.Document, "management": managementapi.Document, "ops": ops.Document} {
		c, err := openapitest.New(document)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", listener, err)
		}
		all[listener] = c
	}
	return all, nil
})

// conforms says what of an answer is not as the OpenAPI file of the listener has
// it.
func conforms(listener string, x exchange) error {
	all, err := checkers()
	if err != nil {
		return err
	}
	req, err := http.NewRequest(x.method, x.url, nil)
	if err != nil {
		return err
	}
	return all[listener].Check(req, x.status, x.header, []byte(x.body))
}
