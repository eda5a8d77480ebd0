package test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server that systemd has started says when everything is served, lives as
// long as /livez answers, also while it drains, and says that it stops.
func TestTheServiceManagerHearsHowAServerIs(t *testing.T) {
	t.Parallel()
	i := install(t, "WATCHDOG_USEC=200000", "POSTERN_DRAIN_DELAY=1s")
	told := i.supervise(t)
	s := i.serve(t)
	heard := func(what string) {
		t.Helper()
		if !told.await(s.done, func(text string) bool { return strings.Contains(text, what) }) {
			t.Fatalf("got no %s:\n%s\n%s", what, told, s.stderr)
		}
	}
	heard("READY=1\nSTATUS=Serving decisions on ")
	heard("WATCHDOG=1\n")
	s.terminate(t)
	heard("STOPPING=1\n")
	s.ends(t)
	if text := told.String(); !strings.HasPrefix(text, "STATUS=Loading ") {
		t.Errorf("got %q first, want what it is doing", text)
	}
	_, stopping, _ := strings.Cut(told.String(), "STOPPING=1\n")
	if !strings.Contains(stopping, "WATCHDOG=1") {
		t.Errorf("got %q while it drained, want a sign of life", stopping)
	}
}

// A server that waits for its database is not ready yet, and is not stopped for it.
func TestAServerThatWaitsIsNotReady(t *testing.T) {
	t.Parallel()
	i := install(t, "WATCHDOG_USEC=20000", "POSTERN_DATABASE=postgres://postern@127.0.0.1:1/postern?sslmode=disable")
	told := i.supervise(t)
	cmd := i.command("serve")
	said := newRecord()
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if !said.await(nil, func(text string) bool { return strings.Count(text, "trying again") >= 2 }) {
		t.Fatalf("got %s, want it to try again", said)
	}
	if got := told.String(); strings.Contains(got, "READY") || !strings.Contains(got, "STATUS=Loading") {
		t.Errorf("got %q, want no READY", got)
	}
}

// supervise makes this test the service manager of the servers of i.
func (i *installation) supervise(t *testing.T) *record {
	t.Helper()
	path, told := filepath.Join(t.TempDir(), "notify"), newRecord()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		for buffer := make([]byte, 4096); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			_, _ = told.Write(append(buffer[:n:n], '\n'))
		}
	}()
	i.env = append(i.env, "NOTIFY_SOCKET="+path)
	return told
}

// The address may also be one of no file, as containers have it.
func TestASocketWithoutAFileIsTold(t *testing.T) {
	t.Parallel()
	name := "@postern-" + strings.ReplaceAll(t.TempDir(), "/", "-")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := install(t, "NOTIFY_SOCKET="+name).serve(t)
	buffer := make([]byte, 4096)
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for text := ""; !strings.Contains(text, "READY=1"); {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("got %q, %v\n%s", text, err, s.stderr)
		}
		text += string(buffer[:n])
	}
}
