// Package test runs Postern as its users do: the built binary, started with an
// environment, asked over HTTP. What it says about the code it reads off the
// code.
package test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/mail/mailtest"
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(mailtest.Variable); ok {
		if err := mailtest.Serve(text); err != nil {
			log.Fatal(err)
		}
		return
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "postern-test")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	scratch = dir
	defer postgres.Stop()
	defer faulty.Stop()
	code := m.Run()
	if leaks := written.leaks(); len(leaks) > 0 {
		return max(code, 1), fmt.Errorf("secrets were written where others read:\n%s", strings.Join(leaks, "\n"))
	}
	return code, nil
}

// scratch is a directory for the time of all tests.
var scratch string

// binary is the program under test, built once. POSTERN_BINARY names another
// one, such as one built with -cover.
var binary = sync.OnceValues(func() (string, error) {
	if other := os.Getenv("POSTERN_BINARY"); other != "" {
		return filepath.Abs(other)
	}
	path := filepath.Join(scratch, "postern")
	out, err := exec.Command("go", "build", "-o", path, module+"cmd/postern").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("postern does not build: %w\n%s", err, bytes.TrimSpace(out))
	}
	return path, nil
})

// program is the binary for a test that cannot go on without.
func program(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
