package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A server is one of those compared.
type server struct {
	name     string
	addr     string
	path     string
	bodies   []string
	verdict  func(body []byte) (bool, error) // nil: it has no opinion
	cmd      *exec.Cmd
	requests [][]byte // as they go over the wire
}

// A sample is one round of one server.
type sample struct {
	rate float64       // requests a second
	cpu  time.Duration // of the server, for one request
	p50  time.Duration
	p99  time.Duration
}

func (s *server) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// verdicts asks every body once, in order.
func (s *server) verdicts() ([]bool, error) {
	got := make([]bool, len(s.bodies))
	for i, body := range s.bodies {
		res, err := http.Post("http://"+s.addr+s.path, "application/json", strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		answer, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s (%v)", res.Status, answer, err)
		}
		if got[i], err = s.verdict(answer); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// ask keeps a number of connections busy for a while.
func (s *server) ask(ctx context.Context, connections int, d time.Duration) (sample, error) {
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	s.prepare()
	var (
		wg     sync.WaitGroup
		n      atomic.Int64
		mu     sync.Mutex
		all    []time.Duration
		failed error
	)
	before, start := s.cpuTime(), time.Now()
	for c := range connections {
		wg.Go(func() {
			took, err := s.connection(ctx, c, &n)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	elapsed, used := time.Since(start), s.cpuTime()-before
	if failed != nil || n.Load() == 0 {
		return sample{}, fmt.Errorf("after %d requests: %w", n.Load(), failed)
	}
	return sample{
		rate: float64(n.Load()) / elapsed.Seconds(),
		cpu:  used / time.Duration(n.Load()),
		p50:  quantile(all, 0.50),
		p99:  quantile(all, 0.99),
	}, nil
}

func (s *server) prepare() {
	if s.requests != nil {
		return
	}
	for _, b := range s.bodies {
		s.requests = append(s.requests, fmt.Appendf(nil,
			"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.path, s.addr, len(b), b))
	}
}

// connection sends one request after the other and reads each answer whole.
func (s *server) connection(ctx context.Context, first int, n *atomic.Int64) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 16<<10)
	for i := first * 97; ctx.Err() == nil; i++ {
		start := time.Now()
		if _, err := conn.Write(s.requests[i%len(s.requests)]); err != nil {
			return took, err
		}
		if err := readAnswer(r); err != nil {
			return took, err
		}
		took = append(took, time.Since(start))
		n.Add(1)
	}
	return took, nil
}

// readAnswer reads one response: its status must be 200 and its length known.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.Contains(line, []byte(" 200 ")) {
		return fmt.Errorf("answered %q", line)
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("an answer without Content-Length")
	}
	_, err = r.Discard(length)
	return err
}

// cpuTime is what the server's process has used, user and system.
func (s *server) cpuTime() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / 100
}

func decisionOf(answer []byte) (bool, error) {
	var d struct{ Decision *bool }
	if err := json.Unmarshal(answer, &d); err != nil || d.Decision == nil {
		return false, fmt.Errorf("no decision in %s (%v)", answer, err)
	}
	return *d.Decision, nil
}

func resultOf(answer []byte) (bool, error) {
	var d struct{ Result struct{ Decision *bool } }
	if err := json.Unmarshal(answer, &d); err != nil || d.Result.Decision == nil {
		return false, fmt.Errorf("no decision in %s (%v)", answer, err)
	}
	return *d.Result.Decision, nil
}
