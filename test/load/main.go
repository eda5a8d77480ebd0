// Command load measures Postern over HTTP beside a bare Fiber handler of the
// same body sizes and beside OPA's own server with the same policy and the same
// facts, in interleaved rounds of one run. It prints ratios, because a machine's
// speed drifts and the ratios of one run do not.
//
//	go run ./test/load [-rounds 7] [-seconds 2] [-connections 16]
//
// It measures how long a server takes from its start until it serves:
//
//	go run ./test/load start [-times 20] [-records test/acme.ndjson]
//
// It also writes large directories to import:
//
//	go run ./test/load generate -users 100000 -accounts 200000 -grants 1000000 > big.ndjson
//
// Servers are pinned to the first processor and the clients to the others, if
// taskset is there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/postern-authz/postern/internal/demo"
)

// options are the flags.
type options struct {
	rounds, connections, users, accounts int
	seconds                              float64
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "bare":
			exit(serveBare(os.Args[2], os.Args[3]))
		case "start":
			exit(measureStart(context.Background(), os.Args[2:]))
		case "generate":
			exit(generate(os.Args[2:]))
		}
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 7, "interleaved rounds; medians are of these")
	flag.Float64Var(&o.seconds, "seconds", 2, "seconds a server is asked in one round")
	flag.IntVar(&o.connections, "connections", 16, "connections that ask at once")
	flag.IntVar(&o.users, "users", 1000, "users in the directory")
	flag.IntVar(&o.accounts, "accounts", 10, "accounts each user holds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, o))
}

// generate writes a large directory to standard output.
func generate(args []string) error {
	var size demo.Size
	f := flag.NewFlagSet("generate", flag.ExitOnError)
	f.IntVar(&size.Users, "users", 100_000, "users, one membership each")
	f.IntVar(&size.Accounts, "accounts", 200_000, "accounts of all kinds")
	f.IntVar(&size.Grants, "grants", 1_000_000, "grants of all kinds")
	seed := f.Uint64("seed", 1, "equal seeds give equal bytes")
	if err := f.Parse(args); err != nil {
		return err
	}
	return demo.Generate(os.Stdout, size, *seed)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "postern-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	work := newWorkload(o.users, o.accounts)
	servers, stop, err := start(ctx, dir, work)
	defer stop()
	if err != nil {
		return err
	}
	if err := agree(work, servers); err != nil {
		return err
	}
	rounds := map[string][]sample{}
	for i := range o.rounds {
		for _, s := range servers {
			got, err := s.ask(ctx, o.connections, time.Duration(o.seconds*float64(time.Second)))
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			rounds[s.name] = append(rounds[s.name], got)
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, o.rounds)
	}
	report(os.Stdout, servers, rounds)
	return nil
}

// start builds and starts the servers on free loopback ports.
func start(ctx context.Context, dir string, work *workload) (servers []*server, stop func(), err error) {
	var running []*server
	stop = func() {
		for _, s := range running {
			s.kill()
		}
	}
	postern, err := startPostern(ctx, dir, work)
	if err != nil {
		return nil, stop, err
	}
	running = append(running, postern)
	bodies, err := recordedInputs(filepath.Join(dir, "decisions.jsonl"), postern, work)
	if err != nil {
		return nil, stop, err
	}
	bare, err := startBare(ctx, dir, work, postern)
	if err != nil {
		return nil, stop, err
	}
	running = append(running, bare)
	if err := installOPA(ctx, dir); err != nil {
		return nil, stop, err
	}
	for _, folded := range []bool{false, true} {
		opa, err := startOPA(ctx, dir, bodies, folded)
		if err != nil {
			return nil, stop, err
		}
		running = append(running, opa)
	}
	return []*server{bare, postern, running[2], running[3]}, stop, nil
}

// agree asks every server but the bare one every request once: a server that
// answers otherwise than Postern is not measured.
func agree(work *workload, servers []*server) error {
	var want []bool
	for _, s := range servers {
		if s.verdict == nil {
			continue
		}
		got, err := s.verdicts()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if want == nil {
			want = got
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				return fmt.Errorf("%s answers %v where Postern answers %v: %s", s.name, got[i], want[i], work.bodies[i])
			}
		}
	}
	allowed := 0
	for _, w := range want {
		if w {
			allowed++
		}
	}
	if allowed == 0 || allowed == len(want) {
		return errors.New("every answer is the same: the workload proves nothing")
	}
	fmt.Fprintf(os.Stderr, "%d requests agree, %d%% allowed\n", len(want), 100*allowed/len(want))
	return nil
}
