package fleet

import "syscall"

// attributes make a program end by a signal with the thread that started it. A
// nil owner is whoever starts it.
func attributes(owner *syscall.Credential, ending syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: ending}
}
