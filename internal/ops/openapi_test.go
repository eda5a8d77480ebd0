package ops

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/openapitest"
)

// TestTheRoutesAndTheFileSayTheSame compares what is served with the OpenAPI file,
// both ways, and the answers with what it says of them.
func TestTheRoutesAndTheFileSayTheSame(t *testing.T) {
	checker, err := openapitest.New(Document)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Registry: NewRegistry(ReadBuild()), Build: ReadBuild(), Pprof: true, Log: slog.New(slog.DiscardHandler)}
	s := New(o)
	served := s.handlers(o)
	said := checker.Document().Paths.Map()
	const below = "/debug/pprof/{profile}" // which the handler of /debug/pprof/ serves
	for path := range served {
		if said[path] == nil || said[path].Get == nil {
			t.Errorf("GET %s is served, and the file does not have it", path)
		}
	}
	for path := range said {
		if served[path] == nil && path != below {
			t.Errorf("the file has %s, which is not served", path)
		}
		if strings.HasPrefix(path, "/debug/") {
			continue // these are Go's own, and take their time
		}
		for _, query := range []string{"", "?verbose"} {
			req := httptest.NewRequest("GET", path+query, nil)
			answer := httptest.NewRecorder()
			s.http.Handler.ServeHTTP(answer, req)
			body, err := io.ReadAll(answer.Body)
			if err == nil {
				err = checker.Check(req, answer.Code, answer.Header(), body)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}
