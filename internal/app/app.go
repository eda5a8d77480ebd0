// Package app wires Postern together and runs it, so that the command and the
// tests start the very same thing. Only app knows which implementation stands
// behind an interface.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/prover"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/policies"
)

// NewEngine is the policy engine the configuration asks for, with nothing in
// force yet.
func NewEngine(cfg *config.Config, log *slog.Logger, reg prometheus.Registerer) (*policy.Engine, error) {
	o := policy.Options{
		Core:       policy.Embedded(policies.FS),
		Builtins:   cfg.PolicyBuiltins,
		Prove:      prover.New(prover.Limits{}, cfg.PolicyBuiltins),
		Interval:   cfg.PolicyPoll,
		Log:        log,
		Registerer: reg,
	}
	if cfg.Policies != "" {
		o.Core = policy.CoreAt(cfg.Policies)
	}
	for _, path := range cfg.Overlays {
		o.Overlays = append(o.Overlays, policy.OverlayAt(path))
	}
	e, err := policy.New(o)
	if err != nil {
		return nil, fmt.Errorf("POSTERN_POLICY_BUILTINS: %w", err)
	}
	return e, nil
}

// load puts the configured policy in force. A refusal names the setting that the
// policy comes from.
func load(ctx context.Context, cfg *config.Config, engine *policy.Engine) error {
	err := engine.Load(ctx)
	var refused *policy.Refusal
	switch {
	case !errors.As(err, &refused):
		return err
	case refused.Layer != policy.Core:
		return fmt.Errorf("POSTERN_OVERLAYS: %w", err)
	case cfg.Policies != "":
		return fmt.Errorf("POSTERN_POLICIES: %w", err)
	}
	return err
}

// OpenStore opens the configured directory, ready to read and write. A database
// that does not answer is an error of kind authz.ErrUnavailable.
func OpenStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (*store.Store, error) {
	return openPrepared(ctx, cfg, log, nil)
}

// openPrepared is OpenStore with what counts failures.
func openPrepared(ctx context.Context, cfg *config.Config, log *slog.Logger, metrics *store.Metrics) (*store.Store, error) {
	st, err := openStore(ctx, cfg, store.Options{Log: log, Metrics: metrics})
	if err != nil {
		return nil, err
	}
	if err := st.Prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("POSTERN_DATABASE: %s: %w", cfg.Database, err), st.Close())
	}
	return st, nil
}

// Migrate brings the schema of the configured directory to that of this binary.
func Migrate(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	st, err := openStore(ctx, cfg, store.Options{Log: log})
	if err != nil {
		return err
	}
	return errors.Join(st.Migrate(ctx), st.Close())
}

func openStore(ctx context.Context, cfg *config.Config, o store.Options) (*store.Store, error) {
	if err := cfg.MakeState(); err != nil {
		return nil, err
	}
	o.DSN, o.ReadConns = string(cfg.Database), cfg.Postgres.Connections
	o.StatementTimeout, o.Pooler = cfg.Postgres.StatementTimeout, cfg.Postgres.Pooler
	o.LookTimeout = cfg.MaxStaleness * 2 / 5 // so that a second one is still in time
	st, err := store.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("POSTERN_DATABASE: %w", err)
	}
	return st, nil
}

// Import brings records into the configured directory.
func Import(ctx context.Context, cfg *config.Config, sources []directory.Source) error {
	st, err := OpenStore(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = directory.Import(ctx, st, directory.ImportOptions{Sources: sources})
	return errors.Join(err, st.Close())
}

// decideTimeout bounds a decision from the command line, which may first have to
// read a large grant document.
const decideTimeout = 30 * time.Second

// Decide answers one request as a server with this configuration would, without
// leaving a trace in its decision log.
func Decide(ctx context.Context, cfg *config.Config, log *slog.Logger, req authz.Request) (pdp.Result, error) {
	ctx, stop := context.WithTimeout(ctx, decideTimeout)
	defer stop()
	engine, err := NewEngine(cfg, log, nil)
	if err != nil {
		return pdp.Result{}, err
	}
	if err := load(ctx, cfg, engine); err != nil {
		return pdp.Result{}, err
	}
	st, err := OpenStore(ctx, cfg, log)
	if err != nil {
		return pdp.Result{}, err
	}
	defer st.Close()
	pip := grant.New(grant.Options{Source: st, PollInterval: cfg.PollInterval, Log: log})
	following, unfollow := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- pip.Follow(following) }()
	defer func() { unfollow(); <-done }()
	if err := await(ctx, pip); err != nil {
		return pdp.Result{}, err
	}
	decider := pdp.New(pdp.Options{Policies: engine, Facts: pip})
	return decider.Evaluate(ctx, pdp.Query{API: pdp.APIEvaluation, Items: []pdp.Item{{Request: req}}})
}

// await returns once the PIP has seen the directory.
func await(ctx context.Context, pip *grant.PIP) error {
	for pip.Fresh() != nil {
		select {
		case <-ctx.Done():
			return pip.Fresh()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
