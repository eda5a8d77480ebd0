package test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/util"
)

// traefikFile is what the emulation needs of deploy/proxies/traefik/dynamic.yaml.
type traefikFile struct {
	HTTP struct {
		Routers     map[string]struct{ Middlewares []string }
		Middlewares map[string]struct {
			Headers     struct{ CustomRequestHeaders map[string]string }
			ForwardAuth struct {
				Address                                 string
				TrustForwardHeader                      bool
				AuthRequestHeaders, AuthResponseHeaders []string
			}
		}
	}
}

// TestTraefikAsksAsItsFileSays emulates the middlewares of the shipped file:
// clean empties headers, and forwardAuth sends a GET with the listed headers and
// its own X-Forwarded-*, then replaces the listed headers by those of a 2xx.
func TestTraefikAsksAsItsFileSays(t *testing.T) {
	t.Parallel()
	var file traefikFile
	shippedYAML(t, "traefik/dynamic.yaml", &file)
	auth, clean := file.HTTP.Middlewares["postern"].ForwardAuth, file.HTTP.Middlewares["clean"].Headers.CustomRequestHeaders
	if got := file.HTTP.Routers["portal"].Middlewares; !slices.Equal(got, []string{"clean", "postern"}) || auth.TrustForwardHeader {
		t.Errorf("got the middlewares %q, trusting forwarded headers: %v", got, auth.TrustForwardHeader)
	}
	if value, ok := clean["Remote-User"]; !ok || value != "" {
		t.Errorf("the client's Remote-User is not taken away")
	}
	if auth.Address != "http://127.0.0.1:8181/authz/forward-auth" {
		t.Errorf("it asks %q", auth.Address)
	}
	s, idp := portalServer(t)
	ask := func(method, uri, token string) *http.Response {
		client := http.Header{"Authorization": {"Bearer " + token}, "Remote-User": {"paula"}, "X-Forwarded-Uri": {"/health"}, "X-Postern-Subject": {"paula"}}
		asked := http.Header{"X-Forwarded-Method": {method}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"portal.example"}, "X-Forwarded-Uri": {uri}, "X-Forwarded-For": {"192.0.2.7"}}
		for _, name := range auth.AuthRequestHeaders {
			if _, cleaned := clean[name]; !cleaned && len(client.Values(name)) > 0 {
				asked[http.CanonicalHeaderKey(name)] = client.Values(name)
			}
		}
		return sendTo(t, s, http.MethodGet, "/authz/forward-auth", "postern", asked)
	}
	answersAs(t, ask, idp)
	resp := ask("GET", services, idp.token("rosa", nil, nil))
	for _, name := range auth.AuthResponseHeaders {
		if len(resp.Header.Values(name)) != 1 {
			t.Errorf("%s is not in the answer, so the client's would be gone and nothing in its place", name)
		}
	}
}

// envoyFile is what the emulation needs of deploy/proxies/envoy/envoy.yaml.
type envoyFile struct {
	StaticResources struct {
		Listeners []struct {
			FilterChains []struct {
				Filters []struct {
					TypedConfig struct {
						HTTPFilters []struct {
							Name        string
							TypedConfig struct {
								FailureModeAllow bool `json:"failure_mode_allow"`
								HTTPService      struct {
									PathPrefix string `json:"path_prefix"`
								} `json:"http_service"`
								AllowedHeaders struct{ Patterns []struct{ Exact string } } `json:"allowed_headers"`
							} `json:"typed_config"`
						} `json:"http_filters"`
					} `json:"typed_config"`
				}
			} `json:"filter_chains"`
		}
	} `json:"static_resources"`
}

// TestEnvoyAsksAsItsFileSays emulates the HTTP service of ext_authz: the
// request's own method, its path behind the prefix, its Host, Authorization, and
// the headers that are allowed.
func TestEnvoyAsksAsItsFileSays(t *testing.T) {
	t.Parallel()
	var file envoyFile
	shippedYAML(t, "envoy/envoy.yaml", &file)
	filters := file.StaticResources.Listeners[0].FilterChains[0].Filters[0].TypedConfig.HTTPFilters
	authz := filters[0].TypedConfig
	if filters[0].Name != "envoy.filters.http.ext_authz" || authz.FailureModeAllow || authz.HTTPService.PathPrefix != "/authz/ext-authz" {
		t.Errorf("got %+v, want ext_authz first, which fails closed", filters)
	}
	s, idp := portalServer(t)
	answersAs(t, func(method, uri, token string) *http.Response {
		asked := http.Header{"Authorization": {"Bearer " + token}}
		sent := http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"192.0.2.7"}, "Remote-User": {"paula"}, "X-Forwarded-Uri": {"/health"}}
		for _, p := range authz.AllowedHeaders.Patterns {
			if values := sent.Values(p.Exact); len(values) > 0 {
				asked[http.CanonicalHeaderKey(p.Exact)] = values
			}
		}
		return sendTo(t, s, method, authz.HTTPService.PathPrefix+uri, "portal.example", asked)
	}, idp)
}

// answersAs asks what every proxy is asked.
func answersAs(t *testing.T, ask func(method, uri, token string) *http.Response, idp issuer) {
	t.Helper()
	rosa := idp.token("rosa", nil, nil)
	for _, tt := range []struct {
		method, uri, token, subject string
		status                      int
	}{
		{"GET", services + "?x=1", rosa, "rosa", 200},
		{"GET", "/health", "forged", "", 200},
		{"POST", services, rosa, "", 403},
		{"GET", "/nothing", rosa, "", 403},
		{"GET", "/accounts/..%2fhealth", rosa, "", 403},
		{"GET", services, "forged", "", 401},
	} {
		resp := ask(tt.method, tt.uri, tt.token)
		if got := resp.Header.Get("X-Postern-Subject"); resp.StatusCode != tt.status || got != tt.subject {
			t.Errorf("%s %s: got %d for %q, want %d for %q", tt.method, tt.uri, resp.StatusCode, got, tt.status, tt.subject)
		}
	}
}

func shippedYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../deploy/proxies", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := util.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func sendTo(t *testing.T, s *server, method, path, host string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, s.decisions.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Header = host, header
	resp, err := s.decisions.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp
}
