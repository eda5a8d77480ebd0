package config

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// What is handed over is as safe as the same socket by its address.
func TestASocketThatIsHandedOverIsLookedAt(t *testing.T) {
	loopback6 := [16]byte{15: 1}
	for name, tc := range map[string]struct {
		family  int
		at      syscall.Sockaddr // nil: not bound, which is every address
		network bool
	}{
		"a unix socket":            {syscall.AF_UNIX, nil, false},
		"a loopback address":       {syscall.AF_INET, &syscall.SockaddrInet4{Addr: [4]byte{127, 8, 8, 8}}, false},
		"the loopback of IPv6":     {syscall.AF_INET6, &syscall.SockaddrInet6{Addr: loopback6}, false},
		"every address":            {syscall.AF_INET, nil, true},
		"every address of IPv6":    {syscall.AF_INET6, nil, true},
		"a socket of another kind": {syscall.AF_NETLINK, nil, true},
	} {
		address := handOver(t, tc.family, tc.at)
		for _, listener := range []string{"DECISIONS", "MANAGEMENT"} {
			c, err := Load([]string{home, "POSTERN_" + listener + "_LISTEN=" + address})
			refused := err != nil && strings.Contains(err.Error(), "POSTERN_"+listener+"_LISTEN is a socket that was handed over, and neither a unix socket nor one of a loopback address: set POSTERN_"+listener+"_TLS_CERT and")
			if refused != tc.network || err == nil && c.Decisions.AuthMode() != AuthNone {
				t.Errorf("%s for %s: got %v, want it refused: %v", name, listener, err, tc.network)
			}
		}
		c, err := Load([]string{home, "POSTERN_ALLOW_PLAINTEXT=true", "POSTERN_DECISIONS_LISTEN=" + address})
		if err != nil || (c.Decisions.AuthMode() == AuthKey) != tc.network {
			t.Errorf("%s: got %v, want a key asked for: %v", name, err, tc.network)
		}
	}
}

// What was looked at is known, also when a listener has taken the socket.
func TestASocketIsLookedAtOnce(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{home, fmt.Sprintf("POSTERN_DECISIONS_LISTEN=fd://%d", fd)})
	_ = syscall.Close(fd)
	if err != nil || c.Decisions.AuthMode() != AuthNone {
		t.Errorf("got %v, want it to ask for nothing", err)
	}
}

// handOver opens a socket as systemd does, for the length of a test.
func handOver(t *testing.T, family int, at syscall.Sockaddr) string {
	t.Helper()
	kind := syscall.SOCK_STREAM
	if family == syscall.AF_NETLINK {
		kind = syscall.SOCK_RAW
	}
	fd, err := syscall.Socket(family, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if at != nil {
		if err := syscall.Bind(fd, at); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("fd://%d", fd)
}
