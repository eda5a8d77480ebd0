package fleet

import (
	"io"
	"net"
	"sync"
	"time"
)

// A pipe is one connection through a proxy.
type pipe struct {
	proxy          *Proxy
	client, server net.Conn // server is nil when it could not be reached
	once           sync.Once
	done           chan struct{} // closed when it was reset
}

// reset ends both sides without a farewell, as a server does that is killed.
func (c *pipe) reset() {
	for _, side := range []net.Conn{c.client, c.server} {
		if tcp, ok := side.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
	c.close()
}

func (c *pipe) close() {
	c.once.Do(func() {
		close(c.done)
		for _, side := range []net.Conn{c.client, c.server} {
			if side != nil {
				_ = side.Close()
			}
		}
	})
}

// pump passes on what one side sends, and then that it sends no more. line is
// called under the proxy's lock.
func (c *pipe) pump(to, from net.Conn, line func() Line) {
	chunk := make([]byte, 32<<10)
	passed, version := int64(0), -1
	for {
		n, err := from.Read(chunk)
		if err != nil {
			c.finish(err, to, line)
			return
		}
		l, set, ok := c.passes(line)
		if !ok || !c.late(l.Latency) {
			return
		}
		if set != version {
			passed, version = 0, set
		}
		part := chunk[:n]
		if l.CutAfter > 0 {
			part = part[:min(int64(n), l.CutAfter-passed)]
		}
		c.proxy.corrupt(part, l.Corrupt)
		_, err = to.Write(part)
		passed += int64(len(part))
		if err != nil || l.CutAfter > 0 && passed >= l.CutAfter {
			c.reset()
			return
		}
	}
}

// finish says on how one side ended, once that may pass: it sends no more, or
// is gone.
func (c *pipe) finish(how error, to net.Conn, line func() Line) {
	half, ok := to.(interface{ CloseWrite() error })
	if _, _, passes := c.passes(line); !passes || !ok || how != io.EOF || half.CloseWrite() != nil {
		c.reset()
	}
}

// passes waits while a line is stalled. It returns the line, its version, and
// false if the connection is over.
func (c *pipe) passes(line func() Line) (Line, int, bool) {
	for {
		c.proxy.mu.Lock()
		l, version, changed := line(), c.proxy.version, c.proxy.changed
		c.proxy.mu.Unlock()
		if !l.Stall {
			return l, version, true
		}
		select {
		case <-changed:
		case <-c.done:
			return l, version, false
		}
	}
}

// late waits, and reports whether the connection is still there then.
func (c *pipe) late(by time.Duration) bool {
	if by <= 0 {
		return true
	}
	select {
	case <-time.After(by):
		return true
	case <-c.done:
		return false
	}
}

// corrupt flips one bit by chance.
func (p *Proxy) corrupt(b []byte, chance float64) {
	if chance <= 0 || len(b) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chance.Float64() < chance {
		b[p.chance.IntN(len(b))] ^= 1 << p.chance.IntN(8)
	}
}
