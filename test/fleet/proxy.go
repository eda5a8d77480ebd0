package fleet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// A Line says what happens to one direction of all connections of a proxy. The
// zero Line passes every byte at once.
type Line struct {
	Stall   bool          // nothing passes, nothing is lost: it goes on when this ends
	Latency time.Duration // how much later what was sent arrives
	Corrupt float64       // the chance, 0 to 1, that a bit is flipped in what one read brings
	// CutAfter resets a connection once so many bytes of it have passed since the
	// line was set. Zero: never.
	CutAfter int64
}

// A Proxy passes connections on to a server and disturbs them as it is told to,
// at any time and from any goroutine.
type Proxy struct {
	addr string

	mu       sync.Mutex // guards what follows
	target   string
	listener net.Listener  // nil while connections are refused
	up, down Line          // to the server, and from it
	changed  chan struct{} // closed, and another put in its place, when a line is set
	version  int           // of the lines
	pipes    map[*pipe]struct{}
	chance   *rand.Rand
	closed   bool
	running  sync.WaitGroup
}

// NewProxy starts a proxy on a free port of 127.0.0.1 that passes on to a
// server: "host:port", or the path of its unix socket. The same seed flips the
// same bits of the same bytes.
func NewProxy(target string, seed uint64) (*Proxy, error) {
	p := &Proxy{
		target:  target,
		changed: make(chan struct{}),
		pipes:   map[*pipe]struct{}{},
		chance:  rand.New(rand.NewPCG(seed, 0)),
	}
	if err := p.listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	return p, nil
}

// Addr is the host:port to connect to instead of the server. It stays the same.
func (p *Proxy) Addr() string { return p.addr }

// Set sets both directions, for connections that are open and for later ones.
func (p *Proxy) Set(up, down Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
	p.version++
	close(p.changed)
	p.changed = make(chan struct{})
}

// Stall holds everything up in both directions, as a network does that drops
// every packet and tells nobody. Connections stay open, and new ones too are
// made and hear nothing.
func (p *Proxy) Stall() { p.Set(Line{Stall: true}, Line{Stall: true}) }

// Cut resets every open connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pipes {
		c.reset()
	}
}

// Refuse resets every open connection and refuses new ones until Heal.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
}

// Redirect passes connections that are made from now on to another server.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Heal ends every disturbance. It fails when another program has taken the port
// while connections were refused.
func (p *Proxy) Heal() error {
	p.Set(Line{}, Line{})
	p.mu.Lock()
	refusing := p.listener == nil && !p.closed
	p.mu.Unlock()
	if !refusing {
		return nil
	}
	return p.listen(p.addr)
}

// Close refuses and resets everything, for good.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Refuse()
	p.Set(Line{}, Line{}) // whoever waits looks up
	p.running.Wait()
}

func (p *Proxy) listen(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("proxy of %s: %w", p.target, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.addr = listener, listener.Addr().String()
	p.running.Go(func() { p.accept(listener) })
	return nil
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve passes one connection on. A server that does not answer is one that
// resets.
func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	network := "tcp"
	if strings.HasPrefix(target, "/") {
		network = "unix"
	}
	server, err := net.DialTimeout(network, target, time.Second)
	c := &pipe{proxy: p, client: client, server: server, done: make(chan struct{})}
	if err != nil || !p.add(c) {
		c.reset()
		return
	}
	defer p.remove(c)
	var both sync.WaitGroup
	both.Go(func() { c.pump(server, client, func() Line { return p.up }) })
	both.Go(func() { c.pump(client, server, func() Line { return p.down }) })
	both.Wait()
}

// add reports whether the connection may go on.
func (p *Proxy) add(c *pipe) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return false
	}
	p.pipes[c] = struct{}{}
	return true
}

func (p *Proxy) remove(c *pipe) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pipes, c)
}
