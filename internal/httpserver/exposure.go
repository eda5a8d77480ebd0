package httpserver

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// CheckExposure refuses to put a listener where others can reach it without
// knowing who they are, or without TLS (B1). A unix socket is as safe as its
// file mode. A socket that was handed over may be anything, so it is treated as
// one that others can reach.
func CheckExposure(listen string, tls bool, auth Mode, allowPlaintext bool) error {
	local := Local(listen)
	switch {
	case auth == ModeMTLS && !tls:
		return fmt.Errorf("%s asks for client certificates but has no TLS: set TLS_CERT, TLS_KEY and TLS_CLIENT_CA, or another AUTH", listen)
	case !local && auth == ModeNone:
		return fmt.Errorf("%s can be reached by others, and AUTH=none would answer them all: set AUTH to key or mtls, or LISTEN to a loopback address or unix:///path", listen)
	case !local && !tls && !allowPlaintext:
		return fmt.Errorf("%s can be reached by others without TLS: set TLS_CERT and TLS_KEY, or LISTEN to a loopback address or unix:///path, or ALLOW_PLAINTEXT=true where the network itself is encrypted", listen)
	}
	return nil
}

// Local reports whether only this machine can reach an address of Listen. A name
// other than localhost is not local, whatever it resolves to today.
func Local(listen string) bool {
	if strings.HasPrefix(listen, "unix://") {
		return true
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
