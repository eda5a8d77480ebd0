//go:build unix && !linux

package fleet

import "syscall"

// attributes run a program as its owner.
func attributes(owner *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner}
}
