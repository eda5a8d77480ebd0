package app

import (
	"context"
	"fmt"

	"github.com/postern-authz/postern/internal/decisionapi"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pdp"
)

// serveDecisions serves until ctx ends and the drain is over.
func (s *server) serveDecisions(ctx context.Context) error {
	listener, err := s.decisions()
	if err != nil {
		return err
	}
	ln, err := httpserver.Listen(ctx, string(s.cfg.Decisions.Listen))
	if err != nil {
		return fmt.Errorf("POSTERN_DECISIONS_LISTEN: %w", err)
	}
	s.addresses.Decisions = ln.Addr()
	s.state.start(s.engine, s.pip)
	s.Log.Info("serving decisions", "addr", ln.Addr().String(), "policy", s.engine.Live().Revision(),
		"directory", s.cfg.Database.String(), "auth", s.cfg.Decisions.AuthMode())
	if s.Serving != nil {
		s.Serving(s.addresses)
	}
	context.AfterFunc(ctx, s.ops.Drain)
	err = listener.Serve(ctx, ln)
	s.Log.Info("ended")
	return err
}

// decisions is the decision listener with its routes.
func (s *server) decisions() (*httpserver.Server, error) {
	d := s.cfg.Decisions
	certificates, err := s.certificates()
	if err != nil {
		return nil, err
	}
	authenticator, err := httpserver.NewAuthenticator(httpserver.AuthOptions{
		Listener: "decisions", Mode: httpserver.Mode(d.AuthMode()), Keys: appKeys{s.store}, Metrics: s.registry, MaxStaleness: s.cfg.MaxStaleness,
	})
	if err != nil {
		return nil, err
	}
	server := httpserver.New(httpserver.Options{
		Name: "decisions", MaxBody: int(d.MaxBody), MaxConns: d.MaxConns, MaxConnsPerIP: d.ConnsByIP,
		Timeout: d.Timeout, DrainDelay: s.cfg.DrainDelay, TLS: certificates, Log: s.Log, Metrics: s.registry,
	})
	options := pdp.Options{Policies: s.engine, Facts: s.pip, Registerer: s.registry}
	if s.log != nil {
		options.Log = s.log
	}
	return server, decisionapi.Register(server.App, decisionapi.Options{
		PDP: pdp.New(options), Tokens: s.tokens, PublicURL: string(s.cfg.PublicURL),
		MaxBatch: d.MaxBatch, Authenticate: authenticator.Handle, Log: s.Log,
	})
}

// certificates are those of the decision listener, or nil for none.
func (s *server) certificates() (*httpserver.Certificates, error) {
	d := s.cfg.Decisions
	if d.TLSCert == "" {
		return nil, nil
	}
	c, err := httpserver.NewCertificates(httpserver.CertificateOptions{
		Listener: "decisions", Cert: d.TLSCert, Key: d.TLSKey, ClientCA: d.ClientCA, Log: s.Log, Metrics: s.registry,
	})
	if err != nil {
		return nil, err
	}
	s.background("certificates", c.Watch)
	return c, nil
}
