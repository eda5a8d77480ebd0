package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// A Process is a running program with all that it has started in turn. It ends
// with the test binary, also when that is killed.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; read after done
}

// Start runs a command, as another user if owner is not nil. The ending is the
// signal by which it ends with the test binary.
func Start(cmd *exec.Cmd, owner *syscall.Credential, ending syscall.Signal) (*Process, error) {
	cmd.SysProcAttr = attributes(owner, ending)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel ends the program with the thread that started it.
		runtime.LockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// End sends a signal and waits until the program has ended. It returns how.
func (p *Process) End(signal syscall.Signal) error {
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself
	<-p.done
	return p.err
}

// Kill ends the program and everything it has started as a power cut does.
func (p *Process) Kill() {
	p.each(syscall.SIGSTOP) // so that nothing more is started meanwhile
	p.each(syscall.SIGKILL)
	<-p.done
}

// Freeze stops the program and everything it has started where they are. What
// connects is still accepted by the kernel, and nobody answers.
func (p *Process) Freeze() { p.each(syscall.SIGSTOP) }

// Thaw lets what was frozen go on.
func (p *Process) Thaw() { p.each(syscall.SIGCONT) }

// each signals the program and then its descendants.
func (p *Process) each(signal syscall.Signal) {
	select {
	case <-p.done: // the number may be another's by now
		return
	default:
	}
	for _, pid := range descendants(p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, signal)
	}
}

// descendants are a process and all that it and they have started.
func descendants(pid int) []int {
	all := []int{pid}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)) // it may have ended
	for _, task := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for child := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, descendants(n)...)
			}
		}
	}
	return all
}
