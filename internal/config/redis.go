package config

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Redis is the tier of grants that replicas share. It is never believed: what is
// in it is sealed, and what cannot be proved to be current is not used.
type Redis struct {
	Addrs            []string      `env:"ADDRS" example:"redis.example.com:6379" needs:"SECRET" help:"Redis servers that grants are kept in for all replicas, as host:port: one server, or a few of a Cluster, or the Sentinels of POSTERN_REDIS_MASTER. It needs POSTERN_SECRET. Empty: no Redis; each replica reads from the directory alone."`
	Master           string        `env:"MASTER" type:"text" example:"postern" needs:"REDIS_ADDRS" help:"Name of the master that the Sentinels in POSTERN_REDIS_ADDRS watch. Empty: no Sentinel."`
	Cluster          bool          `env:"CLUSTER" envDefault:"false" example:"true" needs:"REDIS_ADDRS" help:"Whether POSTERN_REDIS_ADDRS are nodes of a Redis Cluster."`
	Username         string        `env:"USERNAME" type:"text" example:"postern" needs:"REDIS_PASSWORD" help:"The ACL user to sign in to Redis as. Empty: Redis' default user."`
	Password         Secret        `env:"PASSWORD" example:"/etc/postern/redis.password" needs:"REDIS_ADDRS,REDIS_TLS" help:"Password of the Redis user. Empty: none is sent."`
	SentinelUsername string        `env:"SENTINEL_USERNAME" type:"text" example:"postern" needs:"REDIS_SENTINEL_PASSWORD" help:"The ACL user to sign in to Sentinels as. Empty: their default user."`
	SentinelPassword Secret        `env:"SENTINEL_PASSWORD" example:"/etc/postern/sentinel.password" needs:"REDIS_MASTER,REDIS_TLS" help:"Password of the Sentinels' user. Empty: none is sent."`
	DB               int           `env:"DB" envDefault:"0" range:"0..65535" example:"2" help:"Number of the Redis database; a Cluster has only 0."`
	TLS              bool          `env:"TLS" envDefault:"false" example:"true" needs:"REDIS_ADDRS" help:"Whether Redis, and Sentinels, are reached over TLS, with a certificate that is verified."`
	TLSCA            string        `env:"TLS_CA" type:"path" example:"/etc/postern/redis-ca.crt" needs:"REDIS_TLS" help:"PEM file of the authorities that sign Redis' certificate. Empty: those of the system."`
	TLSCert          string        `env:"TLS_CERT" type:"path" example:"/etc/postern/redis.crt" needs:"REDIS_TLS,REDIS_TLS_KEY" help:"PEM file of the client certificate to show to Redis. Empty: none is shown."`
	TLSKey           string        `env:"TLS_KEY" type:"path" example:"/etc/postern/redis.key" needs:"REDIS_TLS,REDIS_TLS_CERT" help:"PEM file of the client certificate's private key. Empty: none."`
	TLSServerName    string        `env:"TLS_SERVER_NAME" type:"text" example:"redis.internal.example.com" needs:"REDIS_TLS" help:"The name that Redis' certificate has to carry. Empty: the host in the address."`
	Timeout          time.Duration `env:"TIMEOUT" envDefault:"20ms" range:"1ms..1s" example:"50ms" help:"Longest that a decision waits for Redis, once; then the grants are read from the directory, and Redis is left alone until it answers again."`
	Pool             int           `env:"POOL" envDefault:"32" range:"1..10000" example:"64" help:"Most connections to one Redis server at a time."`
	TTL              time.Duration `env:"TTL" envDefault:"1h" range:"1m..168h" example:"24h" help:"How long grants stay in Redis after they were written; reading them does not make it longer. It bounds Redis' memory and not how old grants may be."`
}

// On tells whether there is a Redis.
func (r Redis) On() bool { return len(r.Addrs) > 0 }

func (c *Config) validateRedis(f *faults) {
	r := c.Redis
	for _, addr := range r.Addrs {
		host, port, err := net.SplitHostPort(addr)
		number, bad := strconv.ParseUint(port, 10, 16)
		f.when(err != nil || bad != nil || number == 0 || strings.ContainsAny(host, "/@ "), "has something that is no address such as redis.example.com:6379", "REDIS_ADDRS")
	}
	f.when(r.On() && c.Secret == "", "needs POSTERN_SECRET: what is in Redis is sealed with it, and all replicas have to have the same", "REDIS_ADDRS", "SECRET")
	f.when(!r.On() && r.Master != "", "needs POSTERN_REDIS_ADDRS, the addresses of the Sentinels", "REDIS_MASTER", "REDIS_ADDRS")
	f.when(!r.On() && r.Password != "", "needs POSTERN_REDIS_ADDRS", "REDIS_PASSWORD", "REDIS_ADDRS")
	f.when(!r.On() && r.Cluster, "needs POSTERN_REDIS_ADDRS", "REDIS_CLUSTER", "REDIS_ADDRS")
	f.when(!r.On() && r.TLS, "needs POSTERN_REDIS_ADDRS", "REDIS_TLS", "REDIS_ADDRS")
	f.when(r.Cluster && r.Master != "", "is set, but POSTERN_REDIS_CLUSTER is true: a Cluster has no Sentinels", "REDIS_MASTER", "REDIS_CLUSTER")
	f.when(r.Cluster && r.DB != 0, "is not 0, but POSTERN_REDIS_CLUSTER is true: a Cluster has only database 0", "REDIS_DB", "REDIS_CLUSTER")
	f.when(!r.Cluster && r.Master == "" && len(r.Addrs) > 1, "has several servers: set POSTERN_REDIS_CLUSTER=true for a Cluster, or POSTERN_REDIS_MASTER for Sentinels", "REDIS_ADDRS", "REDIS_CLUSTER", "REDIS_MASTER")
	f.when(r.Username != "" && r.Password == "", "needs POSTERN_REDIS_PASSWORD", "REDIS_USERNAME", "REDIS_PASSWORD")
	f.when(r.SentinelUsername != "" && r.SentinelPassword == "", "needs POSTERN_REDIS_SENTINEL_PASSWORD", "REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD")
	f.when(r.Master == "" && r.SentinelPassword != "", "needs POSTERN_REDIS_MASTER: without it no Sentinel is asked", "REDIS_SENTINEL_PASSWORD", "REDIS_MASTER")
	const exposed = "would cross a network without TLS: set POSTERN_REDIS_TLS=true, or POSTERN_ALLOW_PLAINTEXT=true"
	f.when(r.exposed(r.Password) && !c.AllowPlaintext, exposed, "REDIS_PASSWORD", "REDIS_TLS", "ALLOW_PLAINTEXT", "REDIS_ADDRS")
	f.when(r.exposed(r.SentinelPassword) && !c.AllowPlaintext, exposed, "REDIS_SENTINEL_PASSWORD", "REDIS_TLS", "ALLOW_PLAINTEXT", "REDIS_ADDRS")
	r.validateTLS(f)
}

// exposed tells whether a password would be sent over a network in clear.
func (r Redis) exposed(password Secret) bool {
	remote := func(addr string) bool { return !Address(addr).Local() }
	return !r.TLS && password != "" && slices.ContainsFunc(r.Addrs, remote)
}

func (r Redis) validateTLS(f *faults) {
	const needs = "needs POSTERN_REDIS_TLS=true"
	f.when(!r.TLS && r.TLSCA != "", needs, "REDIS_TLS_CA", "REDIS_TLS")
	f.when(!r.TLS && r.TLSCert != "", needs, "REDIS_TLS_CERT", "REDIS_TLS")
	f.when(!r.TLS && r.TLSKey != "", needs, "REDIS_TLS_KEY", "REDIS_TLS")
	f.when(!r.TLS && r.TLSServerName != "", needs, "REDIS_TLS_SERVER_NAME", "REDIS_TLS")
	f.when(r.TLSCert != "" && r.TLSKey == "", "needs POSTERN_REDIS_TLS_KEY", "REDIS_TLS_CERT", "REDIS_TLS_KEY")
	f.when(r.TLSCert == "" && r.TLSKey != "", "needs POSTERN_REDIS_TLS_CERT", "REDIS_TLS_KEY", "REDIS_TLS_CERT")
	certificate, key := checkFile(f, "REDIS_TLS_CERT", r.TLSCert), checkFile(f, "REDIS_TLS_KEY", r.TLSKey)
	if info, err := os.Stat(r.TLSKey); err == nil {
		f.when(loose(info, os.Geteuid()), "names a file that others may read: chmod 600 it", "REDIS_TLS_KEY")
	}
	if certificate != nil && key != nil {
		_, err := tls.X509KeyPair(certificate, key)
		f.when(err != nil, "and POSTERN_REDIS_TLS_KEY are not a certificate and its key in PEM form", "REDIS_TLS_CERT", "REDIS_TLS_KEY")
	}
	if authorities := checkFile(f, "REDIS_TLS_CA", r.TLSCA); authorities != nil {
		f.when(!x509.NewCertPool().AppendCertsFromPEM(authorities), "has no certificate in PEM form", "REDIS_TLS_CA")
	}
}
