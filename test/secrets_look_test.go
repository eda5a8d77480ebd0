package test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
)

// commands says what it can about the settings.
func (w *spillWork) commands() {
	for _, args := range [][]string{{"config"}, {"config", "--check"}, {"help", "configuration"}, {"help"}, {"version"}, {"openapi"}, {"secret", "derive", "--out", filepath.Join(w.installation.dir, "shared")}, {"secret", "derive", "--out", filepath.Join(w.installation.dir, "shared")}, {"nothing"}, {"serve", "--nothing"}} {
		w.says(w.installation, args...)
	}
	if said := w.says(w.installation, "config"); !strings.Contains(said, "POSTERN_SECRET=[redacted]") {
		w.t.Errorf("the settings are not the planted ones:\n%s", said)
	}
}

// look reads all that may be read, over HTTP and with commands.
func (w *spillWork) look() {
	for _, path := range []string{"/metrics", "/readyz?verbose", "/startupz?verbose", "/version", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/"} {
		if x := w.asks(w.office.ops, http.MethodGet, path, ""); x.status != http.StatusOK {
			w.t.Errorf("got %s", x)
		}
	}
	const acme = "/v1/organizations/acme"
	webhook := w.wants(http.StatusOK, http.MethodGet, acme+"/webhooks", "").read("items.0.id")
	for _, path := range []string{"/v1/service-tokens", "/v1/webhooks", acme + "/webhooks", acme + "/webhooks/" + webhook + "/deliveries", acme + "/invitations", acme + "/members", acme + "/audit-events", "/v1/audit-events", "/v1/feed/changes?after=0-0"} {
		if x := w.operates(http.MethodGet, path, ""); x.status != http.StatusOK && path != "/v1/feed/changes?after=0-0" {
			w.t.Errorf("got %s", x)
		}
	}
	w.add("the trail", w.office.export(acme+"/audit-events?")+w.office.export("/v1/audit-events?"))
	client := w.client()
	for _, args := range [][]string{{"audit", "list", "acme"}, {"audit", "export", "acme"}, {"member", "list", "acme"}, {"invite", "list", "acme"}, {"token", "list"}, {"token", "list", "--json"}, {"key", "list"}, {"export"}, {"verify"}} {
		w.says(client, args...)
	}
	w.mistakes(client)
}

// mistakes are commands with a secret where a name or a place should be.
func (w *spillWork) mistakes(client installation) {
	for _, args := range [][]string{
		{"key", "revoke", w.app}, {"token", "revoke", w.office.key}, {"key", "create", "x", "--organization", w.app}, {"token", "create", "x", "--scope", w.office.key},
		{"org", "show", w.office.key}, {"--token", w.office.key}, {"member", w.office.key}, {"decide", w.app}, {"audit", "list", w.office.key}, {"restore", w.office.key}, {"healthcheck", w.office.key},
	} {
		w.add(fmt.Sprintf("postern %.8q", args), w.tells(client, args...))
	}
	for _, server := range []string{w.office.administration.base, "http://127.0.0.1:1", "http://postern:" + w.marker("a URL") + "@127.0.0.1:1", "http://" + w.marker("a URL") + "\x7f@h", "unix:///" + w.marker("a URL")} {
		for _, token := range []string{"st_%s", "%s\x01%s"} {
			client.env = append(slices.Clone(w.installation.env), "POSTERN_SERVER="+server, w.set("POSTERN_TOKEN", token))
			w.says(client, "org", "list")
		}
		w.says(client, "org", "list", "--server", server)
	}
}

// backup has the hashes of passwords and keys in it, and nothing that they are
// of. Links and the secrets of webhooks are derived, and nowhere.
func (w *spillWork) backup() {
	w.says(w.installation, "backup", "whole.backup")
	path := filepath.Join(w.installation.dir, "whole.backup")
	for _, hash := range []string{"$argon2id$", fmt.Sprintf("%x", sha256.Sum256([]byte(w.app))), fmt.Sprintf("%x", sha256.Sum256([]byte(w.office.key)))} {
		w.addFile("the backup", path, hash)
	}
}
