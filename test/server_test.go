package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A server is a running "postern serve".
type server struct {
	decisions, ops endpoint
	administration endpoint
	stdout, stderr *record // stdout is the decision log
	cmd            *exec.Cmd
	done           chan struct{} // closed when it has ended
	err            error         // how it ended; read after done
}

// An endpoint is one listener of a server.
type endpoint struct {
	base   string // http://host:port
	client *http.Client
}

// start starts a server and waits until it serves. What it says when it does not
// is in the error.
func start(binary, dir string, env []string, flags ...string) (*server, error) {
	cmd := exec.Command(binary, append([]string{"serve"}, flags...)...)
	cmd.Dir, cmd.Env = dir, env
	return launch(cmd, flags)
}

// launch starts the command of a server with these flags.
func launch(cmd *exec.Cmd, flags []string) (*server, error) {
	s := &server{cmd: cmd, stdout: newRecord(), stderr: newRecord(), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if !s.serves(flags) {
		return s, fmt.Errorf("the server does not serve: %v\n%s%s", s.kill(), s.stdout, s.stderr)
	}
	return s, nil
}

// serves waits until the server says where it serves: in its log, or, as a demo,
// to whoever started it.
func (s *server) serves(flags []string) bool {
	if slices.Contains(flags, "--demo") {
		return s.stdout.await(s.done, func(text string) bool {
			s.decisions, s.ops, s.administration = shown(text, "decisions"), shown(text, "ops"), shown(text, "administration")
			return s.decisions.base != "" && s.ops.base != ""
		})
	}
	return s.stderr.await(s.done, func(text string) bool {
		s.decisions, s.ops, s.administration = logged(text, "serving decisions"), logged(text, "serving ops"), logged(text, "serving administration")
		last := s.decisions
		if slices.Contains(flags, "--only=management") {
			last = s.administration
		}
		return last.base != "" && s.ops.base != ""
	})
}

// shown finds the endpoint that the demo shows after a word.
func shown(text, word string) endpoint {
	found := regexp.MustCompile(`(?m)^` + word + ` +http://([^ \n]+)`).FindStringSubmatch(text)
	if found == nil {
		return endpoint{}
	}
	return dial(found[1])
}

// logged finds the endpoint of the log line with a message.
func logged(log, message string) endpoint {
	for line := range strings.Lines(log) {
		var said struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == message {
			return dial(said.Addr)
		}
	}
	return endpoint{}
}

// dial makes the endpoint of an address: host:port, or the path of a
// socket.
func dial(addr string) endpoint {
	network, base := "tcp", "http://"+addr
	if path := strings.TrimPrefix(addr, "unix://"); strings.HasPrefix(path, "/") {
		network, addr, base = "unix", path, "http://localhost"
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	return endpoint{base, &http.Client{Transport: transport, Timeout: patience}}
}

// stop ends the server as an operator does and returns how it ended.
func (s *server) stop() error { return s.end(syscall.SIGTERM) }

// kill ends the server as a power cut does.
func (s *server) kill() error { return s.end(syscall.SIGKILL) }

func (s *server) end(signal syscall.Signal) error {
	if signal == syscall.SIGTERM {
		s.keep()
	}
	defer s.said()
	for _, e := range []endpoint{s.decisions, s.ops, s.administration} {
		if e.client != nil {
			e.client.CloseIdleConnections()
		}
	}
	_ = s.cmd.Process.Signal(signal) // it may have ended by itself
	select {
	case <-s.done:
		return s.err
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.done
		return fmt.Errorf("the server did not end within %v:\n%s", patience, s.stderr)
	}
}
