package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/app"
)

// manager is a service manager that listens, and the messages it gets.
func manager(t *testing.T) (path string, messages <-chan string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	got := make(chan string, 1000)
	go func() {
		for buffer := make([]byte, 4096); ; {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			got <- string(buffer[:n])
		}
	}()
	return path, got
}

func TestAServerThatDoesNotAnswerGivesNoSignOfLife(t *testing.T) {
	var sick atomic.Bool
	var asked atomic.Int64
	livez := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer livez.Close()
	path, messages := manager(t)
	v := supervisor{socket: path, watchdog: 10 * time.Second, log: slog.New(slog.DiscardHandler)}
	v.live(livez.Listener.Addr())
	if got := <-messages; got != "WATCHDOG=1" {
		t.Errorf("got %q, want WATCHDOG=1", got)
	}
	sick.Store(true)
	v.live(livez.Listener.Addr())
	livez.Close()
	v.live(livez.Listener.Addr())
	v.tell("the end")
	if got := <-messages; got != "the end" || asked.Load() != 2 {
		t.Errorf("got %q after %d questions, want nothing while the server is not well", got, asked.Load())
	}
}

func TestOnlyTheWatchdogOfThisProcessIsServed(t *testing.T) {
	own, socket := strconv.Itoa(os.Getpid()), "NOTIFY_SOCKET=/run/notify"
	for _, tt := range []struct {
		name     string
		environ  []string
		watchdog time.Duration
		socket   string
	}{
		{"nobody", nil, 0, ""},
		{"no watchdog", []string{socket}, 0, "/run/notify"},
		{"ours", []string{socket, "WATCHDOG_USEC=30000000", "WATCHDOG_PID=" + own}, 30 * time.Second, "/run/notify"},
		{"everybody's", []string{socket, "WATCHDOG_USEC=30000000"}, 30 * time.Second, "/run/notify"},
		{"another's", []string{socket, "WATCHDOG_USEC=30000000", "WATCHDOG_PID=1"}, 0, "/run/notify"},
		{"no number", []string{socket, "WATCHDOG_USEC=soon"}, 0, "/run/notify"},
	} {
		got := supervisorOf(tt.environ, nil)
		if got.watchdog != tt.watchdog || got.socket != tt.socket {
			t.Errorf("%s: got %v at %q, want %v at %q", tt.name, got.watchdog, got.socket, tt.watchdog, tt.socket)
		}
	}
}

func TestTheStatusSaysWhatIsServedWhere(t *testing.T) {
	at := app.Addresses{Decisions: &net.UnixAddr{Name: "/run/p.sock", Net: "unix"}, Ops: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8183}}
	if got, want := status(at), "Serving decisions on /run/p.sock, ops on 127.0.0.1:8183"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
