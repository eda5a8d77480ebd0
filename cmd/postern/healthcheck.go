package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/authz"
)

func healthcheckCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running server whether it is ready; for images without curl",
		Long: `Asks /readyz of the ops listener named by POSTERN_OPS_LISTEN. Prints what the
server says and exits with 0 when it is ready, 6 when it is not or not there.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(s)
			if err != nil {
				return err
			}
			return ready(c.Context(), s.out, string(cfg.Ops.Listen))
		},
	}
}

func ready(ctx context.Context, out io.Writer, addr string) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz?verbose", nil)
	if err != nil {
		return usage(fmt.Errorf("POSTERN_OPS_LISTEN: %w", err))
	}
	res, err := neighbour().Do(req)
	if err != nil {
		return fmt.Errorf("no server answers on %s: %w", addr, authz.ErrUnavailable)
	}
	defer res.Body.Close()
	if _, err := io.Copy(out, io.LimitReader(res.Body, 64<<10)); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the server on %s is not ready: %w", addr, authz.ErrUnavailable)
	}
	return nil
}

// neighbour asks a server on this machine: never through a proxy that the
// environment names, and on a connection of its own, so that it has to accept one.
func neighbour() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}
