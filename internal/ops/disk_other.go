//go:build !linux

package ops

import "errors"

// freeBytes is known on Linux alone.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
