package test

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd listens on the socket, and who asks there starts the server. A unix
// socket asks for no key, as one that the server makes itself does.
func TestADecisionThroughASocketThatSystemdHandsOver(t *testing.T) {
	t.Parallel()
	i := install(t, "POSTERN_DECISIONS_LISTEN=fd://3")
	i.run(t, "import", acme(t))
	path := socketPath(t)
	arguments := []string{"--listen=" + path}
	for _, setting := range i.env {
		arguments = append(arguments, "--setenv="+setting)
	}
	answers := make(chan heard, 1)
	go func() { answers <- askedAt(path) }()
	s, err := launch(exec.Command("systemd-socket-activate", append(arguments, i.binary, "serve")...), nil)
	if err != nil {
		t.Fatalf("(Debian package systemd) %v", err)
	}
	t.Cleanup(func() { _ = s.stop() })
	if got := <-answers; got.err != nil || got.status != http.StatusOK || !strings.Contains(got.body, `"decision":true`) {
		t.Errorf("got %v %d %s, want a decision", got.err, got.status, got.body)
	}
	if !strings.Contains(s.stderr.String(), `"auth":"none"`) {
		t.Errorf("got %s, want a unix socket that asks for no key", s.stderr)
	}
}

// Whoever asks while the server is started anew waits, and is not refused: the
// socket is systemd's all the time.
func TestNobodyIsRefusedWhileAServerStartsAnew(t *testing.T) {
	t.Parallel()
	i := install(t, "POSTERN_DECISIONS_LISTEN=fd://3")
	i.run(t, "import", acme(t))
	path := socketPath(t)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for range 2 {
		answers := make(chan heard, 1)
		go func() { answers <- askedAt(path) }() // nobody is there yet
		cmd := i.command("serve")
		cmd.ExtraFiles = []*os.File{socket}
		s, err := launch(cmd, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := <-answers; got.err != nil || got.status != http.StatusOK {
			t.Errorf("got %v %d %s, want a decision", got.err, got.status, got.body)
		}
		if err := s.stop(); err != nil {
			t.Errorf("got %v, want it to end in order", err)
		}
	}
}

// heard is what an application got, or why it got nothing.
type heard struct {
	exchange
	err error
}

// askedAt asks at a socket as soon as somebody listens there.
func askedAt(path string) (a heard) {
	q, err := ask([]string{"login:rosa", "service.view", "account:a-1001"})
	if err != nil {
		return heard{err: err}
	}
	for enough := time.Now().Add(patience); time.Now().Before(enough); time.Sleep(10 * time.Millisecond) {
		a.exchange, a.err = dial(path).send(http.MethodPost, evaluation, q.json())
		if !errors.Is(a.err, fs.ErrNotExist) && !errors.Is(a.err, syscall.ECONNREFUSED) {
			break
		}
	}
	return a
}

// socketPath is where a socket may be: its path may have 107 bytes.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern-socket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "decisions.sock")
}
