package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/postern-authz/postern/internal/httpserver"
)

// A listener is one that is open and not yet served.
type listener struct {
	*httpserver.Server
	net.Listener
}

// serve serves decisions, and administration unless it is turned off, until ctx
// ends and the drains are over. When one of them ends by itself, so do all. With
// a ctx that has ended it serves nobody: nobody was told that it is ready.
func (s *server) serve(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	open, err := s.open(ctx)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	s.begun()
	err = together(ctx, open)
	s.Log.Info("ended")
	return err
}

// open opens the listeners that this server has.
func (s *server) open(ctx context.Context) (open []listener, err error) {
	defer func() {
		for i := 0; err != nil && i < len(open); i++ {
			err = errors.Join(err, open[i].Close())
		}
	}()
	if s.cfg.Decides() {
		decisions, err := s.openDecisions(ctx)
		if err != nil {
			return open, err
		}
		open = append(open, decisions)
		s.addresses.Decisions = decisions.Addr()
	}
	if address, on := s.cfg.Administers(); on {
		management, err := s.openManagement(ctx, string(address))
		if err != nil {
			return open, err
		}
		open = append(open, management)
		s.addresses.Management = management.Addr()
	}
	return open, nil
}

// unlessEnded is err, or nil once ctx has ended: nothing can be opened then.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// begun says that everything is served.
func (s *server) begun() {
	s.state.start(s.engine, s.pip)
	if s.addresses.Management != nil {
		s.Log.Info("serving administration", "addr", s.addresses.Management.String())
	}
	if s.addresses.Decisions != nil {
		s.Log.Info("serving decisions", "addr", s.addresses.Decisions.String(), "policy", s.engine.Live().Revision(),
			"directory", s.whichDirectory(), "auth", s.cfg.Decisions.AuthMode())
	}
	if s.Serving != nil {
		s.Serving(s.addresses)
	}
}

// whichDirectory says where the directory is read.
func (s *server) whichDirectory() string {
	if s.cfg.Directory.Remote() {
		return strings.Join(s.cfg.Directory.URLs, " ")
	}
	return s.cfg.Database.String()
}

func (s *server) openDecisions(ctx context.Context) (listener, error) {
	server, err := s.decisions()
	if err != nil {
		return listener{}, err
	}
	ln, err := httpserver.Listen(ctx, string(s.cfg.Decisions.Listen))
	if err != nil {
		return listener{}, fmt.Errorf("POSTERN_DECISIONS_LISTEN: %w", err)
	}
	return listener{server, ln}, nil
}

func (s *server) openManagement(ctx context.Context, address string) (listener, error) {
	server, err := s.management(ctx)
	if err != nil {
		return listener{}, err
	}
	ln, err := httpserver.Listen(ctx, address)
	if err != nil {
		return listener{}, fmt.Errorf("POSTERN_MANAGEMENT_LISTEN: %w", err)
	}
	return listener{server, ln}, nil
}

// together serves listeners until ctx ends or one of them does.
func together(ctx context.Context, open []listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(open))
	for _, l := range open {
		go func() {
			defer stop()
			ended <- l.Serve(ctx, l.Listener)
		}()
	}
	var all error
	for range open {
		all = errors.Join(all, <-ended)
	}
	return all
}

// certificates are those of a listener, or nil for none.
func (s *server) certificates(listener, cert, key, clientCA string) (*httpserver.Certificates, error) {
	if cert == "" {
		return nil, nil
	}
	c, err := httpserver.NewCertificates(httpserver.CertificateOptions{
		Listener: listener, Cert: cert, Key: key, ClientCA: clientCA, Log: s.Log, Metrics: s.registry,
	})
	if err != nil {
		return nil, err
	}
	s.background(listener+" certificates", c.Watch)
	return c, nil
}
