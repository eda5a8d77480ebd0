package redis

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// What an answer may be at most. The client makes room for what an answer says
// that it will be, before it is there; one line could end the process.
const (
	maxBulk  = maxValue + 1 // GETRANGE of one byte too many
	maxArray = 1 << 15      // a Cluster's slots are half of that
	maxDepth = 8
	maxLine  = 16 << 10
)

var errAnswer = errors.New("redis answers what no Redis would: the connection is closed")

// A guard follows what comes in over a connection, and ends it at an answer that
// is too large to be one. We ask for RESP2, but the library asks Sentinels for
// RESP3.
type guard struct {
	net.Conn
	skip int    // bytes of a string that are still to come, with its end
	line []byte // the beginning of a line that is not whole yet
	left []int  // elements still to come, of each list that we are in
}

func guarded(conn net.Conn) net.Conn {
	if conn == nil {
		return nil
	}
	return &guard{Conn: conn}
}

// NetConn is the connection below, which the library looks at while it is idle.
func (g *guard) NetConn() net.Conn { return g.Conn }

// Read reads what may come in. It is called by one goroutine at a time.
func (g *guard) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if !g.follow(b[:n]) {
		_ = g.Conn.Close()
		return 0, errAnswer
	}
	return n, err
}

// follow takes the next bytes, and tells whether they may be.
func (g *guard) follow(b []byte) bool {
	for len(b) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(b))
			g.skip, b = g.skip-n, b[n:]
			if g.skip == 0 {
				g.whole()
			}
			continue
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			g.line = append(g.line, b...)
			return len(g.line) <= maxLine
		}
		g.line = append(g.line, b[:end+1]...)
		if b = b[end+1:]; !g.begin() {
			return false
		}
		g.line = g.line[:0]
	}
	return true
}

// begin takes a line, which is an answer or begins one.
func (g *guard) begin() bool {
	text, ok := bytes.CutSuffix(g.line, []byte("\r\n"))
	if !ok || len(text) == 0 || len(text) > maxLine {
		return false
	}
	switch text[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		g.whole()
		return true
	case '$', '!', '=':
		n, err := strconv.Atoi(string(text[1:]))
		return err == nil && g.text(n)
	case '*', '~', '>':
		n, err := strconv.Atoi(string(text[1:]))
		return err == nil && g.list(n, 1)
	case '%':
		n, err := strconv.Atoi(string(text[1:]))
		return err == nil && g.list(n, 2)
	}
	return false
}

// text begins a string of n bytes; -1 is none at all.
func (g *guard) text(n int) bool {
	if n == -1 {
		g.whole()
		return true
	}
	g.skip = n + len("\r\n")
	return n >= 0 && n <= maxBulk
}

// list begins a list of n, or a map, which has two elements for each; -1 is none
// at all.
func (g *guard) list(n, each int) bool {
	if n == -1 || n == 0 {
		g.whole()
		return true
	}
	g.left = append(g.left, n*each)
	return n > 0 && n <= maxArray && len(g.left) <= maxDepth
}

// whole takes note that an answer, or an element of a list, is complete.
func (g *guard) whole() {
	for i := len(g.left) - 1; i >= 0; i-- {
		if g.left[i]--; g.left[i] > 0 {
			return
		}
		g.left = g.left[:i]
	}
}
