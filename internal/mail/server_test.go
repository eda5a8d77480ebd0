package mail_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

// serverVariable makes the test binary a mail server, so that there is one in a
// process of its own.
const serverVariable = "POSTERN_TEST_SMTP"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(serverVariable); ok {
		if err := serve(text); err != nil {
			log.Fatal(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// A behaviour is how a mail server treats its callers.
type behaviour struct {
	Greet     string        // instead of a greeting
	Delay     time.Duration // before it takes a mail
	Greylist  int           // how many times it defers a recipient
	Reject    string        // step that it answers with Code: MAIL, RCPT or DATA
	Code      int
	Drop      int      // how many times it breaks off within DATA
	DropAfter bool     // it breaks off when it has taken a mail, before it says so once
	Offers    []string // ways to sign in, of which one is needed then
	Plain     bool     // offers no STARTTLS
	Implicit  bool     // TLS from the first byte
	Cert, Key []byte
}

// A letter is what a mail server took.
type letter struct {
	From, To, User string
	TLS            bool
	Text           string
}

// serve is the mail server: it says where it listens, and then what it gets, one
// JSON text to a line, until its input ends.
func serve(text string) error {
	b := &backend{out: json.NewEncoder(os.Stdout), deferred: map[string]int{}}
	if err := json.Unmarshal([]byte(text), &b.behaviour); err != nil {
		return err
	}
	s := smtp.NewServer(b)
	s.Domain, s.AllowInsecureAuth, s.EnableSMTPUTF8 = "mx.test", true, true
	s.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if len(b.Cert) > 0 {
		pair, err := tls.X509KeyPair(b.Cert, b.Key)
		if err != nil {
			return err
		}
		config := &tls.Config{Certificates: []tls.Certificate{pair}}
		if b.Implicit {
			listener = tls.NewListener(listener, config)
		} else if !b.Plain {
			s.TLSConfig = config
		}
	}
	if err := b.out.Encode(listener.Addr().String()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if b.Greet != "" {
		return greet(listener, b.Greet)
	}
	return s.Serve(listener)
}

func greet(l net.Listener, line string) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		_, _ = io.WriteString(conn, line+"\r\n")
		_ = conn.Close()
	}
}

type backend struct {
	behaviour
	mu       sync.Mutex
	out      *json.Encoder
	deferred map[string]int
	dropped  int
}

func (b *backend) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{backend: b, conn: c}, nil
}

type session struct {
	*backend
	conn *smtp.Conn
	letter
}

func (s *session) answer(step string) error {
	if s.Reject != step {
		return nil
	}
	return &smtp.SMTPError{Code: s.Code, EnhancedCode: smtp.EnhancedCodeNotSet, Message: "no, said for <dana@acme.example>"}
}

func (s *session) AuthMechanisms() []string { return s.Offers }

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != "postern" || password != "s3cret pass" {
			return errors.New("wrong")
		}
		s.User = mechanism + " " + user
		return nil
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case "LOGIN":
		return &loginServer{check: check}, nil
	}
	return nil, errors.New("unknown")
}

// A loginServer is the server's side of AUTH LOGIN.
type loginServer struct {
	check func(user, password string) error
	step  int
	user  string
}

func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if len(s.Offers) > 0 && s.User == "" {
		return smtp.ErrAuthRequired
	}
	s.From = from
	return s.answer("MAIL")
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deferred[to] < s.Greylist {
		s.deferred[to]++
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "greylisted, come again"}
	}
	s.To = strings.TrimPrefix(s.To+","+to, ",")
	return s.answer("RCPT")
}

func (s *session) Data(r io.Reader) error {
	if s.drops() && !s.DropAfter {
		_, _ = io.CopyN(io.Discard, r, 100)
		return s.conn.Conn().Close()
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	time.Sleep(s.Delay)
	if err := s.answer("DATA"); err != nil {
		return err
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := letter{From: s.From, To: s.To, User: s.User, TLS: encrypted, Text: string(text)}
	if err := s.out.Encode(got); err != nil {
		return err
	}
	if s.DropAfter && s.dropped == 1 {
		s.dropped++
		return s.conn.Conn().Close()
	}
	return nil
}

func (s *session) drops() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped < s.Drop {
		s.dropped++
		return true
	}
	return false
}

func (s *session) Reset()        { s.From, s.To = "", "" }
func (s *session) Logout() error { return nil }

// A mailServer is such a process.
type mailServer struct {
	address string
	letters chan letter
}

// start runs a mail server for as long as the test lasts.
func start(t *testing.T, b behaviour) *mailServer {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), serverVariable+"="+string(text))
	program.Stderr = os.Stderr
	in, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	s := &mailServer{letters: make(chan letter, 100)}
	lines := bufio.NewReader(out)
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = in.Close()
		<-read
		_ = program.Wait()
	})
	first, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(first, &s.address) != nil {
		close(read)
		t.Fatalf("the mail server did not start: %q %v", first, err)
	}
	go func() {
		defer close(read)
		for decoder := json.NewDecoder(lines); ; {
			var l letter
			if decoder.Decode(&l) != nil {
				return
			}
			s.letters <- l
		}
	}()
	return s
}

// got is the next mail that the server took.
func (s *mailServer) got(t *testing.T) letter {
	t.Helper()
	select {
	case l := <-s.letters:
		return l
	case <-time.After(10 * time.Second):
		t.Fatal("the mail server took nothing, want a mail")
	}
	return letter{}
}

func (s *mailServer) gotNothing(t *testing.T) {
	t.Helper()
	select {
	case l := <-s.letters:
		t.Fatalf("the mail server took %+v, want nothing", l)
	default:
	}
}

// An authority signs one certificate, for 127.0.0.1.
func authority(t *testing.T) (pool *x509.CertPool, cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if !pool.AppendCertsFromPEM(cert) {
		t.Fatal("the certificate is none")
	}
	return pool, cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}
