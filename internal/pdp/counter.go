package pdp

import "sync/atomic"

// A counter hands what was written before store to whoever loads it.
type counter struct{ n atomic.Int64 }

func (c *counter) store(n int) { c.n.Store(int64(n)) }
func (c *counter) load() int   { return int(c.n.Load()) }
