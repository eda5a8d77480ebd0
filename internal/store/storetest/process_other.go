//go:build unix && !linux

package storetest

import "syscall"

// attributes run a server as its owner.
func attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner}
}
