package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/postern-authz/postern/internal/config"
)

// firstHanded is the number of the first socket that systemd hands over
// (sd_listen_fds(3)).
const firstHanded = 3

// claimed is an error if a listener names a socket that was not handed over to
// this process, or if one was that no listener takes: whoever connects to it would
// wait for ever.
func claimed(environ []string, cfg *config.Config) error {
	management, _ := cfg.Management.Listen.Address()
	if cfg.Decides() && missing(cfg.Decisions.Listen) {
		return notHanded("POSTERN_DECISIONS_LISTEN")
	}
	if _, administers := cfg.Administers(); administers && missing(management) {
		return notHanded("POSTERN_MANAGEMENT_LISTEN")
	}
	for fd := firstHanded; fd < firstHanded+handed(environ); fd++ {
		if at := config.Address(fmt.Sprintf("fd://%d", fd)); at != cfg.Decisions.Listen && at != management {
			return usage(fmt.Errorf("a socket was handed over that no listener takes: set POSTERN_DECISIONS_LISTEN or POSTERN_MANAGEMENT_LISTEN to %s, or have systemd hand over those alone that are set", at))
		}
	}
	return nil
}

// handed is how many sockets were handed over to this process.
func handed(environ []string) int {
	if variable(environ, "LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	count, _ := strconv.Atoi(variable(environ, "LISTEN_FDS"))
	return count
}

func missing(at config.Address) bool { return at.Handed() && !at.HandedOver() }

func notHanded(name string) error {
	return usage(fmt.Errorf("%s names a socket that was not handed over to this process: start it by a .socket unit of systemd, or name an address", name))
}
