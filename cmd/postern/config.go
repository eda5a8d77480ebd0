package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/config"
)

func configCommand(s streams) *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "config",
		Short: "Print the settings in effect, secrets redacted",
		Long: `Prints every setting in effect and where its value comes from; secrets are never
shown. With --check it prints nothing and only says whether the settings are
valid. What each setting does: postern help configuration.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := load(s)
			if err != nil || check {
				return err
			}
			return cfg.Print(s.out)
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only say whether the settings are valid")
	return c
}

// load reads the settings. Wrong ones end the program with the exit code for
// that, every fault on a line of its own.
func load(s streams) (*config.Config, error) {
	cfg, err := config.Load(s.environ)
	if err != nil {
		return nil, usage(fmt.Errorf("the configuration is refused:\n%w", err))
	}
	return cfg, nil
}

// logger writes what happens to stderr, in the form and from the level set.
func logger(s streams, cfg *config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(s.err, o))
	}
	return slog.New(slog.NewJSONHandler(s.err, o))
}

// quiet is the logger of commands that run and end: only what went wrong.
func quiet(s streams) *slog.Logger {
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
}
