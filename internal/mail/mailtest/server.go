// Package mailtest is a mail server in a process of its own, for tests: the test
// binary itself, which its TestMain makes one.
//
//	func TestMain(m *testing.M) {
//		if text, ok := os.LookupEnv(mailtest.Variable); ok {
//			if err := mailtest.Serve(text); err != nil {
//				log.Fatal(err)
//			}
//			return
//		}
//		…
//	}
package mailtest

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A Behaviour is how a mail server treats its callers.
type Behaviour struct {
	Listen    string        // address; default: a free port on loopback
	Greet     string        // instead of a greeting
	Delay     time.Duration // before it takes a mail
	Greylist  int           // how many times it defers a recipient
	Reject    string        // step that it answers with Code: MAIL, RCPT or DATA
	Code      int
	Drop      int      // how many times it breaks off within DATA
	DropAfter bool     // it breaks off when it has taken a mail, before it says so once
	Offers    []string // ways to sign in, of which one is needed then
	Password  string   // of the user postern, who signs in; default "s3cret pass"
	Plain     bool     // offers no STARTTLS
	Implicit  bool     // TLS from the first byte
	Cert, Key []byte
}

// A Letter is what a mail server took.
type Letter struct {
	From, To, User string
	TLS            bool
	Text           string
}

// Serve is the mail server, which behaves as the text says: it says where it listens, and then what it gets, one
// JSON text to a line, until its input ends.
func Serve(text string) error {
	b := &backend{out: json.NewEncoder(os.Stdout), deferred: map[string]int{}}
	if err := json.Unmarshal([]byte(text), &b.Behaviour); err != nil {
		return err
	}
	s := smtp.NewServer(b)
	s.Domain, s.AllowInsecureAuth, s.EnableSMTPUTF8 = "mx.test", true, true
	s.ErrorLog = silence{}
	listener, err := net.Listen("tcp", cmp.Or(b.Listen, "127.0.0.1:0"))
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
		_ = listener.Close()
	}()
	if b.Greet != "" {
		err = greet(listener, b.Greet)
	} else {
		err = s.Serve(listener)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
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
	Behaviour
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
	Letter
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
		if user != "postern" || password != cmp.Or(s.Password, "s3cret pass") {
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
	<-time.After(s.Delay)
	if err := s.answer("DATA"); err != nil {
		return err
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := Letter{From: s.From, To: s.To, User: s.User, TLS: encrypted, Text: string(text)}
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

// silence is a log that nobody reads.
type silence struct{}

func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}
