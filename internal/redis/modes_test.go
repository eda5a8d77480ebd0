package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/test/fleet"
)

func TestSentinelsLeadToTheNewMaster(t *testing.T) {
	s, err := fleet.NewSentinel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	r := start(t, Options{Addrs: s.Addrs(), Master: fleet.MasterName, Timeout: 200 * time.Millisecond})
	r.await("Redis is found", r.breaker.closed)
	woken := listen(t, r)
	<-woken
	r.put(userKey(1), authz.Document{Login: "a"}, at(1))
	r.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
	s.Master.Kill()
	began := time.Now()
	if err := s.AwaitFailover(); err != nil {
		t.Fatal(err)
	}
	revision := authz.Revision(1)
	r.await("the new master is written to", func() bool {
		revision++
		r.Put([]authz.Key{userKey(1)}, []authz.Document{{Login: "b"}}, at(revision))
		kept := r.get(userKey(1))
		return kept.OK && kept.Document.Login == "b"
	})
	t.Logf("written again %s after the master was killed", time.Since(began))
	for len(woken) > 0 {
		<-woken
	}
	r.await("announcements pass", func() bool {
		revision++
		r.Announce(revision)
		return pause(t.Context(), 20*time.Millisecond) && len(woken) > 0
	})
}

func TestAClusterHoldsEveryKeyWhereItBelongs(t *testing.T) {
	c, err := fleet.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	r := start(t, Options{Addrs: c.Addrs()[:1], Cluster: true, Timeout: 200 * time.Millisecond})
	r.await("Redis is found", r.breaker.closed)
	woken := listen(t, r)
	<-woken
	var keys []authz.Key
	var docs []authz.Document
	for i := range 100 {
		keys, docs = append(keys, userKey(i)), append(docs, authz.Document{Login: strconv.Itoa(i)})
	}
	r.Put(keys, docs, at(1))
	r.await("all are written", func() bool { return r.metric("postern_redis_writes_total", "ok") == 100 })
	for i, kept := range r.Get(t.Context(), keys) {
		if !kept.OK || kept.Document.Login != docs[i].Login {
			t.Errorf("%v: got %+v, want %+v", keys[i], kept, docs[i])
		}
	}
	r.Announce(2)
	<-woken
}

// What an ACL user needs; DESIGN.md says the same.
const rules = "~postern:* &postern:* +getrange +set +del +pttl +eval +evalsha +publish +subscribe +ping"

func TestRedisIsReachedOverTLSByAnACLUser(t *testing.T) {
	dir, config := certificates(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	s := server(t, "--tls-port", port, "--tls-auth-clients", "yes", "--tls-ca-cert-file", filepath.Join(dir, "cert.pem"),
		"--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"))
	do(t, s, append([]string{"ACL", "SETUSER", "postern", "on", ">hunter2"}, strings.Fields(rules)...)...)
	o := Options{Addrs: []string{"127.0.0.1:" + port}, Username: "postern", Password: "hunter2", TLS: config, Timeout: 200 * time.Millisecond}
	r := start(t, o)
	r.await("Redis is found", r.breaker.closed)
	r.put(userKey(1), authz.Document{Login: "a"}, at(1))
	r.want(userKey(1), keptAt(authz.Document{Login: "a"}, 1))
	woken := listen(t, r)
	<-woken
	r.Announce(1)
	<-woken
	do(t, s, "SET", r.sealer.name(userKey(1)), "spoiled")
	r.want(userKey(1), authz.Kept{})
	r.await("it is removed", func() bool { return do(t, s, "EXISTS", r.sealer.name(userKey(1))) == "0" })
	for _, operation := range []string{opGet, opPut, opRemove, opPublish, opSubscribe, opProbe} {
		r.wantMetric("postern_dependency_errors_total", operation, 0)
	}
	for name, spoil := range map[string]func(*Options){
		"no client certificate": func(o *Options) { o.TLS = &tls.Config{RootCAs: config.RootCAs} },
		"another authority":     func(o *Options) { o.TLS = &tls.Config{Certificates: config.Certificates} },
		"another name":          func(o *Options) { o.TLS = config.Clone(); o.TLS.ServerName = "redis.example.com" },
		"another password":      func(o *Options) { o.Password = "hunter3" },
		"no TLS":                func(o *Options) { o.TLS = nil },
	} {
		wrong := o
		spoil(&wrong)
		r := start(t, wrong)
		r.await(name+": it fails", func() bool { return r.metric("postern_dependency_errors_total", opProbe) > 0 })
		r.wantMetric("postern_redis_breaker_open", "", 1)
		if strings.Contains(r.log.String(), "hunter") {
			t.Errorf("%s: got a password in\n%s", name, r.log)
		}
	}
}

// certificates writes cert.pem and key.pem, which serve for a server, a client
// and their authority, and returns what a client needs.
func certificates(t *testing.T) (dir string, config *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	dir = t.TempDir()
	for name, text := range map[string][]byte{"cert.pem": certPEM, "key.pem": keyPEM} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return dir, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}
