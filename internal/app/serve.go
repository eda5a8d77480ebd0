package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/decisionlog"
	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/histogram"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/jwt"
	"github.com/postern-authz/postern/internal/ops"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/redis"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/token"
)

// Options are what a server needs beside its configuration.
type Options struct {
	Log     *slog.Logger
	Out     io.Writer       // of a decision log to stdout
	Serving func(Addresses) // called once everything is served; nil: nobody is told
}

// Addresses are where the listeners came to listen.
type Addresses struct {
	Decisions  net.Addr // nil: none
	Management net.Addr // nil: none
	Ops        net.Addr
	// OperatorKey is the path of the file with the first operator key, as long
	// as there is one.
	OperatorKey string
}

// Serve runs a server until ctx ends, and returns nil when it has ended in
// order: requests answered, mails under way sent, decisions logged.
//
// Probes and metrics are served from the beginning. All else is served once
// the policy is in force and the directory has been read; a database that does
// not answer yet is waited for (F09), anything else that is wrong is an error.
func Serve(ctx context.Context, cfg *config.Config, o Options) error {
	s := &server{cfg: cfg, Options: o, build: ops.ReadBuild()}
	s.registry = ops.NewRegistry(s.build)
	defer s.close()
	if err := s.serveOps(ctx); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to end before it had begun
		}
		return err
	}
	return s.serve(ctx)
}

// A server is one running Postern. What it has opened it closes in reverse.
type server struct {
	Options
	cfg      *config.Config
	build    ops.Build
	registry *prometheus.Registry
	opened   []named

	ops       *ops.Server
	addresses Addresses
	state     state

	engine  *policy.Engine
	store   *store.Store // nil: the directory is read at another server
	appKeys httpserver.Keys
	redis   *redis.Tier // nil: none
	pip     *grant.PIP
	log     *decisionlog.Log // nil: decisions are not logged
	tokens  *token.Tokens
	pdp     *pdp.PDP

	verifier *jwt.Verifier // nil: no JWT is believed, or nobody asked yet

	secret    []byte // that links and webhooks are signed with; nil: the directory is read at another server
	shared    []byte // derived from it: what all servers of the directory have
	directory string // its id
}

// A named thing is one that has to be closed.
type named struct {
	name  string
	close func(context.Context) error
}

// closeTimeout bounds the end of each opened thing.
const closeTimeout = 10 * time.Second

func (s *server) onClose(name string, close func(context.Context) error) {
	s.opened = append(s.opened, named{name, close})
}

func (s *server) close() {
	for i := len(s.opened) - 1; i >= 0; i-- {
		ctx, stop := context.WithTimeout(context.Background(), closeTimeout)
		if err := s.opened[i].close(ctx); err != nil {
			s.Log.Error("could not end in order", "what", s.opened[i].name, "err", err)
		}
		stop()
	}
}

// background runs fn until the server closes.
func (s *server) background(name string, fn func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); fn(ctx) }()
	s.onClose(name, func(context.Context) error { stop(); <-done; return nil })
}

func (s *server) serveOps(ctx context.Context) error {
	ln, err := httpserver.Listen(ctx, string(s.cfg.Ops.Listen))
	if err != nil {
		return fmt.Errorf("POSTERN_OPS_LISTEN: %w", err)
	}
	s.ops = ops.New(ops.Options{
		Registry: s.registry, Build: s.build, Pprof: s.cfg.Ops.Pprof, Log: s.Log,
		Startup: []ops.Check{{Name: "started", Probe: s.state.started}},
		Ready: []ops.Check{
			{Name: "started", Probe: s.state.started},
			{Name: "policy", Probe: s.state.policy},
			{Name: "directory", Probe: s.state.directory, Note: s.state.stale},
		},
	})
	context.AfterFunc(ctx, s.ops.Drain)
	s.addresses.Ops = ln.Addr()
	done := make(chan error, 1)
	go func() { done <- s.ops.Serve(ln) }()
	s.onClose("ops listener", func(ctx context.Context) error { return errors.Join(s.ops.Shutdown(ctx), <-done) })
	s.Log.Info("serving ops", "addr", ln.Addr().String())
	return nil
}

// prepare makes everything that decisions need, in the order they need it.
func (s *server) prepare(ctx context.Context) error {
	if err := s.loadPolicies(ctx); err != nil {
		return err
	}
	if err := s.openDirectory(ctx); err != nil {
		return err
	}
	if err := s.openLog(); err != nil {
		return err
	}
	o := pdp.Options{Policies: s.engine, Facts: s.pip, Holdings: s.pip, Open: s.cfg.Data.Paths, Registerer: s.registry, Histograms: s.histograms()}
	if s.log != nil {
		o.Log = s.log
	}
	s.pdp = pdp.New(o)
	return nil
}

// histograms is how all of them are kept.
func (s *server) histograms() histogram.Native {
	return histogram.Native(s.cfg.Metrics.NativeHistograms)
}

func (s *server) loadPolicies(ctx context.Context) (err error) {
	if s.engine, err = NewEngine(s.cfg, s.Log, s.registry); err != nil {
		return err
	}
	if err := load(ctx, s.cfg, s.engine); err != nil {
		return err
	}
	s.background("policy watch", s.engine.Watch)
	return nil
}

// Waits between attempts to open a database that does not answer.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// insist does what needs the directory, again and again until it answers (F09).
func (s *server) insist(ctx context.Context, do func() error) error {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := do()
		s.state.database(err)
		if err == nil {
			return nil
		}
		if !errors.Is(err, authz.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		s.Log.Warn("the directory does not answer; trying again", "err", err, "wait", wait.String())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// openLog opens the decision log the configuration asks for, if any.
func (s *server) openLog() error {
	var sink decisionlog.Sink
	switch target := s.cfg.DecisionLog.Target; target {
	case config.LogNone:
		return nil
	case config.LogStdout:
		sink = decisionlog.Stdout(s.Out)
	default:
		var err error
		sink, err = decisionlog.File(string(target), int64(s.cfg.DecisionLog.MaxSize), s.cfg.DecisionLog.Files)
		if err != nil {
			return fmt.Errorf("POSTERN_DECISION_LOG: %w", err)
		}
		s.registry.MustRegister(ops.FreeSpace("decision_log", filepath.Dir(string(target))))
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	s.log = decisionlog.New(decisionlog.Options{
		Sink: sink, Queue: s.cfg.DecisionLog.Queue, Log: s.Log, Registerer: s.registry,
		Labels: map[string]string{"id": host, "app": "postern", "version": s.build.Version},
	})
	s.onClose("decision log", s.log.Close)
	return nil
}
