package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Listen opens a listener. The address is host:port; unix:///path for a socket
// that the owner and the owner's group may connect to; or fd://N for an open
// listening socket that was handed over as file descriptor N.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		return listenUnix(ctx, path)
	}
	if fd, ok := strings.CutPrefix(address, "fd://"); ok {
		return listenFD(fd)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ln, nil
}

func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("listen on unix://%s: %w", path, err)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on unix://%s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on unix://%s: %w", path, err), ln.Close())
	}
	unix, ok := ln.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listen on unix://%s: it is no socket", path), ln.Close())
	}
	return &socket{unix, path}, nil
}

// A socket is a unix socket whose file is ours.
type socket struct {
	*net.UnixListener
	path string
}

// lastAccept is for how long those are accepted who connected before the file
// was removed. They wait in the socket already.
const lastAccept = 20 * time.Millisecond

// retire removes the file, so that nobody can connect any more, and lets Accept
// end with os.ErrDeadlineExceeded once it has accepted who had connected: the
// system would reset them. From now on the path may be another server's.
func (s *socket) retire() error {
	s.SetUnlinkOnClose(false)
	err := os.Remove(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.SetDeadline(time.Now().Add(lastAccept)))
}

// removeStale removes the socket of a server that died. It removes nothing but a
// socket that refuses connections.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is no socket: remove it or choose another path")
	}
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(errors.New("another server listens there: stop it or choose another path"), c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("there is a socket, and whether it is in use cannot be known: %w", err)
	}
	return os.Remove(path)
}

func listenFD(fd string) (net.Listener, error) {
	n, err := strconv.ParseUint(fd, 10, 16)
	if err != nil || n < 3 {
		return nil, fmt.Errorf("listen on fd://%s: want the number of a file descriptor, 3 or above", fd)
	}
	file := os.NewFile(uintptr(n), "fd://"+fd)
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on fd://%s: it is no open listening socket: %w", fd, err), file.Close())
	}
	if err := file.Close(); err != nil { // ln has a copy
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}
