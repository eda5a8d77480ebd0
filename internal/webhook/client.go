package webhook

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// newClient follows no redirect, keeps no connection and no cookie, and knows no
// proxy, so that the address it was told is the one that it asks.
func newClient(o Options) *http.Client {
	g := &guard{allow: o.Allow, resolver: o.resolver}
	config := &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return g.dial(ctx, network, address, true)
			},
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return g.dialTLS(ctx, network, address, config)
			},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxAnswer,
		},
	}
}

// dialTLS is dial and a handshake.
func (g *guard) dialTLS(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	conn, err := g.dial(ctx, network, address, false)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName, _, _ = net.SplitHostPort(address)
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, &tlsError{err}
	}
	return secure, nil
}

type tlsError struct{ error }
