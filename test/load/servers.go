package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/policies"
)

// opaVersion is the release whose server is measured: the one Postern embeds.
const opaVersion = "v1.22.2"

func startPostern(ctx context.Context, dir string, work *workload) (*server, error) {
	bin := filepath.Join(dir, "postern")
	if err := command(ctx, nil, "go", "build", "-o", bin, "./cmd/postern"); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "load.ndjson")
	if err := os.WriteFile(file, []byte(work.ndjson), 0o600); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	env := []string{
		"POSTERN_STATE=" + filepath.Join(dir, "state"), "POSTERN_DECISIONS_LISTEN=" + addr, "POSTERN_OPS_LISTEN=127.0.0.1:0",
		"POSTERN_DECISION_LOG=" + filepath.Join(dir, "decisions.jsonl"), "POSTERN_LOG_LEVEL=warn",
		"POSTERN_DECISIONS_TIMEOUT=5s", // a busy machine is no reason to end the measurement
	}
	if err := command(ctx, env, bin, "import", file); err != nil {
		return nil, err
	}
	s := &server{name: "Postern", addr: addr, path: "/access/v1/evaluation", bodies: work.bodies, verdict: decisionOf}
	if err := s.run(env, bin, "serve"); err != nil {
		return nil, err
	}
	// What was decided once tells what OPA must be asked; then the log is off.
	if _, err := s.verdicts(); err != nil {
		return s, err
	}
	s.terminate()
	env[3] = "POSTERN_DECISION_LOG=none"
	return s, s.run(env, bin, "serve")
}

// recordedInputs are the policy inputs of the decision log, facts and all, in
// the order of the workload.
func recordedInputs(path string, postern *server, work *workload) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var bodies []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct{ Input json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, err
		}
		bodies = append(bodies, `{"input":`+string(event.Input)+`}`)
	}
	if len(bodies) != len(work.bodies) {
		return nil, fmt.Errorf("%d decisions were logged, %d were asked", len(bodies), len(work.bodies))
	}
	return bodies, lines.Err()
}

// startBare serves an answer as long as Postern's, from a handler that does
// nothing: what HTTP itself costs.
func startBare(ctx context.Context, dir string, work *workload, postern *server) (*server, error) {
	res, err := http.Post("http://"+postern.addr+postern.path, "application/json", strings.NewReader(work.bodies[0]))
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "load")
	if err := command(ctx, nil, "go", "build", "-o", bin, "./test/load"); err != nil {
		return nil, err
	}
	s := &server{name: "bare Fiber handler", addr: addr, path: postern.path, bodies: work.bodies}
	return s, s.run(nil, bin, "bare", addr, string(answer))
}

func serveBare(addr, answer string) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/access/v1/evaluation", func(c *fiber.Ctx) error {
		if len(c.BodyRaw()) == 0 {
			return fiber.ErrBadRequest
		}
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.SendString(answer)
	})
	return app.Listen(addr)
}

// installOPA builds OPA's command from its module.
func installOPA(ctx context.Context, dir string) error {
	return command(ctx, []string{"GOBIN=" + dir}, "go", "install", "github.com/open-policy-agent/opa@"+opaVersion)
}

// startOPA serves the embedded policy from OPA's own server, as quiet as it can
// be. It is asked with the facts in the input, so it looks nothing up. Folded,
// it also has nothing to work out that does not depend on the input.
func startOPA(ctx context.Context, dir string, bodies []string, folded bool) (*server, error) {
	name := "OPA server"
	if folded {
		name = "OPA server, folded policy"
	}
	copied := filepath.Join(dir, name)
	if err := os.CopyFS(copied, policies.FS); err != nil {
		return nil, err
	}
	if folded {
		if err := foldPowers(ctx, copied); err != nil {
			return nil, err
		}
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s := &server{name: name, addr: addr, path: "/v1/data/postern/access/decision", bodies: bodies, verdict: resultOf}
	return s, s.run(nil, filepath.Join(dir, "opa"), "run", "--server", "--addr", addr,
		"--log-level", "error", "--skip-version-check", "--bundle", copied)
}

// run starts the server pinned to the first processor and waits for its port.
func (s *server) run(env []string, name string, args ...string) error {
	if taskset, err := exec.LookPath("taskset"); err == nil {
		name, args = taskset, append([]string{"-c", "0", name}, args...)
	}
	s.cmd = exec.Command(name, args...)
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for range 400 {
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			return conn.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	return fmt.Errorf("%s does not listen on %s", s.name, s.addr)
}

// terminate asks the server to end and waits for it.
func (s *server) terminate() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}

func command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), errors.Join(l.Close())
}
