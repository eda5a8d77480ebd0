package proxyauth

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestAPathIsReadInOneWay(t *testing.T) {
	for raw, want := range map[string][]string{
		"/":                     {},
		"/accounts":             {"accounts"},
		"/accounts/":            {"accounts"},
		"/accounts/a-1/x%20y":   {"accounts", "a-1", "x y"},
		"/caf%C3%A9/é":          {"café", "é"},
		"/a%25b":                {"a%b"},
		"/a+b/c:d@e;v=1/!$&'()": {"a+b", "c:d@e;v=1", "!$&'()"},
		"/...":                  {"..."},
		"/.well-known/x":        {".well-known", "x"},
	} {
		if _, got, err := readPath(raw); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", raw, got, err, want)
		}
	}
}

// TestAPathWithAnotherSpellingIsRefused has what made proxies and applications
// disagree: dot segments, encoded and doubled slashes, double encodings, path
// parameters, NULs.
func TestAPathWithAnotherSpellingIsRefused(t *testing.T) {
	for _, raw := range []string{
		"", "*", "accounts", "http://h/accounts", "//", "//accounts", "/accounts//x", "/accounts//",
		"/.", "/..", "/a/./b", "/a/../b", "/a/..", "/%2e%2e/a", "/a/.%2E/b", "/..;/a", "/a/..;x=1/b", "/a/;x/b",
		"/a%2fb", "/a%2Fb", "/%2f", `/a\b`, "/a%5cb", "/a%5C..", "/a%00", "/a%0ab", "/a\x7fb", "/a%C2%85b",
		"/a/..%20/b", "/a/.. /b", "/a/%20../b", "/a/%20/b", "/a/..%20;x/b",
		"/a%252fb", "/%252e%252e/a", "/a%25252f", "/a%2", "/a%zz", "/a%", "/a%ff", "/a\xff", "/a#b", "/a%23b",
	} {
		if path, segments, err := readPath(raw); err == nil {
			t.Errorf("%q: got %q, %q, want it refused", raw, path, segments)
		}
	}
}

func TestAQueryKeepsEveryValue(t *testing.T) {
	got, err := readQuery("a=1&a=2&b=x+y%26&&c&=d&e=1;f=2")
	want := map[string][]string{"a": {"1", "2"}, "b": {"x y&"}, "c": {""}, "": {"d"}, "e": {"1;f=2"}}
	if err != nil || len(got) != len(want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for name, values := range want {
		if !slices.Equal(got[name], values) {
			t.Errorf("%s: got %q, want %q", name, got[name], values)
		}
	}
	for _, raw := range []string{"a=%zz", "%=1", "a=%ff", "a=1#&b=2", "#"} {
		if got, err := readQuery(raw); err == nil {
			t.Errorf("%q: got %q, want it refused", raw, got)
		}
	}
}

func TestWhatAProxyDoesNotSayIsNotGuessed(t *testing.T) {
	c := portal(t)
	whole := []string{"X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: h", "X-Forwarded-Uri: /health"}
	ask := func(path string, headers ...string) answer {
		return c.send(t, append([]string{"GET " + path + " HTTP/1.1", "Host: p"}, headers...)...)
	}
	ask(PathForwardAuth, whole...).wants(t, 200, "")
	for i := range whole {
		name, _, _ := strings.Cut(whole[i], ":")
		ask(PathForwardAuth, slices.Delete(slices.Clone(whole), i, i+1)...).wants(t, 403, "does not say "+name)
		ask(PathForwardAuth, append(slices.Clone(whole), whole[i])...).wants(t, 403, name+" comes 2 times")
		ask(PathForwardAuth, append(slices.Delete(slices.Clone(whole), i, i+1), strings.ReplaceAll(name, "-", "_")+": x")...).wants(t, 403, "does not say "+name)
	}
	for _, bad := range []string{
		"X-Forwarded-Method: get", "X-Forwarded-Method: G T", "X-Forwarded-Proto: ftp", "X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: h/x", "X-Forwarded-Host: a, b",
		"X-Forwarded-Host: user@h", "X-Forwarded-Uri: https://h/health", "X-Forwarded-Uri: health", "X-Forwarded-Uri: *", "X-Forwarded-For: nobody", "X-Forwarded-For: 1.2.3.4,",
	} {
		name, _, _ := strings.Cut(bad, ":")
		rest := slices.DeleteFunc(slices.Clone(whole), func(h string) bool { return strings.HasPrefix(h, name+":") })
		ask(PathForwardAuth, append(rest, bad)...).wants(t, 403, "")
	}
	for _, headers := range [][]string{
		{"X-Original-Method: GET"}, {"X-Original-URL: http://h/health"}, {"X-Original-Method: GET", "X-Original-URL: /health"}, {"X-Original-Method: GET", "X-Original-URL: http://h"},
		{"X-Original-Method: GET", "X-Original-URL: http:///health"}, whole,
		{"X-Original-Method: GET", "X-Original-URL: http://h/health", "X-Original-URL: http://h/health"},
		{"X-Original-Method: GET", "X-Original-URL: http://h/health", "Authorization: Bearer a", "Authorization: Bearer b"},
		{"X-Original-Method: GET", "X-Original-URL: http://h/health", "Content-Encoding: gzip"},
		{"X-Original-Method: GET", "X-Original-URL: http://h/health", "X-Request-ID: " + strings.Repeat("x", 300)},
	} {
		ask(PathAuthRequest, headers...).wants(t, 403, "")
	}
	ask(PathAuthRequest+"/").wants(t, 403, "nothing at this path")
	ask(PathExtAuthz+"/health/../accounts").wants(t, 403, "dots")
	ask(PathExtAuthz+"//health").wants(t, 403, "empty")
	ask("http://p"+PathExtAuthz+"/health").wants(t, 403, "request line")
}

func TestTheClientIsTheLastThatIsNoProxy(t *testing.T) {
	trusted := trust(t, "10.0.0.0/8", "fd00::/8")
	for list, want := range map[string]string{
		"":                                  "",
		"192.0.2.1":                         "192.0.2.1",
		"198.51.100.9, 192.0.2.1":           "192.0.2.1",
		"spoofed, 192.0.2.1, 10.1.1.1":      "192.0.2.1",
		"192.0.2.1,10.2.2.2 , fd00::1":      "192.0.2.1",
		"10.2.2.2, 10.1.1.1":                "10.2.2.2",
		"::ffff:192.0.2.1, ::ffff:10.1.1.1": "192.0.2.1",
	} {
		h := &fasthttp.RequestHeader{}
		h.Set("X-Forwarded-For", list)
		if got, err := trusted.client(h); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", list, got, err, want)
		}
	}
}

// FuzzTarget says of every request that is understood that it is understood in
// one way: its path is the one that was sent, and reads the same again.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/accounts/a-1/x%20y?a=1&a=2", "/%2e%2e/a", "/a%252f", "//", "/a;b/..;/", "/caf%C3%A9", "/a%5c", "/a?%zz"} {
		f.Add("GET", "https", "portal.example:8443", seed)
	}
	f.Add("get", "ftp", "a@b", "*")
	f.Fuzz(func(t *testing.T, method, scheme, host, uri string) {
		got, err := newTarget(method, scheme, host, uri)
		if err != nil {
			return
		}
		again, err := newTarget(got.method, got.scheme, got.host, (&url.URL{Path: got.path}).EscapedPath())
		if err != nil || again.path != got.path || !slices.Equal(again.segments, got.segments) || again.host != got.host {
			t.Errorf("%q %q: got %+v, and of it %+v, %v", host, uri, got, again, err)
		}
		for _, s := range got.segments {
			if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\\\x00\n") {
				t.Errorf("%q: got the segment %q", uri, s)
			}
		}
	})
}
