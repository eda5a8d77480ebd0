package test

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// sidecar starts one of the servers that decide: without a database, on the
// management listener and Redis.
func (c *topology) sidecar(n int) {
	s := &instance{name: fmt.Sprintf("sidecar %d", n), flags: []string{"--only=decisions"}}
	s.source, s.redis = c.proxied(c.listener()), c.proxied(c.redis.Addr())
	redis := s.redis.Addr()
	if n == 0 && c.network != nil { // what the network does, it sees
		redis = c.redis.Addr()
	}
	s.i = c.installation(
		"POSTERN_DIRECTORY_URL=http://"+s.source.Addr(),
		"POSTERN_DIRECTORY_TOKEN="+c.office().replicate(),
		"POSTERN_REDIS_ADDRS="+redis)
	c.sidecars = append(c.sidecars, s)
	if err := s.start(); err != nil {
		c.t.Fatal(err)
	}
}

// listener is the host:port of the management listener, now.
func (c *topology) listener() string {
	return strings.TrimPrefix(c.management.now().administration.base, "http://")
}

// replicate makes a service token that opens the change log.
func (o office) replicate() string {
	x := o.does(http.StatusCreated, http.MethodPost, "/v1/service-tokens",
		fmt.Sprintf(`{"name":"sidecar","scopes":["replicate"],"expires_at":%q}`, time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)))
	return x.read("secret")
}
