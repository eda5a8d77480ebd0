package config

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// F35: a Redis that cannot work, or would give a password away, is refused.
func TestBadSettingsOfRedisAreRefused(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "a")
	_, other := writeCertificate(t, dir, "b")
	open := writeFile(t, dir, "open.key", read(t, key), 0o644)
	none := writeFile(t, dir, "none.pem", "x", 0o600)
	secret := " POSTERN_SECRET=" + strings.Repeat("s", 32)
	local := "POSTERN_REDIS_ADDRS=127.0.0.1:6379" + secret
	const badAddr = "POSTERN_REDIS_ADDRS has something that is no address such as redis.example.com:6379"
	const exposed = "POSTERN_REDIS_PASSWORD would cross a network without TLS: set POSTERN_REDIS_TLS=true, or POSTERN_ALLOW_PLAINTEXT=true"
	for _, tc := range []struct {
		name, environ string
		want          []string
	}{
		{"one server", local, nil},
		{"a password over the network with TLS", "POSTERN_REDIS_ADDRS=redis:6379 POSTERN_REDIS_PASSWORD=p POSTERN_REDIS_TLS=true" + secret, nil},
		{"a client certificate", local + " POSTERN_REDIS_TLS=true POSTERN_REDIS_TLS_CERT=" + cert + " POSTERN_REDIS_TLS_KEY=" + key, nil},
		{"no port", "POSTERN_REDIS_ADDRS=redis" + secret, []string{badAddr}},
		{"port 0", "POSTERN_REDIS_ADDRS=redis:0" + secret, []string{badAddr}},
		{"a password before the host, which would be printed", "POSTERN_REDIS_ADDRS=hunter2@redis:6379" + secret, []string{badAddr}},
		{"a URL", "POSTERN_REDIS_ADDRS=redis://redis:6379" + secret, []string{badAddr}},
		{"no secret", "POSTERN_REDIS_ADDRS=redis:6379", []string{"POSTERN_REDIS_ADDRS needs POSTERN_SECRET: what is in Redis is sealed with it, and all replicas have to have the same"}},
		{"a master without Sentinels", "POSTERN_REDIS_MASTER=m", []string{"POSTERN_REDIS_MASTER needs POSTERN_REDIS_ADDRS, the addresses of the Sentinels"}},
		{"Sentinels of a Cluster", local + " POSTERN_REDIS_MASTER=m POSTERN_REDIS_CLUSTER=true", []string{"POSTERN_REDIS_MASTER is set, but POSTERN_REDIS_CLUSTER is true: a Cluster has no Sentinels"}},
		{"a database of a Cluster", local + " POSTERN_REDIS_DB=1 POSTERN_REDIS_CLUSTER=true", []string{"POSTERN_REDIS_DB is not 0, but POSTERN_REDIS_CLUSTER is true: a Cluster has only database 0"}},
		{"several servers of no kind", "POSTERN_REDIS_ADDRS=127.0.0.1:1,127.0.0.1:2" + secret, []string{"POSTERN_REDIS_ADDRS has several servers: set POSTERN_REDIS_CLUSTER=true for a Cluster, or POSTERN_REDIS_MASTER for Sentinels"}},
		{"a user without a password", local + " POSTERN_REDIS_USERNAME=u", []string{"POSTERN_REDIS_USERNAME needs POSTERN_REDIS_PASSWORD"}},
		{"a Sentinel user without a password", local + " POSTERN_REDIS_MASTER=m POSTERN_REDIS_SENTINEL_USERNAME=u", []string{"POSTERN_REDIS_SENTINEL_USERNAME needs POSTERN_REDIS_SENTINEL_PASSWORD"}},
		{"a Sentinel password without Sentinels", local + " POSTERN_REDIS_SENTINEL_PASSWORD=p", []string{"POSTERN_REDIS_SENTINEL_PASSWORD needs POSTERN_REDIS_MASTER: without it no Sentinel is asked"}},
		{"a password in clear", "POSTERN_REDIS_ADDRS=redis:6379 POSTERN_REDIS_PASSWORD=p" + secret, []string{exposed}},
		{"a Sentinel's password in clear", "POSTERN_REDIS_ADDRS=sentinel:26379 POSTERN_REDIS_MASTER=m POSTERN_REDIS_SENTINEL_PASSWORD=p" + secret, []string{"POSTERN_REDIS_SENTINEL_PASSWORD would cross a network without TLS: set POSTERN_REDIS_TLS=true, or POSTERN_ALLOW_PLAINTEXT=true"}},
		{"TLS to nowhere", "POSTERN_REDIS_TLS=true", []string{"POSTERN_REDIS_TLS needs POSTERN_REDIS_ADDRS"}},
		{"a Cluster nowhere", "POSTERN_REDIS_CLUSTER=true", []string{"POSTERN_REDIS_CLUSTER needs POSTERN_REDIS_ADDRS"}},
		{"authorities without TLS", local + " POSTERN_REDIS_TLS_CA=" + cert, []string{"POSTERN_REDIS_TLS_CA needs POSTERN_REDIS_TLS=true"}},
		{"authorities that are none", local + " POSTERN_REDIS_TLS=true POSTERN_REDIS_TLS_CA=" + none, []string{"POSTERN_REDIS_TLS_CA has no certificate in PEM form"}},
		{"a certificate without its key", local + " POSTERN_REDIS_TLS=true POSTERN_REDIS_TLS_CERT=" + cert, []string{"POSTERN_REDIS_TLS_CERT needs POSTERN_REDIS_TLS_KEY"}},
		{"a key without its certificate", local + " POSTERN_REDIS_TLS=true POSTERN_REDIS_TLS_KEY=" + key, []string{"POSTERN_REDIS_TLS_KEY needs POSTERN_REDIS_TLS_CERT"}},
		{"a key of another certificate", local + " POSTERN_REDIS_TLS=true POSTERN_REDIS_TLS_CERT=" + cert + " POSTERN_REDIS_TLS_KEY=" + other, []string{"POSTERN_REDIS_TLS_CERT and POSTERN_REDIS_TLS_KEY are not a certificate and its key in PEM form"}},
		{"a key that all may read", local + " POSTERN_REDIS_TLS=true POSTERN_REDIS_TLS_CERT=" + cert + " POSTERN_REDIS_TLS_KEY=" + open, []string{"POSTERN_REDIS_TLS_KEY names a file that others may read: chmod 600 it"}},
		{"a timeout longer than decisions", local + " POSTERN_REDIS_TIMEOUT=2s", []string{"POSTERN_REDIS_TIMEOUT is not within 1ms..1s"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(append([]string{home}, strings.Fields(tc.environ)...))
			if got := lines(err); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNoPasswordOfRedisIsPrinted(t *testing.T) {
	c, err := Load([]string{home, "POSTERN_SECRET=" + strings.Repeat("s", 32), "POSTERN_REDIS_ADDRS=127.0.0.1:6379", "POSTERN_REDIS_MASTER=m",
		"POSTERN_REDIS_PASSWORD=hunter2", "POSTERN_REDIS_SENTINEL_PASSWORD=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") || strings.Count(b.String(), "PASSWORD=[redacted]") != 2 {
		t.Errorf("got a password, or not two that are redacted, in\n%s", b.String())
	}
}
