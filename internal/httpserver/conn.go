package httpserver

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Why a connection is closed at once.
const (
	refusedTotal = "total"
	refusedPerIP = "per_ip"
)

// listener puts the limits on connections, and TLS, around a listener.
func (s *Server) listener(ln net.Listener) net.Listener {
	limited := &limitedListener{Listener: ln, max: s.options.MaxConns, maxPerIP: s.options.MaxConnsPerIP, metrics: s.metrics, perIP: map[netip.Addr]int{}}
	if s.options.TLS == nil {
		return limited
	}
	return tls.NewListener(limited, s.options.TLS.Config())
}

// A limitedListener closes connections that are too many, in all or from one
// address (F29). Sockets without an address have only the first limit.
type limitedListener struct {
	net.Listener
	max, maxPerIP int
	metrics       *metrics

	mu    sync.Mutex
	open  int                // guarded by mu
	perIP map[netip.Addr]int // guarded by mu; no entry is zero
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ip := addressOf(c)
		reason := l.admit(ip)
		if reason == "" {
			return &conn{Conn: c, release: sync.OnceFunc(func() { l.release(ip) })}, nil
		}
		l.metrics.refused.WithLabelValues(reason).Inc()
		_ = c.Close() // nothing was said on it
	}
}

// admit counts a connection, or says why there may not be another one.
func (l *limitedListener) admit(ip netip.Addr) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max {
		return refusedTotal
	}
	if l.maxPerIP > 0 && ip.IsValid() {
		if l.perIP[ip] >= l.maxPerIP {
			return refusedPerIP
		}
		l.perIP[ip]++
	}
	l.open++
	return ""
}

func (l *limitedListener) release(ip netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.perIP[ip]--; l.perIP[ip] <= 0 {
		delete(l.perIP, ip)
	}
}

// addressOf returns the remote address, or the zero Addr for a socket that has
// none.
func addressOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// A conn gives its place back when it is closed.
type conn struct {
	net.Conn
	release func()
	linger  atomic.Bool
}

// What a client may go on sending while its connection is closed.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

// Close closes the connection. After an answer that came before the end of the
// request it first takes some more of the request: closing at once would reset
// the connection, and the client might never see why.
func (c *conn) Close() error {
	defer c.release()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.Load() && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))               // Close reports what is wrong
		_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, lingerBytes)) // it is thrown away
	}
	return c.Conn.Close()
}

// lingering finds the conn under a connection, or nil.
func lingering(c net.Conn) *conn {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	plain, _ := c.(*conn)
	return plain
}
