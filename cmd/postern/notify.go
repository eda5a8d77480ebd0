package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/app"
)

// A supervisor is the service manager that waits to hear how the server is, as
// systemd does of a unit of Type=notify (sd_notify(3)). The library for that
// reads the environment by itself, which only main may.
type supervisor struct {
	socket   string        // empty: nobody waits
	watchdog time.Duration // how long it waits for a sign of life; 0s: for none
	log      *slog.Logger
}

// supervisorOf finds who started this process. A watchdog that waits for
// another process is not ours.
func supervisorOf(environ []string, log *slog.Logger) supervisor {
	v := supervisor{socket: variable(environ, "NOTIFY_SOCKET"), log: log}
	if pid := variable(environ, "WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		usec, _ := strconv.ParseInt(variable(environ, "WATCHDOG_USEC"), 10, 64)
		v.watchdog = time.Duration(usec) * time.Microsecond
	}
	return v
}

// variable is the value of one in environ, or empty.
func variable(environ []string, name string) (value string) {
	for _, pair := range environ {
		if text, found := strings.CutPrefix(pair, name+"="); found {
			value = text
		}
	}
	return value
}

// attend says that everything is served, from then on that the server lives, and
// when ctx ends that it is about to stop. It returns when ended is closed.
func (v supervisor) attend(ctx context.Context, a app.Addresses, ended <-chan struct{}) {
	v.tell("READY=1", "STATUS="+status(a))
	tick, stopping := v.ticker(), ctx.Done()
	if tick != nil {
		defer tick.Stop()
	}
	for {
		select {
		case <-ended:
			return
		case <-stopping:
			v.tell("STOPPING=1", "STATUS=Answering the last requests")
			stopping = nil
		case <-ticks(tick):
			v.live(a.Ops)
		}
	}
}

// ticker ticks when a sign of life is due: twice in the time that is waited.
func (v supervisor) ticker() *time.Ticker {
	if v.watchdog < 2 {
		return nil
	}
	return time.NewTicker(v.watchdog / 2)
}

// ticks are those of t; nothing never ticks.
func ticks(t *time.Ticker) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// live gives a sign of life if /livez says so. Whoever does not answer itself is
// not alive, so it is asked as anybody else asks.
func (v supervisor) live(at net.Addr) {
	ctx, stop := context.WithTimeout(context.Background(), v.watchdog/2)
	defer stop()
	if err := probe(ctx, at); err != nil {
		v.log.Error("the server gives no sign of life; unless it does soon, the service manager starts it again", "err", err)
		return
	}
	v.tell("WATCHDOG=1")
}

func probe(ctx context.Context, at net.Addr) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/livez", nil)
	if err != nil {
		return err
	}
	res, err := neighbour().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("/livez answers %s", res.Status)
	}
	return nil
}

// tell sends what the service manager understands, one assignment a line. A
// name that begins with @ is one without a file.
func (v supervisor) tell(lines ...string) {
	if v.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: v.socket, Net: "unixgram"})
	if err == nil {
		defer conn.Close()
		_, err = conn.Write([]byte(strings.Join(lines, "\n")))
	}
	if err != nil {
		v.log.Warn("the service manager cannot be told how the server is", "err", err)
	}
}

// status says in one line what is served where.
func status(a app.Addresses) string {
	var served []string
	for _, l := range []struct {
		what string
		at   net.Addr
	}{{"decisions", a.Decisions}, {"administration", a.Management}, {"ops", a.Ops}} {
		if l.at != nil {
			served = append(served, l.what+" on "+l.at.String())
		}
	}
	return "Serving " + strings.Join(served, ", ")
}
