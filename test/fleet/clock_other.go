//go:build !linux || !amd64

package fleet

import (
	"errors"
	"time"
)

// StepClock cannot be had here.
func StepClock(int, time.Duration) error {
	return errors.New("clocks are stepped on Linux on amd64 alone: run this test there")
}
