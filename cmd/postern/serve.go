package main

import (
	"context"
	"sync"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/config"
)

func serveCommand(s streams) *cobra.Command {
	var withDemo bool
	var only string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve decisions",
		Long: `Serves decisions on POSTERN_DECISIONS_LISTEN and metrics and probes on
POSTERN_OPS_LISTEN, until it is told to end by SIGTERM or an interrupt. With no
setting at all it uses an SQLite file in the state directory, the embedded
policy, and loopback addresses. Settings: postern help configuration.

With --demo it serves a carrier's portal from a directory of its own, which is
gone when it ends, and prints what can be asked of it.

With --only decisions it serves no administration, and with POSTERN_DIRECTORY_URL
it needs no database: it follows the directory of another server. With --only
management it answers no application. See: postern help fleet.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if withDemo {
				return serveDemo(c, s)
			}
			if only != "" {
				s.environ = append(s.environ[:len(s.environ):len(s.environ)], config.Prefix+"ONLY="+only)
			}
			cfg, err := load(s)
			if err != nil {
				return err
			}
			if err := claimed(s.environ, cfg); err != nil {
				return err
			}
			return serveSupervised(c.Context(), s, cfg)
		},
	}
	c.Flags().StringVar(&only, "only", "", "decisions or management: serve nothing else (default POSTERN_ONLY)")
	c.Flags().BoolVar(&withDemo, "demo", false, "serve a demo portal from a directory of its own")
	c.MarkFlagsMutuallyExclusive("only", "demo")
	return c
}

// serveSupervised serves, and tells the service manager how it goes.
func serveSupervised(ctx context.Context, s streams, cfg *config.Config) error {
	log := logger(s, cfg)
	manager, ended := supervisorOf(s.environ, log), make(chan struct{})
	manager.tell("STATUS=Loading the policy and opening the directory")
	var attending sync.WaitGroup
	defer attending.Wait()
	defer close(ended)
	return app.Serve(ctx, cfg, app.Options{Log: log, Out: s.out, Serving: func(a app.Addresses) {
		attending.Go(func() { manager.attend(ctx, a, ended) })
	}})
}
