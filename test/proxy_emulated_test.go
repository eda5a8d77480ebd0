package test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	tells(t, resp, auth.AuthResponseHeaders)
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
									PathPrefix            string `json:"path_prefix"`
									AuthorizationResponse struct {
										AllowedUpstreamHeaders envoyNames `json:"allowed_upstream_headers"`
									} `json:"authorization_response"`
								} `json:"http_service"`
								AllowedHeaders envoyNames `json:"allowed_headers"`
							} `json:"typed_config"`
						} `json:"http_filters"`
						EarlyHeaderMutationExtensions []struct {
							TypedConfig struct{ Mutations []struct{ Remove string } } `json:"typed_config"`
						} `json:"early_header_mutation_extensions"`
					} `json:"typed_config"`
				}
			} `json:"filter_chains"`
		}
	} `json:"static_resources"`
}

// envoyNames are names of headers.
type envoyNames struct{ Patterns []struct{ Exact string } }

func (n envoyNames) list() (names []string) {
	for _, p := range n.Patterns {
		names = append(names, p.Exact)
	}
	return names
}

// TestEnvoyAsksAsItsFileSays emulates the HTTP service of ext_authz: the
// request's own method, its path behind the prefix, its Host, Authorization, and
// the headers that are allowed.
func TestEnvoyAsksAsItsFileSays(t *testing.T) {
	t.Parallel()
	var file envoyFile
	shippedYAML(t, "envoy/envoy.yaml", &file)
	manager := file.StaticResources.Listeners[0].FilterChains[0].Filters[0].TypedConfig
	filters := manager.HTTPFilters
	authz := filters[0].TypedConfig
	if filters[0].Name != "envoy.filters.http.ext_authz" || authz.FailureModeAllow || authz.HTTPService.PathPrefix != "/authz/ext-authz" {
		t.Errorf("got %+v, want ext_authz first, which fails closed", filters)
	}
	s, idp := portalServer(t)
	ask := func(method, uri, token string) *http.Response {
		asked := http.Header{"Authorization": {"Bearer " + token}}
		sent := http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"192.0.2.7"}, "Remote-User": {"paula"}, "X-Forwarded-Uri": {"/health"}}
		for _, name := range authz.AllowedHeaders.list() {
			if values := sent.Values(name); len(values) > 0 {
				asked[http.CanonicalHeaderKey(name)] = values
			}
		}
		return sendTo(t, s, method, authz.HTTPService.PathPrefix+uri, "portal.example", asked)
	}
	answersAs(t, ask, idp)
	handed := authz.HTTPService.AuthorizationResponse.AllowedUpstreamHeaders.list()
	tells(t, ask("GET", services, idp.token("rosa", nil, nil)), handed)
	for _, name := range handed {
		if !slices.ContainsFunc(manager.EarlyHeaderMutationExtensions[0].TypedConfig.Mutations, func(m struct{ Remove string }) bool { return m.Remove == name }) {
			t.Errorf("the client's own %s is not taken away", name)
		}
	}
}

// tells wants a proxy to hand on what Postern says to the application, and all of
// it.
func tells(t *testing.T, resp *http.Response, names []string) {
	t.Helper()
	said := 0
	for name, values := range resp.Header {
		if !strings.HasPrefix(name, "X-Postern-") {
			continue
		}
		said++
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) || len(values) != 1 {
			t.Errorf("%s %q is handed on by none of %q", name, values, names)
		}
	}
	if said != len(names) {
		t.Errorf("got %d headers for the application, want one for each of %q", said, names)
	}
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
