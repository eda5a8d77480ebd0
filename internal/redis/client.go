package redis

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// newClient is a client that waits for nothing longer than it was told to: the
// library's defaults hold a request for five seconds when Redis hangs (D8).
func newClient(o Options) goredis.UniversalClient {
	return goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.Master, IsClusterMode: o.Cluster, DB: o.DB,
		Username: o.Username, Password: o.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		Dialer:                   dialer(o.TLS),
		Protocol:                 2,
		DisableIdentity:          true, // its answer may come to the wrong command (CVE-2025-29923)
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		ContextTimeoutEnabled:    true,
		ReadTimeout:              o.Timeout,
		WriteTimeout:             o.Timeout,
		DialTimeout:              dialTimeout,
		DialerRetries:            1,
		MaxRetries:               -1,
		PoolSize:                 o.Pool,
		MaxActiveConns:           o.Pool,
		PoolTimeout:              o.Timeout,
		PipelinePoolSize:         -1, // one pool, so that its bound is one
		ConnMaxIdleTime:          5 * time.Minute,
	})
}

// dialer connects, with TLS if there is a configuration for it, and has all that
// comes in guarded.
func dialer(config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, network, addr)
		if err != nil || config == nil {
			return guarded(conn), err
		}
		secure := tls.Client(conn, named(config, addr))
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return guarded(secure), nil
	}
}

// named is a configuration that expects the host of an address, unless it
// expects another name.
func named(config *tls.Config, addr string) *tls.Config {
	if config.ServerName != "" {
		return config
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	config = config.Clone()
	config.ServerName = host
	return config
}
