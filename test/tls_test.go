package test

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
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestClientCertificates: with an authority set, only who holds a certificate
// it signed is answered (AuthZEN §11).
// certified is an installation with TLS, for those with a certificate of an
// authority.
func certified(t *testing.T, a *authority) installation {
	i := install(t)
	cert, key := a.issue(t, "pdp")
	i.run(t, "import", acme(t))
	i.env = append(i.env,
		"POSTERN_DECISIONS_TLS_CERT="+i.file(t, "server.pem", cert),
		"POSTERN_DECISIONS_TLS_KEY="+i.file(t, "server.key", key),
		"POSTERN_DECISIONS_TLS_CLIENT_CA="+i.file(t, "clients.pem", a.pem()),
	)
	return i
}

// T1: a key by the name of a client certificate limits it, and ends it.
func TestT1ACertificateIsHeldToItsKey(t *testing.T) {
	ours := newAuthority(t, "ours")
	i := certified(t, ours)
	if said := i.run(t, "key", "create", "portal", "--certificate", "portal", "--organization", "globex"); said != "" {
		t.Errorf("got %q, want no secret for a certificate", said)
	}
	s := i.serve(t)
	e := endpoint{strings.Replace(s.decisions.base, "http://", "https://", 1), ours.client(t, ours)}
	for words, want := range map[string]int{
		"login:rosa service.view account:a-1001":   http.StatusForbidden,
		"login:gustav service.view account:g-3001": http.StatusOK,
	} {
		if x := e.asks(t, words); x.status != want {
			t.Errorf("%s: got %s, want %d", words, x, want)
		}
	}
	i.run(t, "key", "revoke", "portal")
	begin := time.Now()
	for e.asks(t, "login:gustav service.view account:g-3001").status != http.StatusUnauthorized {
		if time.Since(begin) > patience {
			t.Fatal("a revoked certificate is still let in")
		}
	}
}

// asks asks one question.
func (e endpoint) asks(t *testing.T, words string) exchange {
	t.Helper()
	q, err := ask(strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.send(http.MethodPost, evaluation, q.json())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestClientCertificates(t *testing.T) {
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	i := certified(t, ours)
	s := i.serve(t)
	q, err := ask(strings.Fields("login:rosa service.view account:a-1001"))
	if err != nil {
		t.Fatal(err)
	}
	base := strings.Replace(s.decisions.base, "http://", "https://", 1)
	for _, c := range []struct {
		name   string
		signer *authority
		want   bool
	}{
		{"a certificate of our authority", ours, true},
		{"a certificate of another authority", other, false},
		{"no certificate", nil, false},
	} {
		e := endpoint{base, ours.client(t, c.signer)}
		x, err := e.send(http.MethodPost, evaluation, q.json())
		answered := err == nil && x.status == http.StatusOK
		if answered != c.want {
			t.Errorf("%s: got %v, answered: %v; want %v\n%s", c.name, err, answered, c.want, x)
		}
	}
	if x, err := s.decisions.send(http.MethodPost, evaluation, q.json()); err == nil && x.status == http.StatusOK {
		t.Errorf("got an answer without TLS, want none\n%s", x)
	}
}

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	template := certificate(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// issue signs a certificate for a server on loopback or for a client.
func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	template := certificate(name)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	return a.sign(t, template)
}

// named signs a certificate for a server of a name, wherever it is.
func (a *authority) named(t *testing.T, name string) (cert, key string) {
	t.Helper()
	template := certificate(name)
	template.DNSNames = []string{name}
	return a.sign(t, template)
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) (cert, key string) {
	t.Helper()
	private := newKey(t)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("CERTIFICATE", der), inPEM("PRIVATE KEY", secret)
}

// client trusts the authority and shows a certificate of the signer, if any.
func (a *authority) client(t *testing.T, signer *authority) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(a.cert)
	if signer != nil {
		cert, key := signer.issue(t, "portal")
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		// Shown whatever authorities the server names.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: patience}
}

func (a *authority) pem() string { return inPEM("CERTIFICATE", a.cert.Raw) }

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(90 * 24 * time.Hour),
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
