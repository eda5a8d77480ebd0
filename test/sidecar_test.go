package test

import (
	"fmt"
)

// managementFlags make a server administer and not decide.
var managementFlags []string

// sidecar starts one of the servers that decide.
func (c *topology) sidecar(n int, settings []string) {
	s := &instance{name: fmt.Sprintf("sidecar %d", n)}
	s.source, s.redis = c.proxied(c.postgres.Socket()), c.proxied(c.redis.Addr())
	s.i = c.installation(append(settings, "POSTERN_MANAGEMENT_LISTEN=none", "POSTERN_DATABASE="+c.database(s.source))...)
	c.sidecars = append(c.sidecars, s)
	if err := s.start(); err != nil {
		c.t.Fatal(err)
	}
}
