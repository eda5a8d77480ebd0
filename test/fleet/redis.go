package fleet

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a server may take to start on a busy machine.
const patience = 30 * time.Second

// A Redis is a redis-server with a directory and a port of its own, which stay
// the same when it is started again. It saves its data only when it is told to
// (SAVE), and reads what was saved when it starts.
type Redis struct {
	*Process
	addr string
	dir  string
	cmd  []string // what runs it
	said *bytes.Buffer
}

// NewRedis starts a server on 127.0.0.1. More options are those of
// redis-server, such as "--maxmemory", "1mb". Stop it when the test is done.
func NewRedis(options ...string) (*Redis, error) {
	return newRedis("127.0.0.1", nil, options...)
}

// newRedis starts a server on an address, by a command before its own if one is
// given.
func newRedis(host string, before []string, options ...string) (*Redis, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("this test needs Redis: install the package redis-server (apt-get install redis-server): %w", err)
	}
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &Redis{addr: net.JoinHostPort(host, port), dir: dir}
	r.cmd = append(before, binary)
	if len(options) > 0 && options[0] == "--sentinel" { // Sentinel wants its file, which it writes, first
		r.cmd, options = append(r.cmd, filepath.Join(dir, "sentinel.conf"), "--sentinel"), options[1:]
		if err := os.WriteFile(filepath.Join(dir, "sentinel.conf"), nil, 0o600); err != nil {
			return nil, err
		}
	}
	r.cmd = append(r.cmd, "--bind", host, "--port", port, "--dir", dir, "--protected-mode", "no")
	if !strings.Contains(strings.Join(r.cmd, " "), "--sentinel") {
		r.cmd = append(r.cmd, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")
	}
	r.cmd = append(r.cmd, options...)
	if err := r.Restart(); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// Addr is its host:port.
func (r *Redis) Addr() string { return r.addr }

// Restart starts a server that has ended, and waits until it answers.
func (r *Redis) Restart() error {
	r.said = new(bytes.Buffer)
	cmd := exec.Command(r.cmd[0], r.cmd[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, r.said, r.said
	p, err := Start(cmd, nil, syscall.SIGKILL)
	if err != nil {
		return err
	}
	r.Process = p
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if answer, err := r.Do("PING"); err == nil && answer == "PONG" {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("redis-server ended at once:\n%s", r.said)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("redis-server does not answer on %s", r.addr)
		}
	}
}

// Stop ends the server and removes its files.
func (r *Redis) Stop() {
	if r.Process != nil {
		r.Kill()
	}
	_ = os.RemoveAll(r.dir)
}

// Do runs one command on a connection of its own and returns its answer: a
// status, a number or a string as it is, a list by lines. An answer that is an
// error is one.
func (r *Redis) Do(words ...string) (string, error) { return doRedis(r.addr, words...) }

// freePort is one that nothing listens on.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port), nil
}
