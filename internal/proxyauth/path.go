package proxyauth

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// again is what is encoded still after it was decoded once.
var again = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// readPath decodes a path once. It refuses one that has another spelling, which
// the application, or a library of it, may take for the same: then the decision
// would be on one thing and the answer about another. A slash at the end counts
// for no segment.
func readPath(raw string) (path string, segments []string, err error) {
	path, bad := url.PathUnescape(raw)
	switch {
	case !strings.HasPrefix(raw, "/"):
		return "", nil, unclear("the path does not begin with a slash")
	case bad != nil || !utf8.ValidString(path):
		return "", nil, unclear("the path is not encoded as one")
	case strings.Count(path, "/") != strings.Count(raw, "/"):
		return "", nil, unclear("the path has a slash that is encoded")
	case again.MatchString(path):
		return "", nil, unclear("the path is encoded twice")
	case strings.ContainsFunc(path, forbidden):
		return "", nil, unclear("the path has a backslash, a fragment or a control character")
	case path == "/":
		return path, []string{}, nil
	}
	segments = strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
	for _, s := range segments {
		name, _, _ := strings.Cut(s, ";")
		name = strings.TrimSpace(name) // as some file systems do
		if name == "." || name == ".." || name == "" {
			return "", nil, unclear("the path has a segment that is empty, or of dots")
		}
	}
	return path, segments, nil
}

func forbidden(r rune) bool { return r == '\\' || r == '#' || unicode.IsControl(r) }
