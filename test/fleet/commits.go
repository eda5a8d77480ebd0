package fleet

import (
	"bytes"
	"net"
	"sync"
	"time"
)

// A Loss is what becomes of a transaction whose commit gets no answer.
type Loss int

// The losses. Kept: PostgreSQL commits, and the connection is reset before it
// says so. Undone: the connection is reset before PostgreSQL hears of it.
const (
	None Loss = iota
	Kept
	Undone
)

// Commits passes connections on to PostgreSQL and loses the commits it is told
// to. It is what a Proxy is that can read.
type Commits struct {
	listener net.Listener
	target   string // path of PostgreSQL's unix socket

	mu   sync.Mutex
	next Loss // of the next commit
	lost int
}

// NewCommits starts one on a free port of 127.0.0.1, for a server that listens
// on a unix socket.
func NewCommits(target string) (*Commits, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Commits{listener: listener, target: target}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(client)
		}
	}()
	return c, nil
}

// Addr is the host:port to connect to instead of the server.
func (c *Commits) Addr() string { return c.listener.Addr().String() }

// Lose loses the next commit of any connection.
func (c *Commits) Lose(how Loss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = how
}

// Lost is how many commits were lost so far.
func (c *Commits) Lost() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// Close takes no more connections. Those that are open end with their sides.
func (c *Commits) Close() { _ = c.listener.Close() }

func (c *Commits) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", c.target)
	if err != nil {
		return
	}
	defer server.Close()
	var mute sync.Mutex // held for good once an answer is lost
	go answer(client, server, &mute)
	chunk := make([]byte, 32<<10)
	for {
		n, err := client.Read(chunk)
		if err != nil {
			return
		}
		how := c.meets(chunk[:n])
		if how != None {
			mute.Lock()
		}
		if how == Undone {
			return
		}
		if _, err := server.Write(chunk[:n]); err != nil {
			return
		}
		if how == Kept {
			time.Sleep(settled)
			return
		}
	}
}

// answer passes on what the server says, unless it is muted.
func answer(client, server net.Conn, mute *sync.Mutex) {
	defer client.Close()
	chunk := make([]byte, 32<<10)
	for {
		n, err := server.Read(chunk)
		if err != nil || !mute.TryLock() {
			return
		}
		_, err = client.Write(chunk[:n])
		mute.Unlock()
		if err != nil {
			return
		}
	}
}

// settled is how long a commit takes at most on this machine.
const settled = 200 * time.Millisecond

// meets tells what becomes of a message, which is lost if it is a commit: a
// query of its own, as drivers send it.
func (c *Commits) meets(message []byte) Loss {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == None || !bytes.Equal(message, []byte("Q\x00\x00\x00\x0bcommit\x00")) {
		return None
	}
	how := c.next
	c.next = None
	c.lost++
	return how
}
