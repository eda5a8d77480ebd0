package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/redis"
)

// openRedis makes the tier of documents in Redis, if there is to be one. Redis
// itself need not be there.
func (s *server) openRedis() error {
	c := s.cfg.Redis
	if !c.On() {
		return nil
	}
	secure, err := redisTLS(c)
	if err != nil {
		return err
	}
	redis.Quiet()
	s.redis, err = redis.New(redis.Options{
		Addrs: c.Addrs, Master: c.Master, Cluster: c.Cluster, DB: c.DB,
		Username: c.Username, Password: string(c.Password),
		SentinelUsername: c.SentinelUsername, SentinelPassword: string(c.SentinelPassword),
		TLS: secure, Secret: s.shared, Directory: s.directory,
		Timeout: c.Timeout, Pool: c.Pool, TTL: c.TTL, Log: s.Log, Registerer: s.registry,
	})
	if err != nil {
		return err
	}
	s.background("redis", s.redis.Run)
	return nil
}

// redisTLS is how Redis is reached over TLS; nil: without. A client certificate
// is read for each connection, so that a new one is used when the old one ends.
func redisTLS(c config.Redis) (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName}
	if c.TLSCA != "" {
		text, err := os.ReadFile(c.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("POSTERN_REDIS_TLS_CA: %w", err)
		}
		if secure.RootCAs = x509.NewCertPool(); !secure.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("POSTERN_REDIS_TLS_CA has no certificate in PEM form: %w", authz.ErrInvalid)
		}
	}
	if c.TLSCert != "" {
		secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
			return &pair, err
		}
	}
	return secure, nil
}

// announce tells the fleet that the directory has come to a revision.
func (s *server) announce(revision authz.Revision) {
	if s.redis != nil {
		s.redis.Announce(revision)
	}
}
