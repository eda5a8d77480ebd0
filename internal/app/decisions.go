package app

import (
	"fmt"

	"github.com/postern-authz/postern/internal/dataapi"
	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/proxyauth"
)

// decisions is the decision listener with its routes.
func (s *server) decisions() (*httpserver.Server, error) {
	d := s.cfg.Decisions
	certificates, err := s.certificates("decisions", d.TLSCert, d.TLSKey, d.ClientCA)
	if err != nil {
		return nil, err
	}
	authenticator, err := httpserver.NewAuthenticator(httpserver.AuthOptions{
		Listener: "decisions", Mode: httpserver.Mode(d.AuthMode()), Keys: s.appKeys, Metrics: s.registry,
		MaxStaleness: s.cfg.MaxStaleness + s.cfg.ServeStale, // who may ask is served stale with what is decided
	})
	if err != nil {
		return nil, err
	}
	server := httpserver.New(httpserver.Options{
		Name: "decisions", Forbid: proxyauth.Paths, MaxBody: int(d.MaxBody), MaxConns: d.MaxConns, MaxConnsPerIP: d.ConnsByIP,
		Timeout: d.Timeout, DrainDelay: s.cfg.DrainDelay, TLS: certificates,
		ErrorForms:  []httpserver.ErrorForm{dataapi.ErrorForm()},
		LogRequests: s.cfg.LogRequests, Log: s.Log, Metrics: s.registry, Histograms: s.histograms(),
	})
	if err := s.proxies(server, authenticator); err != nil {
		return nil, err
	}
	stages := s.pdp.Stages()
	dataapi.Register(server.App, dataapi.Options{
		PDP: s.pdp, Tokens: s.tokens, Stages: stages, Default: s.cfg.Data.Default, MaxBatch: d.MaxBatch,
		Build: dataapi.Build{Version: s.build.Version, Commit: s.build.Revision}, Authenticate: authenticator.Handle, Log: s.Log,
		Policy: s.state.policy, Directory: s.state.directory,
	})
	return server, decisionapi.Register(server.App, decisionapi.Options{
		PDP: s.pdp, Tokens: s.tokens, Stages: stages, PublicURL: string(s.cfg.PublicURL),
		MaxBatch: d.MaxBatch, Authenticate: authenticator.Handle, Log: s.Log,
	})
}

// proxies adds what proxies ask.
func (s *server) proxies(server *httpserver.Server, authenticator *httpserver.Authenticator) error {
	trusted, err := proxyauth.NewTrust(s.cfg.TrustedProxies)
	if err != nil {
		return fmt.Errorf("POSTERN_TRUSTED_PROXIES: %w", err)
	}
	jwts, err := s.jwts()
	if err != nil {
		return err
	}
	o := proxyauth.Options{
		PDP: s.pdp, Stages: s.pdp.Stages(), Policies: s.engine, Trusted: trusted, SubjectHeader: s.cfg.Proxy.SubjectHeader,
		Headers: s.cfg.Proxy.Headers, Authenticate: authenticator.HandleProxy, Log: s.Log,
	}
	if jwts != nil {
		o.Tokens = jwts
	}
	proxyauth.Register(server.App, o)
	return nil
}
