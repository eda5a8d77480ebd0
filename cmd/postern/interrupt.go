package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible is a context that the first SIGINT or SIGTERM ends, so that
// everything ends in order. The second ends the process at once, as if nobody
// had asked for signals: what takes too long can be cut short.
//
// It counts the signals itself. To stop listening when the context ends leaves
// a moment in which a second signal is taken and dropped.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		dieOf((<-signals).(syscall.Signal))
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}

// dieOf ends the process by a signal that it no longer handles, so that its
// parent sees what it ended of.
func dieOf(sig syscall.Signal) {
	signal.Reset(sig)
	_ = syscall.Kill(os.Getpid(), sig)
}
