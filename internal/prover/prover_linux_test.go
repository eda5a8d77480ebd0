package prover

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/policy"
)

// TestMain is the program that tries policies, or the one that has them tried,
// if it is started as that.
func TestMain(m *testing.M) {
	switch strings.Join(os.Args[1:min(3, len(os.Args))], " ") {
	case "policy prove":
		prove()
	case "serve":
		_ = New(Limits{CPU: 2 * patience}, nil)(context.Background(), comparing().layers())
	default:
		goleak.VerifyTestMain(m)
	}
}

func prove() {
	var l Limits
	flags := flag.NewFlagSet("prove", flag.ExitOnError)
	flags.Int64Var(&l.Memory, "memory", 0, "")
	flags.DurationVar(&l.CPU, "cpu", 0, "")
	_ = flags.Parse(os.Args[3:])
	if err := Child(context.Background(), l, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "postern:", err)
		os.Exit(1)
	}
}

// tight are limits that are soon reached, and wide enough for what is good.
var tight = Limits{Memory: 256 << 20, CPU: 10 * time.Second}

const access = "package postern.access\n\nimport rego.v2\n\n"

// tree is the files of a core by path.
type tree map[string]string

func good() tree {
	return tree{
		"access.rego":      access + `decision := {"decision": input.action.name == "open"}` + "\n",
		"access_test.rego": "package postern.access_test\n\nimport rego.v2\n\ntest_open if data.postern.access.decision.decision with input.action.name as \"open\"\n",
	}
}

func (t tree) write(tb testing.TB, dir string) {
	tb.Helper()
	for name, content := range t {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

// layers are the files as they come from an engine.
func (t tree) layers() []policy.LayerFiles {
	l := policy.LayerFiles{Name: policy.Core, Path: "/etc/house", Directory: true, Files: map[string][]byte{}}
	for name, content := range t {
		l.Files[name] = []byte(content)
	}
	return []policy.LayerFiles{l}
}

// doubling is lines of Rego that each hold the one before it twice. The value is
// small until somebody looks at all of it.
func doubling(indent string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%sx0 := [\"x\", \"x\"]\n", indent)
	for i := range 36 {
		fmt.Fprintf(&b, "%sx%d := [x%d, x%d]\n", indent, i+1, i, i)
	}
	return b.String()
}

// bombs are policies that must not be tried where decisions are served.
func bombs() map[string]struct {
	edit tree
	says string
} {
	test := func(body string) tree {
		t := good()
		t["bomb_test.rego"] = "package bomb_test\n\nimport rego.v2\n\ntest_bomb if {\n" + body + "}\n"
		return t
	}
	constant := func(text string) tree {
		t := good()
		t["bomb.rego"] = "package bomb\n\nimport rego.v2\n\n" + text
		return t
	}
	return map[string]struct {
		edit tree
		says string
	}{
		"a test that writes it all":     {test(doubling("\t") + "\tcount(json.marshal(x36)) > 0\n"), "policy core refused (limit): running its tests took more than 256 MiB of memory"},
		"a constant that writes it all": {constant(doubling("") + "n := count(json.marshal(x36))\n"), "working out the constants of /etc/house/bomb.rego:1 took more than 256 MiB"},
		"a test that repeats for ever":  {test("\tcount(concat(\"\", [\"x\" | numbers.range(1, 2000000000)[_]])) > 0\n"), "running its tests took more than 256 MiB of memory"},
	}
}

func TestABombIsRefusedAndTakesNothingHere(t *testing.T) {
	for name, bomb := range bombs() {
		t.Run(name, func(t *testing.T) {
			before := memory()
			err := New(tight, nil)(t.Context(), bomb.edit.layers())
			var refusal *policy.Refusal
			if !errors.As(err, &refusal) || refusal.Stage != policy.StageLimit || refusal.Hint == "" {
				t.Fatalf("got %v, want a refusal at a limit, with a hint", err)
			}
			if !strings.Contains(err.Error(), bomb.says) {
				t.Errorf("got %q, want it to say %q", err, bomb.says)
			}
			if took := memory() - before; took > 32<<20 {
				t.Errorf("got %d MiB more here, want them all in the other process", took>>20)
			}
		})
	}
}

// memory is what this process has from the system.
func memory() int64 {
	total := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(total)
	return int64(total[0].Value.Uint64())
}

func TestAGoodPolicyPasses(t *testing.T) {
	if err := New(tight, nil)(t.Context(), good().layers()); err != nil {
		t.Errorf("got %v, want no refusal", err)
	}
}

func TestBuiltinsThatTheOperatorAllowsAreThere(t *testing.T) {
	jwt := tree{"a.rego": access + `decision := {"decision": io.jwt.decode(input.subject.id)[1].ok}` + "\n"}
	if err := New(tight, []string{"io.jwt.*"})(t.Context(), jwt.layers()); err != nil {
		t.Errorf("got %v, want no refusal", err)
	}
	if err := New(tight, nil)(t.Context(), jwt.layers()); err == nil || !strings.Contains(err.Error(), "POSTERN_POLICY_BUILTINS=io.jwt.decode") {
		t.Errorf("got %v, want io.jwt.decode to be withheld", err)
	}
}

// What the process refuses reads as if it had been refused here.
func TestARefusalKeepsItsWords(t *testing.T) {
	edits := map[string]struct {
		file, text string
		stage      policy.Stage
		says       string
	}{
		"syntax":       {"x.rego", "package x\n\nallow if {\n", policy.StageRead, "/etc/house/x.rego:4"},
		"a type error": {"x.rego", "package x\n\ny := 1 + \"a\"\n", policy.StageCompile, "x.rego:3"},
		"no decision":  {"access.rego", "package postern.access\n\nx := 1\n", policy.StageEntrypoint, "no rule data.postern.access.decision"},
		"no data":      {"x.rego", "package x\n\ny := data.nothing.z\n", policy.StageData, "x.rego:3"},
		"a test":       {"x_test.rego", "package x_test\n\nimport rego.v2\n\ntest_no if false\n", policy.StageTest, "x_test.rego:5: data.x_test.test_no"},
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			policies := good()
			policies[edit.file] = edit.text
			dir := filepath.Join(t.TempDir(), "house")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			policies.write(t, dir)
			here := refusedBy(t, policy.Options{Core: policy.CoreAt(dir)})
			there := refusedBy(t, policy.Options{Core: policy.CoreAt(dir), Prove: New(tight, nil)})
			if there.Error() != here.Error() || there.Stage != edit.stage || there.Layer != here.Layer || there.Hint != here.Hint {
				t.Errorf("got %v, want as here: %v", there, here)
			}
			if !strings.Contains(there.Error(), strings.TrimPrefix(edit.says, "/etc/house/")) {
				t.Errorf("got %q, want it to say %q", there, edit.says)
			}
		})
	}
}

func refusedBy(t *testing.T, o policy.Options) *policy.Refusal {
	t.Helper()
	e, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var refusal *policy.Refusal
	if err := e.Load(t.Context()); !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refusal
}

// patience is how long a process may take to end that has to.
const patience = 30 * time.Second

// comparing is a policy with a test that compares two equal values, which takes
// 2^36 steps and looks at no deadline.
func comparing() tree {
	t := good()
	t["bomb_test.rego"] = "package bomb_test\n\nimport rego.v2\n\ntest_bomb if {\n" +
		doubling("\t") + strings.ReplaceAll(doubling("\t"), "x", "y") + "\tx36 == y36\n}\n"
	return t
}

// endless is a policy with a test that takes very long.
func endless() tree {
	t := good()
	t["endless_test.rego"] = "package endless_test\n\nimport rego.v2\n\ntest_endless if {\n" +
		"\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta + b < 0\n}\n"
	return t
}

func TestATestThatDoesNotEndIsRefusedByTime(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	err := New(tight, nil)(ctx, endless().layers())
	var refusal *policy.Refusal
	if !errors.As(err, &refusal) || refusal.Stage != policy.StageLimit || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "running its tests did not end in time") {
		t.Errorf("got %v, want a refusal at the limit", err)
	}
}

func TestATestThatDoesNotEndIsRefusedByProcessorTime(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	err := New(Limits{CPU: 2 * time.Second}, nil)(ctx, comparing().layers())
	var refusal *policy.Refusal
	if !errors.As(err, &refusal) || refusal.Stage != policy.StageLimit || !strings.Contains(err.Error(), "running its tests took more than 2s of processor time") {
		t.Errorf("got %v, want a refusal at the limit", err)
	}
}

// A process that is killed by whoever has the right to is a policy that was not
// proved.
func TestAProcessThatIsKilledIsARefusal(t *testing.T) {
	told := make(chan error, 1)
	go func() { told <- New(tight, nil)(t.Context(), endless().layers()) }()
	kill(t, childOf(t, os.Getpid()))
	var refusal *policy.Refusal
	if err := <-told; !errors.As(err, &refusal) || refusal.Stage != policy.StageProof || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("got %v, want a refusal that speaks of the signal", err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// childOf waits for the process that another has started to try policies. It is
// not the only one: Go starts one for a moment to learn what the kernel can do.
func childOf(t *testing.T, parent int) int {
	t.Helper()
	for {
		found, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
		if err != nil || len(found) == 0 {
			t.Fatalf("there is no /proc to find a process in: %v", err)
		}
		for _, name := range found {
			text, _ := os.ReadFile(name)
			for _, child := range strings.Fields(string(text)) {
				args, _ := os.ReadFile("/proc/" + child + "/cmdline")
				if pid, err := strconv.Atoi(child); err == nil && slices.Contains(strings.Split(string(args), "\x00"), "prove") {
					return pid
				}
			}
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no process was started")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestTheProcessEndsWithItsParentsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	told := make(chan error, 1)
	go func() { told <- New(tight, nil)(ctx, endless().layers()) }()
	pid := childOf(t, os.Getpid())
	stop()
	if err := <-told; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("got %v, want the process gone", err)
	}
}

func TestTheProcessEndsWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0], "serve")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := childOf(t, parent.Process.Pid)
	for ticks(t, pid) < 30 { // until it has read what to try, and tries it
		time.Sleep(time.Millisecond)
	}
	kill(t, parent.Process.Pid)
	_ = parent.Wait() // "signal: killed" is what was wanted
	for enough := time.After(patience); alive(pid); {
		select {
		case <-enough:
			kill(t, pid)
			t.Fatal("the process goes on without its parent")
		case <-time.After(time.Millisecond):
		}
	}
}

// ticks is the processor time that a process took, in hundredths of a second.
func ticks(t *testing.T, pid int) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	if n, err = strconv.Atoi(strings.Fields(string(text))[13]); err != nil {
		t.Fatal(err)
	}
	return n
}

// alive says whether a process runs: one that has ended may stay as a zombie
// until somebody asks how.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

// What is edited meanwhile is neither tried nor put in force.
func TestWhatWasReadIsWhatIsTried(t *testing.T) {
	dir := t.TempDir()
	good().write(t, dir)
	var offered []policy.LayerFiles
	prove := func(ctx context.Context, layers []policy.LayerFiles) error {
		offered = layers
		tree{"access.rego": access + `decision := {"decision": false}` + "\n"}.write(t, dir) // too late to count
		return New(tight, nil)(ctx, layers)
	}
	e, err := policy.New(policy.Options{Core: policy.CoreAt(dir), Prove: prove})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(offered) != 1 || string(offered[0].Files["access.rego"]) != good()["access.rego"] || offered[0].Path != dir {
		t.Errorf("got %+v, want the files as they were read", offered)
	}
	open := authz.Request{Action: authz.Action{Name: "open"}}
	if d, _, err := e.Live().Decide(t.Context(), open, nil); err != nil || !d.Allow {
		t.Errorf("got %v, %v, want the policy that was tried to allow", d, err)
	}
}

func TestAnAnswerWithoutAVerdictIsARefusal(t *testing.T) {
	tests := map[string]struct{ answer, stderr, says string }{
		"nothing":                    {"", "", "trying it brought down the process that tried it: exit status 0"},
		"half an answer":             {`{"Layer":"custom","Doing":"compiling it"}` + "\n" + `{"Pas`, "", "policy custom refused (proof): compiling it brought down"},
		"a fault of the runtime":     {"", "runtime: goroutine stack exceeds 1000000000-byte limit\nfatal error: stack overflow\n", "exit status 0: fatal error: stack overflow"},
		"no memory for its heap":     {"", "fatal error: runtime: out of memory\n", "trying it took more than 256 MiB of memory"},
		"no memory to collect with":  {"", "SIGSEGV: segmentation violation\nPC=0x439dbd m=4 sigcode=1 addr=0x0\n", "trying it took more than 256 MiB of memory"},
		"a panic of its own":         {"", "panic: nil map\n[signal SIGSEGV: segmentation violation code=0x1]\n", "exit status 0: panic: nil map"},
		"words that nobody knows":    {"", "\nwoe betide\nand more\n", "exit status 0: woe betide;"},
		"no memory for its mappings": {"", "fatal error: runtime: cannot allocate memory\n", "trying it took more than 256 MiB of memory"},
	}
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := ending{Limits: tight, state: ended.ProcessState, stderr: tt.stderr, top: "core"}
			err := e.verdict(t.Context(), strings.NewReader(tt.answer))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}
