package mail

import (
	"errors"
	"slices"

	"github.com/wneessen/go-mail/smtp"
)

// auth signs in by the best way that the server offers. In the clear it only
// ever happens on a loopback address.
type auth struct {
	server *server
	smtp.Auth
}

// Start chooses the way.
func (a *auth) Start(info *smtp.ServerInfo) (string, []byte, error) {
	user, password := a.server.user, a.server.password
	offers := func(mechanism string) bool { return slices.Contains(info.Auth, mechanism) }
	switch {
	case offers("SCRAM-SHA-256"):
		a.Auth = smtp.ScramSHA256Auth(user, password)
	case offers("PLAIN"):
		a.Auth = smtp.PlainAuth("", user, password, a.server.host, a.server.tls == nil)
	case offers("LOGIN"):
		a.Auth = smtp.LoginAuth(user, password, a.server.host, a.server.tls == nil)
	case offers("SCRAM-SHA-1"):
		a.Auth = smtp.ScramSHA1Auth(user, password)
	default:
		return "", nil, errors.New("the mail server offers none of SCRAM-SHA-256, PLAIN, LOGIN and SCRAM-SHA-1")
	}
	return a.Auth.Start(info)
}
