package test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What only shows when a server starts names its setting, too: config --check
// opens nothing and asks nobody.
func TestEveryFaultAtTheStartNamesItsVariable(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	dir := t.TempDir()
	for name, text := range map[string]string{"broken/.manifest": `{"roots":["custom"]}`, "broken/x.rego": "package custom\nfoo {{", "empty/x": "", "none.tar.gz": "no", "keys.json": "{}", "none.db": strings.Repeat("no ", 100), "state/secret": "open"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = "127.0.0.1:1"
	secret := "POSTERN_SECRET=" + strings.Repeat("s", 32)
	mails := []string{"POSTERN_MAIL_FROM=postern@portal.example", "POSTERN_PORTAL_URLS=https://portal.example"}
	for _, settings := range [][]string{ // the first is what is wrong
		{"POSTERN_OPS_LISTEN=" + taken.Addr().String()},
		{"POSTERN_DECISIONS_LISTEN=" + taken.Addr().String()},
		{"POSTERN_DECISIONS_LISTEN=unix:///dev/null/x.sock"},
		{"POSTERN_MANAGEMENT_LISTEN=" + taken.Addr().String()},
		{"POSTERN_DECISION_LOG=/dev/null/decisions.ndjson"},
		{"POSTERN_STATE=/dev/null/state"},
		{"POSTERN_SECRET=", "POSTERN_STATE=" + filepath.Join(dir, "state")},
		{"POSTERN_DATABASE=sqlite:/dev/null/postern.db"},
		{"POSTERN_DATABASE=sqlite:" + filepath.Join(dir, "none.db")},
		{"POSTERN_DATABASE=postgres://u:p@" + nobody + "/x"},
		{"POSTERN_POLICIES=" + filepath.Join(dir, "empty")},
		{"POSTERN_POLICIES=" + filepath.Join(dir, "none.tar.gz")},
		{"POSTERN_OVERLAYS=" + filepath.Join(dir, "broken")},
		{"POSTERN_POLICY_BUILTINS=io.jwt.nothing"},
		{"POSTERN_JWT_KEYS=" + filepath.Join(dir, "keys.json"), "POSTERN_JWT_ISSUER=i", "POSTERN_JWT_AUDIENCE=a"},
		{"POSTERN_JWT_KEYS=http://" + nobody + "/", "POSTERN_JWT_ISSUER=i", "POSTERN_JWT_AUDIENCE=a"},
		append([]string{"POSTERN_MAIL=file:///dev/null/mails"}, mails...),
		append([]string{"POSTERN_MAIL=file:///proc"}, mails...), // where nobody makes a file
		{"POSTERN_DIRECTORY_URL=http://" + nobody, "POSTERN_DIRECTORY_TOKEN=t", secret},
		{"POSTERN_REDIS_ADDRS=" + nobody, secret},
	} {
		t.Run(settings[0], func(t *testing.T) { t.Parallel(); names(t, settings) })
	}
}

// names wants a server to name the first of the settings, as its last words or in
// a message at level warn or above.
func names(t *testing.T, settings []string) {
	variable, _, _ := strings.Cut(settings[0], "=")
	wantSaid(t, install(t, settings...), variable, func(text string) bool {
		for line := range strings.Lines(text) {
			if strings.Contains(line, variable) && !strings.Contains(line, `"level":"INFO"`) {
				return true
			}
		}
		return false
	})
}

// wantSaid runs a server until it has said what is looked for.
func wantSaid(t *testing.T, i installation, what string, found func(text string) bool) {
	t.Helper()
	cmd, said, ended := i.command("serve"), newRecord(), make(chan struct{})
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, done := context.WithCancel(t.Context())
	defer done()
	context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	go func() { _ = cmd.Wait(); close(ended) }() // it fails, or is killed
	if !said.await(ended, found) {
		t.Errorf("got no word of %s in\n%s", what, said)
	}
	done()
	<-ended
}
