package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measureStart starts a server again and again and says how long each took from
// the start of the process until it told its service manager that everything is
// served. An empty directory is made anew each time; one of records is there.
func measureStart(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("start", flag.ExitOnError)
	times := f.Int("times", 20, "how often it is started")
	records := f.String("records", "", "NDJSON to import before the first start (default: an empty directory)")
	if err := f.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "postern-start-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "postern")
	if err := command(ctx, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/postern"); err != nil {
		return err
	}
	state := filepath.Join(dir, "state")
	if *records != "" {
		if err := command(ctx, []string{"POSTERN_STATE=" + state}, binary, "import", *records); err != nil {
			return err
		}
	}
	var wall, processor []time.Duration
	for range *times {
		ready, used, err := startOnce(ctx, binary, state)
		if err != nil {
			return err
		}
		wall, processor = append(wall, ready), append(processor, used)
		if *records == "" {
			if err := os.RemoveAll(state); err != nil {
				return err
			}
		}
	}
	for what, list := range map[string][]time.Duration{"to ready": wall, "processor": processor} {
		slices.Sort(list)
		fmt.Printf("%-10s p50 %v  p99 %v\n", what, list[len(list)/2].Round(time.Millisecond), list[len(list)*99/100].Round(time.Millisecond))
	}
	return nil
}

// startOnce is how long a server takes to be ready, and the processor time of
// its whole life, which ends then.
func startOnce(ctx context.Context, binary, state string) (ready, used time.Duration, err error) {
	path := state + ".notify"
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(path)
	defer manager.Close()
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Env = []string{"NOTIFY_SOCKET=" + path, "POSTERN_STATE=" + state, "POSTERN_DECISIONS_LISTEN=127.0.0.1:0",
		"POSTERN_MANAGEMENT_LISTEN=127.0.0.1:0", "POSTERN_OPS_LISTEN=127.0.0.1:0", "POSTERN_DRAIN_DELAY=0s"}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	err = awaitReady(manager)
	ready = time.Since(begun)
	err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	return ready, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

func awaitReady(manager *net.UnixConn) error {
	if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	for buffer := make([]byte, 4096); ; {
		n, err := manager.Read(buffer)
		if err != nil || strings.HasPrefix(string(buffer[:n]), "READY=1") {
			return err
		}
	}
}
