package httpserver

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// A turn says whose turn it is on a connection: the client's, who may be silent
// for as long as it likes, or the server's, once a request has begun.
type turn struct {
	conn        net.Conn      // what requests are read from
	readTimeout time.Duration // for a whole request

	mu       sync.Mutex
	asked    bool // whether a request has begun since the last answer; guarded by mu
	answered bool // whether there was an answer ever; guarded by mu
	over     bool // whether the client's turn is over; guarded by mu
}

// read reads for the connection. It is at its end when the turn was over before
// a request began.
func (t *turn) read(p []byte) (int, error) {
	n, err := t.conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if n == 0 && err != nil && t.over && !t.asked {
		return 0, io.EOF
	}
	if n > 0 && t.over && !t.asked { // it came first, and the rest may come
		_ = t.conn.SetReadDeadline(time.Now().Add(t.readTimeout)) // the next Read reports what is wrong
	}
	t.asked = t.asked || n > 0
	return n, err
}

// dismiss ends the client's turn, if it is that. It is called again until the
// connection is closed, because the server sets deadlines of its own.
func (t *turn) dismiss() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked {
		return
	}
	t.over = true
	_ = t.conn.SetReadDeadline(time.Unix(1, 0)) // then it is closed already
}

// noteTurn hears from fasthttp of an answer, and of the next request, which may
// have been read together with the one before. Of the first request it hears
// before there is one.
func noteTurn(c net.Conn, state fasthttp.ConnState) {
	t := turnOf(c)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch state {
	case fasthttp.StateIdle:
		t.asked, t.answered = false, true
	case fasthttp.StateActive:
		t.asked = t.asked || t.answered
	}
}

func turnOf(c net.Conn) *turn {
	switch c := c.(type) {
	case *conn:
		return c.turn
	case *secureConn:
		return c.turn
	}
	return nil
}
