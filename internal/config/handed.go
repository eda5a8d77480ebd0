package config

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// HandedOver tells whether the address is a socket that was handed over to this
// process. Asked before a listener takes it, that is: afterwards its number may be
// another's.
func (a Address) HandedOver() bool {
	_, there := a.handed()
	return there
}

// handedLocal tells whether the address is a socket that was handed over and that
// only this machine can reach: a unix socket, or one bound to a loopback address.
func (a Address) handedLocal() bool {
	at, there := a.handed()
	if !there {
		return false
	}
	switch at := at.(type) {
	case *syscall.SockaddrUnix:
		return true
	case *syscall.SockaddrInet4:
		return netip.AddrFrom4(at.Addr).IsLoopback()
	case *syscall.SockaddrInet6:
		return netip.AddrFrom16(at.Addr).Unmap().IsLoopback()
	}
	return false
}

// handed is what a socket that was handed over is bound to, or nil where that is
// of a kind that this program does not know, and whether there is one.
func (a Address) handed() (at syscall.Sockaddr, there bool) {
	number, ok := strings.CutPrefix(string(a), handedPrefix)
	fd, err := strconv.Atoi(number)
	if !ok || err != nil {
		return nil, false
	}
	at, err = syscall.Getsockname(fd)
	return at, err == nil || errors.Is(err, syscall.EAFNOSUPPORT)
}
