// Package prover tries policies in a process of their own, with little memory
// and little time: one made to use up either, or to bring its process down, does
// that there (D4, F23), and never to those who serve decisions.
package prover

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// Limits are what a process may take that tries policies.
type Limits struct {
	Memory int64         // bytes, beside what every such process has. Default 1 GiB.
	CPU    time.Duration // of all processors together, in whole seconds. Default 30 s.
}

// leastMemory is what a core the size of the embedded one is tried in with ease.
const leastMemory = 128 << 20

// args are the arguments that the program is started with to try policies:
// it must call Child then, with the limits that --memory and --cpu say.
func (l Limits) args() []string {
	return []string{"policy", "prove", fmt.Sprintf("--memory=%d", l.Memory), fmt.Sprintf("--cpu=%v", l.CPU)}
}

// New makes what policy.Options call Prove: it starts this program again, as
// `postern policy prove`, and gives it the files. Where GOMEMLIMIT leaves less
// memory than the limit, that is the limit.
//
// What the process refuses is refused in its own words. What ends it (a limit, a
// signal, a fault of its runtime, ctx) is a *policy.Refusal that says so, of the
// layer that was being tried.
func New(l Limits, builtins []string) func(context.Context, []policy.LayerFiles) error {
	l.Memory, l.CPU = cmp.Or(l.Memory, 1<<30), cmp.Or(l.CPU, 30*time.Second)
	return func(ctx context.Context, layers []policy.LayerFiles) error {
		within := l
		within.Memory = min(l.Memory, spare())
		return within.prove(ctx, question{layers, builtins})
	}
}

// spare is what GOMEMLIMIT leaves for another process: both are in one container.
func spare() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return limit
	}
	used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(used)
	return max(leastMemory, limit-int64(used[0].Value.Uint64()-used[1].Value.Uint64()))
}

// Bounds on what is kept of a process's output.
const (
	maxAnswer = 4 << 20
	maxStderr = 64 << 10
)

func (l Limits) prove(ctx context.Context, q question) error {
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	program, err := self()
	if err != nil {
		return fmt.Errorf("this program does not find itself to try policies: %w", err)
	}
	answer, stderr := head{left: maxAnswer}, head{left: maxStderr}
	child := exec.CommandContext(ctx, program, l.args()...)
	child.Env = []string{"GOTRACEBACK=none", "GOMAXPROCS=1"} // nothing of ours, and one processor at most
	child.Stdin, child.Stdout, child.Stderr = bytes.NewReader(text), &answer, &stderr
	child.WaitDelay = time.Second
	child.SysProcAttr = endWithParent()

	// "The parent" is the thread that starts it: this one has to live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = child.Run()
	e := ending{Limits: l, err: err, state: child.ProcessState, stderr: stderr.String(), top: q.Layers[len(q.Layers)-1].Name}
	return e.verdict(ctx, &answer.Buffer)
}

// A head keeps the beginning of what is written to it.
type head struct {
	bytes.Buffer
	left int
}

// Write implements io.Writer; it never fails.
func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.left)
	h.left -= n
	_, _ = h.Buffer.Write(p[:n])
	return len(p), nil
}
