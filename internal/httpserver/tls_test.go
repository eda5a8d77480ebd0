package httpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/authz"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate, which signs itself when there is no authority yet.
func (a *authority) sign(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) pair(t testing.TB, template *x509.Certificate) tls.Certificate {
	t.Helper()
	cert, key := a.sign(t, template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// files writes a server certificate with a serial number of its own.
func (a *authority) files(t testing.TB, dir string) (certFile, keyFile string, serial *big.Int) {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write(t, certFile, "CERTIFICATE", cert.Raw)
	write(t, keyFile, "PRIVATE KEY", der)
	return certFile, keyFile, cert.SerialNumber
}

func write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// over asks /who over TLS with a client configuration of its own.
func (r *running) over(t testing.TB, config *tls.Config, header ...string) (*http.Response, string, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest("GET", "https://"+r.addr+"/who", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestF38CertificatesFollowTheirFiles(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	certFile, keyFile, first := ca.files(t, dir)
	certs, err := NewCertificates(CertificateOptions{Listener: "test", Cert: certFile, Key: keyFile, Log: quiet(), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, Options{TLS: certs}, func(app *fiber.App) { app.Get("/who", who) })
	serial := func() *big.Int {
		resp, _, err := server.over(t, &tls.Config{RootCAs: ca.pool()})
		if err != nil {
			t.Fatal(err)
		}
		if resp.TLS.Version != tls.VersionTLS13 || resp.ProtoMajor != 1 {
			t.Errorf("got TLS %x and HTTP/%d, want TLS 1.3 and HTTP/1.1", resp.TLS.Version, resp.ProtoMajor)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber
	}
	if got := serial(); got.Cmp(first) != 0 {
		t.Errorf("got certificate %v, want %v", got, first)
	}
	if err := os.WriteFile(certFile, []byte("half a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	certs.check()
	if got := serial(); got.Cmp(first) != 0 {
		t.Errorf("after a broken file got certificate %v, want the old %v", got, first)
	}
	_, _, second := ca.files(t, dir)
	certs.check()
	if got := serial(); got.Cmp(second) != 0 {
		t.Errorf("after a change got certificate %v, want %v", got, second)
	}
	certs.check() // nothing has changed
	if ends := testutil.ToFloat64(certs.expires); ends < float64(time.Now().Unix()) {
		t.Errorf("got a certificate that ended at %v, want the one in use", ends)
	}
	for result, want := range map[string]float64{"ok": 1, "error": 1} {
		if got := testutil.ToFloat64(certs.reloads.WithLabelValues(result)); got != want {
			t.Errorf("reloads that were %s got %v, want %v", result, got, want)
		}
	}
}

func TestWatchLooksAtTheFiles(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	certFile, keyFile, _ := ca.files(t, dir)
	certs, err := NewCertificates(CertificateOptions{Cert: certFile, Key: keyFile, Poll: 5 * time.Millisecond, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	ctx := t.Context()
	go func() { defer close(done); certs.Watch(ctx) }()
	t.Cleanup(func() { <-done })
	before := certs.current.Load()
	ca.files(t, dir)
	eventually(t, "the new certificate", func() bool { return certs.current.Load() != before })
}

func TestOldTLSIsRefused(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile, _ := ca.files(t, t.TempDir())
	certs, err := NewCertificates(CertificateOptions{Cert: certFile, Key: keyFile, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, Options{TLS: certs}, func(app *fiber.App) { app.Get("/who", who) })
	for version, accepted := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, _, err := server.over(t, &tls.Config{RootCAs: ca.pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != accepted {
			t.Errorf("TLS %x got %v, want accepted %v", version, err, accepted)
		}
	}
	if got := server.raw(t, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n"); strings.Contains(got, "caller") {
		t.Errorf("plain HTTP got %q, want no answer", got)
	}
}

func TestNewCertificatesRefuses(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	certFile, keyFile, _ := ca.files(t, dir)
	for name, o := range map[string]CertificateOptions{
		"no certificate":                {Cert: filepath.Join(dir, "none"), Key: keyFile},
		"no key":                        {Cert: certFile, Key: filepath.Join(dir, "none")},
		"a key in place of the CA":      {Cert: certFile, Key: keyFile, ClientCA: keyFile},
		"a client CA that is not there": {Cert: certFile, Key: keyFile, ClientCA: filepath.Join(dir, "none")},
	} {
		if _, err := NewCertificates(o); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	ca, clients, strangers := newAuthority(t), newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	certFile, keyFile, _ := ca.files(t, dir)
	caFile := filepath.Join(dir, "clients.crt")
	write(t, caFile, "CERTIFICATE", clients.cert.Raw)
	certs, err := NewCertificates(CertificateOptions{Cert: certFile, Key: keyFile, ClientCA: caFile, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	id, secret, hash := NewAppKey()
	keys := &knownKeys{keys: map[string]Key{
		id:               {Hash: hash, Holder: authz.Caller{ID: id}},
		"billing.portal": {Holder: authz.Caller{ID: "billing", Actions: []string{"invoice."}}},
		"old.portal":     {Holder: authz.Caller{ID: "old"}, Revoked: true},
	}}
	auth, err := NewAuthenticator(AuthOptions{Mode: ModeMTLS, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, Options{TLS: certs}, func(app *fiber.App) {
		app.Get("/who", auth.Handle, func(c *fiber.Ctx) error { return c.SendString(fmt.Sprint(Caller(c).ID, Caller(c).Actions)) })
	})
	spiffe, err := url.Parse("spiffe://example.org/portal")
	if err != nil {
		t.Fatal(err)
	}
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for name, tt := range map[string]struct {
		signer *authority
		cert   x509.Certificate
		key    string
		status int // 0: no TLS connection
		want   string
	}{
		"a DNS name":                     {clients, x509.Certificate{DNSNames: []string{"shop.portal", "x"}, Subject: pkix.Name{CommonName: "cn"}}, "", 200, "shop.portal[]"},
		"a URI":                          {clients, x509.Certificate{URIs: []*url.URL{spiffe}}, "", 200, "spiffe://example.org/portal[]"},
		"a common name":                  {clients, x509.Certificate{Subject: pkix.Name{CommonName: "cn"}}, "", 200, "cn[]"},
		"no name":                        {clients, x509.Certificate{}, "", 401, ""},
		"a name that a key restricts":    {clients, x509.Certificate{DNSNames: []string{"billing.portal"}}, "", 200, "billing[invoice.]"},
		"a name that a key has revoked":  {clients, x509.Certificate{DNSNames: []string{"old.portal"}}, "", 401, ""},
		"a right key beside it":          {clients, x509.Certificate{DNSNames: []string{"shop.portal"}}, secret, 200, id + "[]"},
		"a wrong key beside it":          {clients, x509.Certificate{DNSNames: []string{"shop.portal"}}, "wrong", 401, ""},
		"a certificate of somebody else": {strangers, x509.Certificate{DNSNames: []string{"shop.portal"}}, "", 0, ""},
		"an expired certificate":         {clients, x509.Certificate{DNSNames: []string{"shop.portal"}, NotAfter: time.Now().Add(-time.Minute)}, "", 0, ""},
		"no certificate":                 {nil, x509.Certificate{}, secret, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{RootCAs: ca.pool()}
			if tt.signer != nil {
				tt.cert.ExtKeyUsage = usage
				config.Certificates = []tls.Certificate{tt.signer.pair(t, &tt.cert)}
			}
			header := []string{}
			if tt.key != "" {
				header = []string{"Authorization", "Bearer " + tt.key}
			}
			resp, body, err := server.over(t, config, header...)
			switch {
			case tt.status == 0 && err == nil:
				t.Errorf("got %d %s, want no connection", resp.StatusCode, body)
			case tt.status == 0:
			case err != nil:
				t.Error(err)
			case resp.StatusCode != tt.status || tt.status == 200 && body != tt.want:
				t.Errorf("got %d %s, want %d %s", resp.StatusCode, body, tt.status, tt.want)
			}
		})
	}
}
