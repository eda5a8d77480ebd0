package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/demo"
	"github.com/postern-authz/postern/internal/directory"
)

// serveDemo serves the demo portal from a state directory that is removed when
// it ends. Every setting but those of the directory is as the environment says.
func serveDemo(c *cobra.Command, s streams) (err error) {
	state, err := os.MkdirTemp("", "postern-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	s.environ = demoEnviron(s.environ, state)
	cfg, err := load(s)
	if err != nil {
		return err
	}
	if err := app.Import(c.Context(), cfg, []directory.Source{demo.Source()}); err != nil {
		return err
	}
	return app.Serve(c.Context(), cfg, app.Options{
		Log: logger(s, cfg), Out: s.out,
		Serving: func(a app.Addresses) { printDemo(s.out, a) },
	})
}

// demoEnviron is the environment with a directory of the demo's own. What is not
// set is set for somebody who watches: readable messages, no waiting at the end.
func demoEnviron(environ []string, state string) []string {
	demo := []string{"POSTERN_STATE=" + state, "POSTERN_DATABASE=sqlite:" + filepath.Join(state, "demo.db")}
	defaults := []string{"POSTERN_LOG_LEVEL=warn", "POSTERN_LOG_FORMAT=text", "POSTERN_DRAIN_DELAY=0s"}
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case slices.Contains([]string{"POSTERN_STATE", "POSTERN_DATABASE", "POSTERN_SECRET", "POSTERN_SECRET_FILE"}, name):
		case strings.HasPrefix(name, "POSTERN_REDIS_"): // which other servers share
		default:
			demo = append(demo, v)
		}
	}
	return append(defaults, demo...)
}

// printDemo says what listens where, and what can be asked. The commands work as
// they stand.
func printDemo(w io.Writer, a app.Addresses) {
	url, flags := reach(a.Decisions)
	ask := func(path, body string) string {
		return fmt.Sprintf("curl -s%s %s/access/v1/%s -H 'Content-Type: application/json' -d '%s'", flags, url, path, body)
	}
	_, _ = fmt.Fprintf(w, `Postern serves a demo portal: the carrier Northline, its customers ACME and
Globex, and the partner Orchard. It is gone when you press Ctrl-C.

decisions       %s
administration  %s
ops             http://%s (/metrics, /readyz)

# Rosa is a Regular user of ACME: she may see the service a-1001.

%s

# Sam is in ACME's Support: he may not see an invoice, and is told why.

%s

# Three questions at once: rosa on her own account, on another, and on Globex.

%s

`, url+flags, administration(a), a.Ops,
		ask("evaluation", `{"subject":{"type":"login","id":"rosa"},"action":{"name":"service.view"},"resource":{"type":"account","id":"a-1001"}}`),
		ask("evaluation", `{"subject":{"type":"login","id":"sam"},"action":{"name":"invoice.view"},"resource":{"type":"invoice","id":"2026-11","properties":{"account":"b-1900"}}}`),
		ask("evaluations", `{"subject":{"type":"login","id":"rosa"},"action":{"name":"service.view"},"evaluations":[{"resource":{"type":"account","id":"a-1001"}},{"resource":{"type":"account","id":"a-2001"}},{"resource":{"type":"account","id":"a-7001"}}]}`))
}

// administration says where it is, and with which key: the demo's directory is
// gone when it ends, and so is the key.
func administration(a app.Addresses) string {
	if a.Management == nil {
		return "none"
	}
	url, flags := reach(a.Management)
	key, err := os.ReadFile(a.OperatorKey)
	if err != nil {
		return url + flags
	}
	return url + flags + "\noperator key    " + strings.TrimSpace(string(key))
}

// reach is how curl reaches a listener: by a URL, and perhaps by a socket.
func reach(at net.Addr) (url, flags string) {
	if at.Network() == "unix" {
		return "http://postern", " --unix-socket " + at.String()
	}
	return "http://" + at.String(), ""
}
