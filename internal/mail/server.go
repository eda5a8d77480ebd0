package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/postern-authz/postern/internal/outbox"
)

// A server takes mails by SMTP (RFC 5321).
type server struct {
	host, address  string
	hello          string // our name
	user, password string
	implicit       bool        // TLS from the first byte (RFC 8314)
	tls            *tls.Config // nil: a loopback address, in the clear
}

// dialWithin is how long a connection may take to be there.
const dialWithin = 10 * time.Second

// newSender reads where mail goes. Its errors do not show the password.
func newSender(text, domain string, ca *x509.CertPool) (sender, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the mail server is no URL: use smtp://user:password@host:587, smtps://… or file:///directory")
	}
	switch u.Scheme {
	case "file":
		return newFolder(u)
	case "smtp", "smtps":
		return newServer(u, domain, ca)
	}
	return nil, errors.New("the mail server starts with none of smtp://, smtps:// and file:///")
}

func newServer(u *url.URL, domain string, ca *x509.CertPool) (*server, error) {
	if u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the mail server has no host, or more than a host and a port: use smtp://host:587")
	}
	s := &server{host: u.Hostname(), hello: domain, implicit: u.Scheme == "smtps", user: u.User.Username()}
	s.password, _ = u.User.Password()
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "465", false: "587"}[s.implicit]
	}
	s.address = net.JoinHostPort(s.host, port)
	if s.implicit || ca != nil || !loopback(s.host) {
		s.tls = &tls.Config{ServerName: s.host, RootCAs: ca, MinVersion: tls.VersionTLS12}
	}
	return s, nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// send speaks to the server in a connection of its own. Once the server has
// taken the mail it was sent, whatever happens to the connection then.
func (s *server) send(ctx context.Context, _ string, m *gomail.Msg, from, to string) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return timely(ctx, &outbox.Delay{Reason: ReasonUnreachable, Err: err})
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	client, err := s.open(conn)
	if err != nil {
		return timely(ctx, err)
	}
	if err := hand(client, m, from, to); err != nil {
		return timely(ctx, err)
	}
	_ = client.Quit()
	return nil
}

// timely explains a connection that was closed because its time was over.
func timely(ctx context.Context, err error) error {
	if never := new(outbox.Undeliverable); ctx.Err() != nil && !errors.As(err, &never) {
		return &outbox.Delay{Reason: outbox.ReasonTimeout}
	}
	return err
}

func (s *server) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	if s.implicit {
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
}

// open greets, encrypts and signs in.
func (s *server) open(conn net.Conn) (*smtp.Client, error) {
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, ours("the greeting", ReasonServer, err)
	}
	if err := client.Hello(s.hello); err != nil {
		return nil, ours("EHLO", ReasonServer, err)
	}
	if s.tls != nil && !s.implicit {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			return nil, &outbox.Delay{Reason: ReasonTLS, Err: fmt.Errorf("the mail server %s offers no STARTTLS: use one that does, or smtps://", s.host)}
		}
		if err := client.StartTLS(s.tls.Clone()); err != nil {
			return nil, &outbox.Delay{Reason: ReasonTLS, Err: err}
		}
	}
	if s.user != "" {
		if err := client.Auth(&auth{server: s}); err != nil {
			return nil, ours("AUTH", ReasonAuth, err)
		}
	}
	return client, nil
}

// hand gives the server the mail.
func hand(client *smtp.Client, m *gomail.Msg, from, to string) error {
	if err := client.Mail(from); err != nil {
		return refusal("MAIL", err)
	}
	if offered, _ := client.Extension("SMTPUTF8"); !offered && !ascii(to) {
		return &outbox.Undeliverable{Reason: ReasonAddress}
	}
	if err := client.Rcpt(to); err != nil {
		return refusal("RCPT", err)
	}
	data, err := client.Data()
	if err != nil {
		return refusal("DATA", err)
	}
	if _, err := m.WriteTo(data); err != nil {
		return &outbox.Delay{Reason: ReasonLost}
	}
	if err := data.Close(); err != nil {
		return refusal("the end of DATA", err)
	}
	return nil
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
