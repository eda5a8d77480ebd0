package test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// written is what the servers of all tests wrote where people and machines read
// it, and what is secret: no secret, token or link is ever among it (C17). Mails
// are left out, whose purpose is their link.
var written = &outlets{secrets: map[string]bool{}}

// exchange keeps what is to be kept of one with the management listener: the
// secrets that were sent or shown, and problems and audit events.
func (o *outlets) exchange(x exchange) {
	for _, text := range []string{x.sent, x.body} {
		for _, s := range secretsIn(text) {
			o.secret(s)
		}
	}
	if x.status >= 400 || strings.Contains(x.url, "/audit-events") {
		o.add(x.method+" "+x.url, x.body)
	}
}

// secretsIn finds what is secret in a body: keys, tokens, links, what webhooks
// are signed with, and passwords by the names of their members.
func secretsIn(text string) []string {
	found := regexp.MustCompile(`\b(?:pk|ok|st)_[a-z0-9-]+_[A-Za-z0-9_-]{43}|\bpst_(?:inv|pwd|eml)_[A-Za-z0-9_.-]+|whsec_[A-Za-z0-9+/=]+`).FindAllString(text, -1)
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		found = append(found, passwordsIn(v)...)
	}
	return found
}

func passwordsIn(v any) (found []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if text, ok := inner.(string); ok && strings.Contains(name, "password") {
				found = append(found, text)
			}
			found = append(found, passwordsIn(inner)...)
		}
	case []any:
		for _, inner := range v {
			found = append(found, passwordsIn(inner)...)
		}
	}
	return found
}

// keep remembers what a server wrote in its life. It is asked for its metrics
// and its trail before it ends, and for its logs then.
func (s *server) keep() {
	if s.ops.client == nil {
		return
	}
	if page, err := s.ops.send(http.MethodGet, "/metrics", ""); err == nil {
		written.add("/metrics", page.body)
	}
	key := s.operatorKey()
	if key == "" || s.administration.client == nil {
		return
	}
	written.secret(key)
	bearer := "Authorization: Bearer " + key
	for _, path := range append(s.trails(bearer), "/v1/audit-events") {
		s.keepTrail(path, bearer)
	}
}

// keepTrail remembers a trail, page by page.
func (s *server) keepTrail(path, bearer string) {
	for next := ""; ; {
		page, err := s.administration.send(http.MethodGet, path+"?page_token="+url.QueryEscape(next), "", bearer, "Accept: application/x-ndjson")
		if err != nil {
			return
		}
		written.add(path, page.body)
		if next = page.header.Get("Postern-Next-Page-Token"); next == "" {
			return
		}
	}
}

// trails are the paths of the trails of all organizations.
func (s *server) trails(bearer string) (paths []string) {
	x, err := s.administration.send(http.MethodGet, "/v1/organizations?page_size=200", "", bearer)
	var page struct{ Items []summary }
	if err != nil || json.Unmarshal([]byte(x.body), &page) != nil {
		return nil
	}
	for _, o := range page.Items {
		paths = append(paths, "/v1/organizations/"+o.ID+"/audit-events")
	}
	return paths
}

// operatorKey is the one in the server's state directory, if it is its own.
func (s *server) operatorKey() string {
	for _, setting := range slices.Backward(s.cmd.Env) {
		if state, ok := strings.CutPrefix(setting, "POSTERN_STATE="); ok {
			text, _ := os.ReadFile(filepath.Join(state, "operator.key"))
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

// said remembers the logs of a server that has ended.
func (s *server) said() {
	written.add("the log", s.stderr.String())
	if !slices.Contains(s.cmd.Args, "--demo") { // which shows its key
		written.add("the decision log", s.stdout.String())
	}
}

func TestASecretThatIsWrittenIsFound(t *testing.T) {
	link := "pst_inv_0193cbd0-7d1e-7c3f-8a3e-1f2d3c4b5a69.1." + strings.Repeat("a", 42) + "8"
	for _, tt := range []struct {
		name, sent, wrote string
		leaks             int
	}{
		{"a link in a log", `{"token":"` + link + `"}`, `{"msg":"accepted","link":"` + link + `"}`, 1},
		{"the secret part of a link in a log", `{"token":"` + link + `"}`, `{"mac":"` + link[len(link)-43:] + `"}`, 1},
		{"a password in a log", `{"profile":{"password":"correct horse battery"}}`, `login correct horse battery`, 1},
		{"a new password in a log", `{"new_password":"correct horse battery"}`, `correct horse battery`, 1},
		{"nothing secret", `{"token":"` + link + `"}`, `{"msg":"accepted"}`, 0},
	} {
		o := &outlets{secrets: map[string]bool{}}
		o.exchange(exchange{sent: tt.sent, status: http.StatusOK})
		o.add("the log", tt.wrote)
		if got := o.leaks(); len(got) != tt.leaks {
			t.Errorf("%s: got %q, want %d", tt.name, got, tt.leaks)
		}
	}
}
