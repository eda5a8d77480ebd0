package pap

import "time"

// A Backlog is what waits in the outbox on one channel: neither delivered nor
// given up.
type Backlog struct {
	Waiting int
	Oldest  time.Time // when the oldest of them was made; zero if none waits
}
