package proxyauth

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/postern-authz/postern/internal/httpserver"
)

// A target is what a proxy was asked for, in one form whatever the proxy.
type target struct {
	method   string
	scheme   string // empty: the proxy does not say
	host     string // in lower case, without a port
	path     string // decoded once
	segments []string
	query    map[string][]string
	headers  map[string]string // by their names in lower case
	client   string            // empty: the proxy does not say
}

// unclear refuses what could mean another thing to the application.
func unclear(format string, args ...any) error {
	return &httpserver.Problem{
		Status: fiber.StatusForbidden, Reason: "request-unclear", Title: "It is not clear what was asked for",
		Detail: fmt.Sprintf(format, args...),
	}
}

// read reads what the proxy says of the request.
func (a *api) read(c *fiber.Ctx, w way) (target, error) {
	t, err := w.read(c)
	if err != nil {
		return target{}, err
	}
	h := &c.Request().Header
	if t.client, err = a.Trusted.client(h); err != nil {
		return target{}, err
	}
	t.headers = map[string]string{}
	for _, name := range a.Headers {
		value, err := one(h, name)
		switch {
		case err != nil:
			return target{}, err
		case !utf8.ValidString(value):
			return target{}, unclear("the header %s is not UTF-8", name)
		case value != "":
			t.headers[strings.ToLower(name)] = value
		}
	}
	return t, nil
}

// readForwardAuth reads the headers of Traefik, Caddy and HAProxy.
func readForwardAuth(c *fiber.Ctx) (target, error) {
	said, err := each(c, "X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri")
	if err != nil {
		return target{}, err
	}
	return newTarget(said[0], said[1], said[2], said[3])
}

// readAuthRequest reads the headers that nginx is told to set.
func readAuthRequest(c *fiber.Ctx) (target, error) {
	said, err := each(c, "X-Original-Method", "X-Original-URL")
	if err != nil {
		return target{}, err
	}
	scheme, rest, absolute := strings.Cut(said[1], "://")
	at := strings.IndexByte(rest, '/')
	if !absolute || at < 0 {
		return target{}, unclear("X-Original-URL is no URL with a scheme, a host and a path")
	}
	return newTarget(said[0], scheme, rest[:at], rest[at:])
}

// readExtAuthz reads the request line and Host, which Envoy passes on. It says
// how it was asked only if it is told to.
func readExtAuthz(c *fiber.Ctx) (target, error) {
	h := &c.Request().Header
	uri, ok := strings.CutPrefix(string(h.RequestURI()), PathExtAuthz)
	if !ok {
		return target{}, unclear("the request line does not begin with %s", PathExtAuthz)
	}
	scheme, err := one(h, "X-Forwarded-Proto")
	if err != nil {
		return target{}, err
	}
	t, err := newTarget(string(h.Method()), "http", string(h.Host()), uri)
	if scheme != "" && err == nil {
		t.scheme, err = readScheme(scheme)
		return t, err
	}
	t.scheme = ""
	return t, err
}

// each reads headers that have to be there.
func each(c *fiber.Ctx, names ...string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		value, err := one(&c.Request().Header, name)
		if err != nil {
			return nil, err
		}
		if value == "" {
			return nil, unclear("the proxy does not say %s", name)
		}
		values[i] = value
	}
	return values, nil
}

// one is the value of a header that may be missing, but not come twice: of two
// values one is the client's. A name with an underscore is another name.
func one(h *fasthttp.RequestHeader, name string) (string, error) {
	switch sent := h.PeekAll(name); len(sent) {
	case 0:
		return "", nil
	case 1:
		return string(sent[0]), nil
	default:
		return "", unclear("the header %s comes %d times", name, len(sent))
	}
}

// methods are tokens in capitals, as all that are registered are: who takes
// another one for GET is not asked.
var methods = regexp.MustCompile(`^[A-Z][A-Z-]{0,31}$`)

// hosts are names and addresses, perhaps with a port.
var hosts = regexp.MustCompile(`^([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)

func newTarget(method, scheme, host, uri string) (t target, err error) {
	if !methods.MatchString(method) {
		return target{}, unclear("the method is none of HTTP")
	}
	if t.scheme, err = readScheme(scheme); err != nil {
		return target{}, err
	}
	name := hosts.FindStringSubmatch(host)
	if name == nil {
		return target{}, unclear("the host is neither a name nor an address")
	}
	t.method, t.host = method, strings.ToLower(name[1])
	raw, query, _ := strings.Cut(uri, "?")
	if t.path, t.segments, err = readPath(raw); err != nil {
		return target{}, err
	}
	t.query, err = readQuery(query)
	return t, err
}

func readScheme(scheme string) (string, error) {
	if !slices.Contains([]string{"http", "https", "ws", "wss"}, scheme) {
		return "", unclear("the scheme is none of http, https, ws, wss")
	}
	return scheme, nil
}

// readQuery reads parameters, each with all its values in their order. Only &
// separates them.
func readQuery(raw string) (map[string][]string, error) {
	if strings.Contains(raw, "#") {
		return nil, unclear("the query has a fragment behind it")
	}
	query := map[string][]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, unclear("the query is not encoded as one")
		}
		query[name] = append(query[name], value)
	}
	return query, nil
}

func splitList(list string) []string {
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
