package httpserver

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
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
func (s *Server) listener(ln net.Listener) *limitedListener {
	l := &limitedListener{
		Listener: ln, max: s.options.MaxConns, maxPerIP: s.options.MaxConnsPerIP, readTimeout: s.options.ReadTimeout, metrics: s.metrics,
		open: map[*turn]struct{}{}, perIP: map[netip.Addr]int{},
	}
	if s.options.TLS != nil {
		l.tls = s.options.TLS.Config()
	}
	return l
}

// A limitedListener closes connections that are too many, in all or from one
// address (F29). Sockets without an address have only the first limit.
type limitedListener struct {
	net.Listener
	max, maxPerIP int
	readTimeout   time.Duration
	tls           *tls.Config // nil: plain HTTP
	metrics       *metrics

	mu    sync.Mutex
	open  map[*turn]struct{} // guarded by mu; one for each connection
	perIP map[netip.Addr]int // guarded by mu; no entry is zero
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, net.ErrClosed // retire said until when
		}
		if err != nil {
			return nil, err
		}
		ip, t := addressOf(c), &turn{conn: c, readTimeout: l.readTimeout}
		reason := l.admit(ip, t)
		if reason == "" {
			return l.dress(c, t, sync.OnceFunc(func() { l.release(ip, t) })), nil
		}
		l.metrics.refused.WithLabelValues(reason).Inc()
		_ = c.Close() // nothing was said on it
	}
}

// dress makes of an accepted connection what is served. What a client asks is
// noticed where it can be read: behind TLS.
func (l *limitedListener) dress(c net.Conn, t *turn, release func()) net.Conn {
	if l.tls == nil {
		return &conn{Conn: c, turn: t, release: release}
	}
	s := tls.Server(&conn{Conn: c, release: release}, l.tls)
	t.conn = s
	return &secureConn{Conn: s, turn: t}
}

// admit counts a connection, or says why there may not be another one.
func (l *limitedListener) admit(ip netip.Addr, t *turn) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.max {
		return refusedTotal
	}
	if l.maxPerIP > 0 && ip.IsValid() {
		if l.perIP[ip] >= l.maxPerIP {
			return refusedPerIP
		}
		l.perIP[ip]++
	}
	l.open[t] = struct{}{}
	return ""
}

func (l *limitedListener) release(ip netip.Addr, t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, t)
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
	turn    *turn // nil: that of the secureConn around it
	release func()
	linger  atomic.Bool
}

func (c *conn) Read(p []byte) (int, error) {
	if c.turn == nil {
		return c.Conn.Read(p)
	}
	return c.turn.read(p)
}

// A secureConn is TLS over a conn.
type secureConn struct {
	*tls.Conn
	turn *turn
}

func (c *secureConn) Read(p []byte) (int, error) { return c.turn.read(p) }

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
	if secure, ok := c.(*secureConn); ok {
		c = secure.NetConn()
	}
	plain, _ := c.(*conn)
	return plain
}
