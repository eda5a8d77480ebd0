package test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An installation is a state directory with the environment of the programs
// that share it.
type installation struct {
	binary string
	dir    string
	env    []string
}

// install makes an empty one for a test. More settings may override its own.
func install(t *testing.T, settings ...string) installation {
	t.Helper()
	dir := t.TempDir()
	env := append([]string{
		"PATH=" + os.Getenv("PATH"),
		"GOCOVERDIR=" + os.Getenv("GOCOVERDIR"),
		"POSTERN_STATE=" + filepath.Join(dir, "state"),
		"POSTERN_DECISIONS_LISTEN=127.0.0.1:0",
		"POSTERN_MANAGEMENT_LISTEN=127.0.0.1:0",
		"POSTERN_OPS_LISTEN=127.0.0.1:0",
	}, unhurried()...)
	return installation{program(t), dir, append(env, settings...)}
}

// elsewhere is another one with the same settings and a state directory of its own.
func (i installation) elsewhere(t *testing.T) installation {
	t.Helper()
	i.dir = t.TempDir()
	i.env = append(slices.Clone(i.env), "POSTERN_STATE="+i.dir)
	return i
}

// unhurried are settings for a machine that does other things meanwhile.
func unhurried() []string {
	return []string{
		"POSTERN_DECISIONS_TIMEOUT=20s",
		"POSTERN_MAX_STALENESS=30s",
		"POSTERN_POLL_INTERVAL=50ms",
		"POSTERN_POLICY_POLL=100ms",
		"POSTERN_DRAIN_DELAY=0s",
		"POSTERN_MANAGEMENT_TIMEOUT=20s",
		"POSTERN_MANAGEMENT_RATE=10000",
		"POSTERN_MANAGEMENT_STRANGER_RATE=10000",
		"POSTERN_INVITATION_COOLDOWN=0s",
	}
}

// command prepares the program.
func (i installation) command(args ...string) *exec.Cmd {
	cmd := exec.Command(i.binary, args...)
	cmd.Env, cmd.Dir = i.env, i.dir
	return cmd
}

// run runs the program, which must do what it is asked, and returns its stdout.
func (i installation) run(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	cmd := i.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("postern %q: %v\n%s%s", args, err, &out, &errs)
	}
	return out.String()
}

// serve starts a server that ends with the test.
func (i installation) serve(t *testing.T) *server {
	t.Helper()
	s, err := start(i.binary, i.dir, i.env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	return s
}

// file writes a file and returns its path.
func (i installation) file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// decides asks one question, such as "login:rosa service.view account:a-1001",
// and fails the test if there is no answer.
func (s *server) decides(t *testing.T, words string) bool {
	t.Helper()
	q, err := ask(strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.decisions.send(http.MethodPost, evaluation, q.json())
	if err != nil {
		t.Fatal(err)
	}
	a, err := x.decision()
	if err != nil {
		t.Fatalf("%s: %v\n%s", words, err, x)
	}
	return *a.Decision
}

// lines joins records of the import format.
func lines(records ...string) string { return strings.Join(records, "\n") + "\n" }

func company(organization string, n int) string {
	return fmt.Sprintf(`{"type":"company","id":"%s-%d","organization":"%s"}`, organization, n, organization)
}

// acme is the path of the directory that most tests use.
func acme(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("acme.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
