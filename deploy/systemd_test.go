package deploy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

// analyze runs systemd-analyze on the units as they are installed, of which every
// program is there.
func analyze(t *testing.T, broken *strings.Replacer, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for file, installed := range map[string]string{
		"postern.service":         "postern.service",
		"postern-sidecar.service": "postern-sidecar.service",
		"postern-sidecar.socket":  "postern-sidecar.socket",
		"postgres.conf":           "postern.service.d/postgres.conf",
		"socket.conf":             "postern-sidecar.service.d/socket.conf",
	} {
		text := strings.ReplaceAll(read(t, "systemd/"+file), "/usr/local/bin/postern", "/bin/true")
		path := filepath.Join(dir, installed)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(broken.Replace(text)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestUnitsMayDoLittle(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"postern.service", "postern-sidecar.service"} {
		security := []string{"security", "--offline=yes", "--no-pager", "--threshold=15", "./" + unit}
		if out, err := analyze(t, strings.NewReplacer(), security...); err != nil {
			t.Errorf("%s: want an exposure of 1.5 or less (Debian package systemd): %v\n%s", unit, err, out)
		}
		if _, err := analyze(t, strings.NewReplacer("RestrictNamespaces=yes\n", "", "CapabilityBoundingSet=\n", ""), security...); err == nil {
			t.Errorf("%s: got no complaint about one that may make namespaces and take capabilities", unit)
		}
	}
}

func TestUnitsAreWhatSystemdReads(t *testing.T) {
	t.Parallel()
	verify := []string{"verify", "--man=no", "./postern.service", "./postern-sidecar.service", "./postern-sidecar.socket"}
	if out, err := analyze(t, strings.NewReplacer(), verify...); err != nil || out != "" {
		t.Errorf("got %v\n%s", err, out)
	}
	for name, broken := range map[string]*strings.Replacer{
		"a misspelt name":         strings.NewReplacer("WatchdogSec=", "WatchDogSec="),
		"a misspelt value":        strings.NewReplacer("Type=notify", "Type=notfiy"),
		"a duration that is none": strings.NewReplacer("TimeoutStopSec=40s", "TimeoutStopSec=soon"),
		"a misspelt drop-in":      strings.NewReplacer("After=postern-sidecar.socket", "Afterwards=postern-sidecar.socket"),
		"a mode that is none":     strings.NewReplacer("SocketMode=0660", "SocketMode=rw"),
	} {
		if out, _ := analyze(t, broken, verify...); out == "" {
			t.Errorf("%s: got no complaint", name)
		}
	}
}

// Every setting is one that the program takes, with the files that are handed over.
func TestUnitsAreAcceptedByTheProgram(t *testing.T) {
	t.Parallel()
	sidecar := []string{"POSTERN_DIRECTORY_URL=https://postern.example.com:8182", "POSTERN_ONLY=decisions"}
	for name, unit := range map[string]struct {
		files []string
		more  []string // what the unit reads from an EnvironmentFile, or is told by a flag
	}{
		"alone":                 {[]string{"systemd/postern.service"}, nil},
		"PostgreSQL":            {[]string{"systemd/postern.service", "systemd/postgres.conf"}, nil},
		"a sidecar":             {[]string{"systemd/postern-sidecar.service"}, sidecar},
		"a sidecar on a socket": {[]string{"systemd/postern-sidecar.service", "systemd/socket.conf"}, sidecar},
	} {
		environ := append([]string{"STATE_DIRECTORY=/var/lib/postern"}, unit.more...)
		for _, file := range unit.files {
			text := strings.ReplaceAll(read(t, file), "fd://3", handed(t))
			environ = append(environ, credentials(t, text)...)
		}
		if _, err := config.Load(environ); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// handed is the address of a unix socket that is open in this process, as systemd
// hands one over.
func handed(t *testing.T) string {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = file.Close(), ln.Close() })
	return fmt.Sprintf("fd://%d", file.Fd())
}

// credentials are the settings of a unit, of which every credential that it
// loads is there, and no other.
func credentials(t *testing.T, unit string) []string {
	t.Helper()
	dir := t.TempDir()
	for _, id := range matches(unit, `(?m)^LoadCredential=(\w+):/etc/postern/`) {
		content := strings.Repeat("s", 32)
		if id == "database" {
			content = "postgres://postern:pw@db.example.com/postern?sslmode=verify-full"
		}
		if err := os.WriteFile(filepath.Join(dir, id), []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	settings := matches(strings.ReplaceAll(unit, "%d", dir), `(?m)^Environment=(POSTERN_\w+=.*)$`)
	if len(settings) == 0 {
		t.Error("got no settings")
	}
	return settings
}

// A server that is told to stop is given the time that README.md asks for.
func TestUnitsWaitForTheDrain(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{"systemd/postern.service": "40s", "systemd/postern-sidecar.service": "30s"} {
		if got := matches(read(t, file), `TimeoutStopSec=(\w+)`); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %v, want %s: the drain delay, and 25 s more", file, got, want)
		}
	}
}
