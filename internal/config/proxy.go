package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// maxProxyHeaders is how many headers of a request the policy may see.
const maxProxyHeaders = 16

// headerName is the name of a header. One with an underscore is none here: some
// servers take it for the same as one with a hyphen (T15).
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

// validateProxies says what is wrong with what proxies may say.
func (c *Config) validateProxies(f *faults) {
	for _, text := range c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		f.when(text != "unix" && err != nil, "has something that is neither a network such as 10.1.0.0/16 nor the word unix", "TRUSTED_PROXIES")
		f.when(err == nil && network.Addr().Is4In6(), "has a network of IPv4 addresses written as IPv6, which no peer would be in: write it as 10.1.0.0/16", "TRUSTED_PROXIES")
		f.when(err == nil && network.Bits() == 0, "trusts every address, so that anybody could say who they are: name the networks of your proxies", "TRUSTED_PROXIES")
	}
	p := c.Proxy
	f.when(p.SubjectHeader != "" && !headerName.MatchString(p.SubjectHeader), "is no name of a header of letters, digits and hyphens, such as Remote-User", "PROXY_SUBJECT_HEADER")
	f.when(spoken(p.SubjectHeader), "is a header that means something else already: use another, such as Remote-User", "PROXY_SUBJECT_HEADER")
	f.when(p.SubjectHeader != "" && len(c.TrustedProxies) == 0, "needs POSTERN_TRUSTED_PROXIES: the word of nobody else counts", "PROXY_SUBJECT_HEADER", "TRUSTED_PROXIES")
	f.when(len(p.Headers) > maxProxyHeaders, "names more than 16 headers", "PROXY_HEADERS")
	for _, name := range p.Headers {
		f.when(!headerName.MatchString(name), "has something that is no name of a header of letters, digits and hyphens, such as Accept-Language", "PROXY_HEADERS")
		f.when(credential(name), "names a header with a credential, which no policy needs to see", "PROXY_HEADERS")
	}
}

// credential tells whether a header has what nobody may learn.
func credential(name string) bool {
	return slices.Contains([]string{"authorization", "proxy-authorization", "cookie", "postern-app-key"}, strings.ToLower(name))
}

// spoken tells whether a header has a meaning of its own between a proxy and
// Postern.
func spoken(name string) bool {
	name = strings.ToLower(name)
	return credential(name) || name == "host" || strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "x-original-")
}
