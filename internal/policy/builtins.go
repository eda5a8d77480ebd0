package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// forbidden are the builtins no policy gets (security.md §1.7): those that reach
// the network, the environment or chance, so that a decision follows from its
// input and revision alone, and those that run on after a deadline or can take
// the process down with them.
func forbidden() []string {
	return []string{
		"http.send", "net.lookup_ip_addr", "net.cidr_expand", "opa.runtime", "rand.intn", "uuid.rfc4122",
		"rego.parse_module", "json.match_schema", "json.verify_schema", "json.patch", "bits.lsh", "bits.rsh",
		"graph.reachable", "graph.reachable_paths", "format_int", "trace", "print",
		"yaml.*", "units.*", "io.jwt.*", "crypto.x509.*",
	}
}

// capabilities are what policies may use. An operator may allow builtins of
// io.jwt and crypto again, by name ("io.jwt.decode") or family ("io.jwt.*").
func capabilities(allow []string) (*ast.Capabilities, error) {
	for _, pattern := range allow {
		if !strings.HasPrefix(pattern, "io.jwt.") && !strings.HasPrefix(pattern, "crypto.") {
			return nil, fmt.Errorf("builtin %q cannot be allowed: only those of io.jwt and crypto can", pattern)
		}
		if !anyBuiltin(pattern) {
			return nil, fmt.Errorf("builtin %q does not exist: write a name such as io.jwt.decode_verify, or io.jwt.*", pattern)
		}
	}
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return matches(forbidden(), b.Name) && !matches(allow, b.Name)
	})
	c.AllowNet = []string{}
	return c, nil
}

func anyBuiltin(pattern string) bool {
	return slices.ContainsFunc(ast.CapabilitiesForThisVersion().Builtins, func(b *ast.Builtin) bool {
		return matches([]string{pattern}, b.Name)
	})
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// withheld names the forbidden builtin that a compile error is about, or "".
func withheld(err error) string {
	_, name, ok := strings.Cut(err.Error(), "undefined function ")
	if name, _, _ = strings.Cut(name, "\n"); ok && matches(forbidden(), name) {
		return name
	}
	return ""
}
