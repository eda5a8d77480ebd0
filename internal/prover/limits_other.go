//go:build !linux

package prover

import (
	"os"
	"syscall"
)

func self() (string, error) { return os.Executable() }

func endWithParent() *syscall.SysProcAttr { return nil }

// impose does nothing: only Linux has limits that hold. What ends the process
// still ends nothing else.
func (l Limits) impose() error { return nil }
