package prover

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
)

// self is this very program, even when its file has been replaced since.
func self() (string, error) { return "/proc/self/exe", nil }

// endWithParent kills the process when its parent is gone.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// impose sets the limits on this process. Memory is limited by what it may write
// to: Go reserves far more addresses than it uses, and the race detector more
// still, so that a limit on addresses says nothing.
func (l Limits) impose() error {
	has, err := writable()
	if err != nil {
		return err
	}
	if err := limit(syscall.RLIMIT_DATA, has+uint64(l.Memory), 0); err != nil {
		return err
	}
	// At the limit Go says what ended it; a second later the kernel does not ask.
	if err := limit(syscall.RLIMIT_CPU, uint64((l.CPU+time.Second-1)/time.Second), 1); err != nil {
		return err
	}
	if err := limit(syscall.RLIMIT_CORE, 0, 0); err != nil {
		return err
	}
	// Where the memory of the machine or container ends before the limit does,
	// the kernel is to end this process. That is a wish: not every /proc is ours.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	return nil
}

// limit lowers a limit for good: reaching it ends the process, and nothing stays
// of it beyond the grace.
func limit(resource int, to, grace uint64) error {
	var had syscall.Rlimit
	if err := syscall.Getrlimit(resource, &had); err != nil {
		return err
	}
	hard := min(to+grace, uint64(had.Max))
	return syscall.Setrlimit(resource, &syscall.Rlimit{Cur: min(to, hard), Max: hard})
}

// writable is the bytes of private memory that this process has mapped.
func writable() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, resident, shared, code, library, data uint64 // proc_pid_statm(5), in pages
	if _, err := fmt.Fscan(bytes.NewReader(text), &size, &resident, &shared, &code, &library, &data); err != nil {
		return 0, fmt.Errorf("/proc/self/statm: %w", err)
	}
	return data * uint64(os.Getpagesize()), nil
}
