package redis

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/test/fleet"
)

// An estate is what two directories keep in one Redis that somebody else owns.
type estate struct {
	t      *testing.T
	server *fleet.Redis
	rigs   []*rig // of one directory each
	things []thing
}

// A thing is a key of one of the directories, and every document that was ever
// sealed for it.
type thing struct {
	rig    *rig
	key    authz.Key
	sealed []authz.Kept
	raw    []string // the values, in the same order
}

func (e *thing) name() string { return e.rig.sealer.name(e.key) }

// newEstate writes two documents for every key of both directories, one after
// the other, and remembers their values.
func newEstate(t *testing.T) *estate {
	e := &estate{t: t, server: server(t)}
	for _, directory := range []string{"one", "two"} {
		r := start(t, Options{Addrs: []string{e.server.Addr()}, Directory: directory, Timeout: 200 * time.Millisecond})
		r.await("Redis is found", r.breaker.closed)
		e.rigs = append(e.rigs, r)
		for _, kind := range []authz.Kind{authz.KindUser, authz.KindLogin, authz.KindAccount, "user_account"} {
			for _, id := range []string{"a", "b", "a b"} {
				e.things = append(e.things, thing{rig: r, key: authz.Key{Kind: kind, ID: id}})
			}
		}
	}
	for revision := range authz.Revision(2) {
		for i := range e.things {
			e.write(&e.things[i], revision+1)
		}
	}
	return e
}

func (e *estate) write(g *thing, revision authz.Revision) {
	doc := authz.Document{Login: fmt.Sprint(g.rig.sealer.directory, " ", g.key, " ", revision)}
	g.rig.put(g.key, doc, at(revision))
	g.sealed = append(g.sealed, keptAt(doc, revision))
	g.raw = append(g.raw, do(e.t, e.server, "GET", g.name()))
}

// check gets every key. Each is nothing, or one that was sealed for it.
func (e *estate) check(what string) (held int) {
	e.t.Helper()
	for _, r := range e.rigs {
		var keys []authz.Key
		var of []*thing
		for i := range e.things {
			if e.things[i].rig == r {
				keys, of = append(keys, e.things[i].key), append(of, &e.things[i])
			}
		}
		for i, kept := range r.Get(context.Background(), keys) {
			if kept.OK {
				held++
				e.sealedFor(what, of[i], kept)
			} else if !reflect.DeepEqual(kept, authz.Kept{}) {
				e.t.Errorf("%s: %v: got %+v, want nothing at all", what, keys[i], kept)
			}
		}
		r.wantMetric("postern_redis_breaker_open", "", 0)
	}
	return held
}

func (e *estate) sealedFor(what string, g *thing, got authz.Kept) {
	e.t.Helper()
	for _, sealed := range g.sealed {
		if reflect.DeepEqual(got, sealed) {
			return
		}
	}
	e.t.Errorf("%s: %s %v: got %+v, which was never sealed for it", what, g.rig.sealer.directory, g.key, got)
}

// restore puts back what was written last.
func (e *estate) restore() {
	for i := range e.things {
		g := &e.things[i]
		do(e.t, e.server, "SET", g.name(), g.raw[len(g.raw)-1], "PX", "600000")
	}
}

// settle waits until nothing is left to be removed.
func (e *estate) settle() {
	for _, r := range e.rigs {
		r.await("what was spoiled is removed", func() bool { return len(r.queue) == 0 })
	}
}

// Who owns Redis puts the value of every key where every other should be.
func TestEveryEntryIsSwappedWithEveryOther(t *testing.T) {
	e := newEstate(t)
	if held := e.check("untouched"); held != len(e.things) {
		t.Fatalf("got %d of %d", held, len(e.things))
	}
	for shift := 1; shift < len(e.things); shift++ {
		for i := range e.things {
			from := e.things[(i+shift)%len(e.things)]
			do(t, e.server, "SET", e.things[i].name(), from.raw[len(from.raw)-1])
		}
		if held := e.check(fmt.Sprint("swapped by ", shift)); held != 0 {
			t.Errorf("swapped by %d: got %d documents, want none", shift, held)
		}
		e.settle()
	}
}

// Who owns Redis writes back what was there before: it is got as what it is,
// with the point that it was read at, and makes way for what is written next.
func TestOldEntriesAreReplayed(t *testing.T) {
	e := newEstate(t)
	for i := range e.things {
		do(t, e.server, "SET", e.things[i].name(), e.things[i].raw[0]) // and never ends
	}
	e.check("replayed")
	for i := range e.things {
		g := &e.things[i]
		g.rig.want(g.key, g.sealed[0])
		e.write(g, 3)
		g.rig.want(g.key, g.sealed[2])
	}
}

// Who owns Redis changes every entry in every way that he can think of, and
// more.
func TestEveryEntryIsSpoiled(t *testing.T) {
	e := newEstate(t)
	random := rand.New(rand.NewPCG(1, 2))
	for name, spoil := range map[string]func(string) string{
		"truncated":       func(v string) string { return v[:random.IntN(len(v))] },
		"cut to a header": func(v string) string { return v[:headerSize] },
		"cut to the least": func(v string) string {
			return v[:overhead]
		},
		"extended":         func(v string) string { return v + "\x00" },
		"doubled":          func(v string) string { return v + v },
		"huge":             func(v string) string { return v + strings.Repeat("x", 4<<20) },
		"one bit":          func(v string) string { return flip(v, random.IntN(8*len(v))) },
		"another version":  func(v string) string { return "\x02" + v[1:] },
		"a higher version": func(v string) string { return "\xff" + v[1:] },
		"another key id":   func(v string) string { return v[:1] + "abcd" + v[5:] },
		"a huge revision":  func(v string) string { return v[:revisionFrom] + strings.Repeat("\xff", 8) + v[nonceFrom:] },
		"the one before":   func(v string) string { return v[:nonceFrom-1] + "\x01" + v[nonceFrom:] },
		"another nonce":    func(v string) string { return v[:nonceFrom] + strings.Repeat("n", 24) + v[headerSize:] },
		"noise":            func(v string) string { return noise(random, len(v)) },
		"text":             func(string) string { return `{"user":{"memberships":[{"role":"admin"}]}}` },
	} {
		for i := range e.things {
			g := e.things[i]
			do(t, e.server, "SET", g.name(), spoil(g.raw[len(g.raw)-1]))
		}
		if held := e.check(name); held != 0 {
			t.Errorf("%s: got %d documents, want none", name, held)
		}
		e.settle()
		for i := range e.things {
			g := &e.things[i]
			e.rigs[0].await(name+": it is removed", func() bool {
				return do(t, e.server, "EXISTS", g.name()) == "0" || do(t, e.server, "STRLEN", g.name()) == "0"
			})
		}
		e.restore()
		if held := e.check(name + ", restored"); held != len(e.things) {
			t.Errorf("%s: got %d documents when all was restored, want %d", name, held, len(e.things))
		}
	}
}

// Who owns Redis puts there what is no string, or a revision that nothing is
// newer than: the next write takes its place.
func TestNothingKeepsAKeyFromBeingWritten(t *testing.T) {
	e := newEstate(t)
	for name, block := range map[string]func(g *thing){
		"a list":        func(g *thing) { do(t, e.server, "RPUSH", g.name(), "x") },
		"a hash":        func(g *thing) { do(t, e.server, "HSET", g.name(), "x", "y") },
		"a set":         func(g *thing) { do(t, e.server, "ZADD", g.name(), "1", "y") },
		"it never ends": func(g *thing) { do(t, e.server, "SET", g.name(), blocking(g)) },
		"it ends late":  func(g *thing) { do(t, e.server, "SET", g.name(), blocking(g), "EX", "999999") },
		"it is read and found out": func(g *thing) {
			do(t, e.server, "SET", g.name(), blocking(g), "PX", "60000")
			g.rig.want(g.key, authz.Kept{})
			g.rig.await("it is removed", func() bool { return do(t, e.server, "EXISTS", g.name()) == "0" })
		},
	} {
		for i := range e.things {
			g := &e.things[i]
			do(t, e.server, "DEL", g.name())
			block(g)
			e.write(g, authz.Revision(len(g.sealed)+1))
			if got := g.rig.get(g.key); !reflect.DeepEqual(got, g.sealed[len(g.sealed)-1]) {
				t.Errorf("%s: %v: got %+v, want %+v", name, g.key, got, g.sealed[len(g.sealed)-1])
			}
		}
	}
}

// blocking is a value that says it is the newest there can be.
func blocking(g *thing) string {
	return g.raw[0][:revisionFrom] + strings.Repeat("\xff", 8) + g.raw[0][nonceFrom:]
}

func TestAFloodOfMessagesWakesNowAndThen(t *testing.T) {
	s := server(t)
	r := found(t, s.Addr())
	woken := listen(t, r)
	<-woken
	began := time.Now()
	flood(t, s.Addr(), r.channel(), 20_000)
	r.Announce(1)
	<-woken
	pause(t.Context(), 50*time.Millisecond)
	took := time.Since(began)
	if n := len(woken); n > int(took/wakeEvery)+2 {
		t.Errorf("got %d wakes in %s, want one in %s at most", n, took, wakeEvery)
	}
	r.put(userKey(1), authz.Document{}, at(1))
	r.want(userKey(1), keptAt(authz.Document{}, 1))
}

// flood publishes as fast as Redis takes it, large messages among small ones.
func flood(t *testing.T, addr, channel string, n int) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	w := bufio.NewWriter(conn)
	for i := range n {
		message := "18446744073709551615"
		if i%5000 == 4999 {
			message = strings.Repeat("x", 1<<20) // more than the guard lets in
		}
		fmt.Fprintf(w, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(message), message)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// Who owns the server, or the network before it, answers what no Redis would:
// nothing is got, and the process goes on in little memory.
func TestAServerThatIsNoServerIsSurvived(t *testing.T) {
	s := sealerOf(t, "s", "dir")
	value := string(sealed(t, s, userKey(1), authz.Document{Login: "a"}, at(1)))
	for name, answer := range map[string]string{
		"a string of 100 GB":      "$99999999999\r\nx",
		"a string beyond numbers": "$99999999999999999999999\r\nx",
		"a list of 2 billion":     "*2000000000\r\n",
		"lists without end":       strings.Repeat("*1\r\n", 1<<20),
		"a line without end":      "+" + strings.Repeat("x", 8<<20),
		"a list":                  "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
		"a number":                ":7\r\n",
		"nothing":                 "$-1\r\n",
		"no list":                 "*-1\r\n",
		"an error":                "-ERR \xff\r\n",
		"a redirection":           "-MOVED 1 127.0.0.1:1\r\n",
		"RESP3":                   "%2\r\n+a\r\n+b\r\n+c\r\n+d\r\n",
		"a push":                  ">2\r\n+invalidate\r\n*1\r\n+x\r\n",
		"an attribute":            "|1\r\n+a\r\n+b\r\n:1\r\n",
		"a double":                ",inf\r\n",
		"HTTP":                    "HTTP/1.1 400 Bad Request\r\n\r\n",
		"nothing at all":          "",
		"NUL":                     "\x00\x00\x00\x00",
		"another's value":         fmt.Sprintf("$%d\r\n%s\r\n", len(value), value),
		"more than was asked for": strings.Repeat("+OK\r\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			asked := 0
			r := start(t, Options{Addrs: []string{hostile(t, func([]string) string {
				if asked++; asked <= 2 { // so that it is used
					return "$0\r\n\r\n"
				}
				return answer
			})}})
			r.await("it is found", r.breaker.closed)
			for range 10 {
				for _, kept := range r.Get(context.Background(), []authz.Key{userKey(2), userKey(3), userKey(2)}) {
					if !reflect.DeepEqual(kept, authz.Kept{}) {
						t.Errorf("got %+v, want nothing", kept)
					}
				}
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
				t.Errorf("took %d MiB, want less", grown>>20)
			}
		})
	}
}

// hostile is a server that answers each command as it likes, once connected.
func hostile(t testing.TB, answer func(command []string) string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var serving sync.WaitGroup
	var conns []net.Conn
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			serving.Go(func() { answerAll(conn, &mu, answer) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return listener.Addr().String()
}

func answerAll(conn net.Conn, mu *sync.Mutex, answer func([]string) string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		command, err := readCommand(r)
		if err != nil {
			return
		}
		text := "-ERR unknown command\r\n"
		if len(command) > 0 && !strings.EqualFold(command[0], "HELLO") {
			mu.Lock()
			text = answer(command)
			mu.Unlock()
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

func readCommand(r *bufio.Reader) (words []string, err error) {
	n, err := readLength(r)
	for i := 0; i < n && err == nil; i++ {
		var length int
		if length, err = readLength(r); err != nil {
			break
		}
		word := make([]byte, length+2)
		_, err = io.ReadFull(r, word)
		words = append(words, string(word[:length]))
	}
	return words, err
}

func readLength(r *bufio.Reader) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func flip(v string, bit int) string {
	b := []byte(v)
	b[bit/8] ^= 1 << (bit % 8)
	return string(b)
}

func noise(random *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return string(b)
}
