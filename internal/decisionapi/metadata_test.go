package decisionapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// TestMetadata has requirements 56 to 61, 63 and 64, and trap 7.
func TestMetadata(t *testing.T) {
	t.Run("56 58 60 it is published", func(t *testing.T) {
		got := listen(t, Options{PublicURL: "https://pdp.example.com"}).send(t, "GET", wellKnown, "")
		got.wants(t, 200, `{"policy_decision_point":"https://pdp.example.com","access_evaluation_endpoint":"https://pdp.example.com/access/v1/evaluation","access_evaluations_endpoint":"https://pdp.example.com/access/v1/evaluations"}`)
		if got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %q, want application/json", got.Header.Get("Content-Type"))
		}
	})
	t.Run("57 59 the path of the identifier follows the well-known one", func(t *testing.T) {
		l := listen(t, Options{PublicURL: "https://pdp.example.com:8443/tenant1/a:b*c"})
		got := l.send(t, "GET", wellKnown+"/tenant1/a:b*c", "")
		got.wants(t, 200, "")
		var metadata map[string]any
		if err := json.Unmarshal([]byte(got.body), &metadata); err != nil || metadata["policy_decision_point"] != "https://pdp.example.com:8443/tenant1/a:b*c" {
			t.Errorf("got %s, %v", got.body, err)
		}
		for _, path := range []string{"", "/", "/tenant1", "/tenant1/", "/tenant1/a:b*c/", "/tenant2/a:b*c", "/TENANT1/a:b*c", "/tenant1/a%3Ab*c", "/x/../tenant1/a:b*c"} {
			l.send(t, "GET", wellKnown+path, "").wants(t, 404, "")
		}
	})
	t.Run("57 an identifier without a path has one place", func(t *testing.T) {
		l := listen(t, Options{PublicURL: "https://pdp.example.com"})
		l.send(t, "GET", wellKnown+"/tenant1", "").wants(t, 404, "no decision point with this path")
		l.send(t, "POST", wellKnown, "").wants(t, 405, "")
	})
	t.Run("60 every URL is https, 61 and none is empty", func(t *testing.T) {
		var metadata map[string]string
		got := listen(t, Options{PublicURL: "https://h/t"}).send(t, "GET", wellKnown+"/t", "")
		if err := json.Unmarshal([]byte(got.body), &metadata); err != nil {
			t.Fatal(err)
		}
		for name, url := range metadata {
			if !strings.HasPrefix(url, "https://h/t") {
				t.Errorf("got %s %q", name, url)
			}
		}
	})
	t.Run("63 the endpoints are the paths that are served", func(t *testing.T) {
		l := listen(t, Options{PublicURL: "https://h"})
		var metadata map[string]string
		if err := json.Unmarshal([]byte(l.send(t, "GET", wellKnown, "").body), &metadata); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"access_evaluation_endpoint", "access_evaluations_endpoint"} {
			l.ask(t, strings.TrimPrefix(metadata[name], "https://h"), permitted).wants(t, 200, permit)
		}
	})
	t.Run("64 it may be kept for an hour", func(t *testing.T) {
		if got := listen(t, Options{PublicURL: "https://h"}).send(t, "GET", wellKnown, ""); got.Header.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("got %q", got.Header.Get("Cache-Control"))
		}
	})
	t.Run("trap 7 headers change nothing", func(t *testing.T) {
		got := listen(t, Options{PublicURL: "https://h"}).send(t, "GET", wellKnown, "", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "Forwarded", "host=evil.example")
		if got.wants(t, 200, ""); strings.Contains(got.body, "evil") || strings.Contains(got.body, "127.0.0.1") {
			t.Errorf("got %s", got.body)
		}
	})
	t.Run("trap 7 without a public URL there is none", func(t *testing.T) {
		l := listen(t, Options{})
		l.send(t, "GET", wellKnown, "").wants(t, 404, "POSTERN_PUBLIC_URL is not set")
		l.send(t, "GET", wellKnown+"/tenant1", "").wants(t, 404, "POSTERN_PUBLIC_URL is not set")
	})
}

func TestRegisterRefusesAnIdentifier(t *testing.T) {
	for _, identifier := range []string{
		"http://pdp.example.com", "pdp.example.com", "https://", "https:///path", "https://h?", "https://h?a=b", "https://h#", "https://h#x",
		"https://h/", "https://h/t/", "https://user:secret@h", "ftp://h", "https://h:port", "/relative", "https://h/%zz",
	} {
		if err := Register(fiber.New(), Options{PublicURL: identifier}); err == nil {
			t.Errorf("59 Register took %q, want it refused", identifier)
		}
	}
}
