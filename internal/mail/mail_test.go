package mail_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/link"
	"github.com/postern-authz/postern/internal/mail"
	"github.com/postern-authz/postern/internal/mail/mailtest"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
)

const (
	portal     = "https://portal.example"
	invitation = "inv_01890a5d-ac96-774b-bcce-b302099a8057"
	user       = "usr_01890a5d-ac96-774b-bcce-b302099a8058"
	messageID  = "msg_01890a5d-ac96-774b-bcce-b302099a8059"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// A desk is a directory that holds what mails are about.
type desk struct {
	pap.Reader
	invitation pap.Invitation
	reset      pap.Reset
	change     pap.EmailChange
	err        error
}

func newDesk() *desk {
	later := now.Add(time.Hour)
	return &desk{
		invitation: pap.Invitation{ID: invitation, State: "pending", Generation: 2, ExpiresAt: later},
		reset:      pap.Reset{User: user, Generation: 2, ExpiresAt: later},
		change:     pap.EmailChange{User: user, Generation: 2, ExpiresAt: later},
	}
}

func (d *desk) Look(_ context.Context, fn func(pap.Reader) error) error { return fn(d) }

func (d *desk) Invitation(organization, id string) (pap.Invitation, error) {
	if organization != "" || id != invitation {
		return pap.Invitation{}, authz.ErrNotFound
	}
	return d.invitation, d.err
}
func (d *desk) Reset(string) (pap.Reset, error)             { return d.reset, d.err }
func (d *desk) EmailChange(string) (pap.EmailChange, error) { return d.change, d.err }

func links(t *testing.T) *link.Links {
	t.Helper()
	l, err := link.New(bytes.Repeat([]byte("k"), 32), "dir")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func courier(t *testing.T, server string, ca *x509.CertPool, d *desk) *mail.Courier {
	t.Helper()
	c, err := mail.New(mail.Options{
		Server: server, From: "postern@portal.example", Name: "Example Portal", CA: ca, PortalURLs: []string{portal, "https://partner.example/"},
		Links: links(t), Directory: d, Timeout: 2 * time.Second, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func message(t *testing.T, kind string, m pap.Mail) pap.Message {
	t.Helper()
	payload, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return pap.Message{ID: messageID, Channel: pap.ChannelMail, Type: kind, Recipient: "dana@acme.example", Payload: payload, Attempts: 1}
}

func invite(t *testing.T) pap.Message {
	t.Helper()
	expires := now.Add(time.Hour)
	return message(t, pap.MailInvitation, pap.Mail{About: invitation, Generation: 2, ExpiresAt: &expires,
		Name: "Dana Roy", Organization: "Acme & Sons", Inviter: "Paula Price", Role: "Regular", From: "Acme & Sons"})
}

// read takes a mail apart: its header and its two parts.
func read(t *testing.T, text string) (header netmail.Header, plain, html string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for _, part := range []*string{&plain, &html} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		*part = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	return m.Header, plain, html
}

func TestAnInvitationArrivesWithItsLinkInBothForms(t *testing.T) {
	server := mailtest.Start(t, mailtest.Behaviour{})
	if err := courier(t, "smtp://"+server.Address, nil, newDesk()).Deliver(t.Context(), invite(t)); err != nil {
		t.Fatal(err)
	}
	got := server.Got(t, soon)
	if got.To != "dana@acme.example" || got.From != "postern@portal.example" {
		t.Errorf("got it from %q to %q", got.From, got.To)
	}
	header, plain, html := read(t, got.Text)
	for name, want := range map[string]string{
		"To": "<dana@acme.example>", "Subject": "Your invitation", "Message-Id": "<" + messageID + "@portal.example>",
		"Auto-Submitted": "auto-generated", "User-Agent": "", "X-Mailer": "", "Cc": "", "Bcc": "",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if from, err := header.AddressList("From"); err != nil || len(from) != 1 || *from[0] != (netmail.Address{Name: "Acme & Sons", Address: "postern@portal.example"}) {
		t.Errorf("got from %v, %v", from, err)
	}
	link := portal + "/invitation#token=" + links(t).Make(pap.ForInvitation, invitation, 2)
	if !strings.Contains(plain, "\n"+link+"\n") || !strings.Contains(plain, "Paula Price invites you to the portal of Acme & Sons as Regular.") {
		t.Errorf("got the text\n%s", plain)
	}
	if !strings.Contains(html, `<a href="`+link+`">`) || !strings.Contains(html, "Acme &amp; Sons") {
		t.Errorf("got the HTML\n%s", html)
	}
	if !strings.Contains(plain, "works until 4 March 2026, 06:06 UTC") {
		t.Errorf("the text does not say until when:\n%s", plain)
	}
}

func TestEveryMailHasBothFormsAndLinksWhereItMust(t *testing.T) {
	folder := t.TempDir()
	c := courier(t, "file://"+folder, nil, newDesk())
	for _, test := range []struct {
		kind, about, path, says string
		purpose                 pap.Purpose
	}{
		{pap.MailInvitation, invitation, "/invitation", "invites you", pap.ForInvitation},
		{pap.MailActivated, invitation, "", "Mel Moore accepted your invitation", ""},
		{pap.MailPasswordReset, user, "/password-reset", "new password", pap.ForPasswordReset},
		{pap.MailEmailChange, user, "/email-change", "onfirm", pap.ForEmailChange},
		{pap.MailEmailChangedNotice, user, "", "is changed", ""},
		{pap.MailInvitationNotHonoured, invitation, "", "Mel Moore could not accept an invitation to Acme that Paula made", ""},
	} {
		t.Run(test.kind, func(t *testing.T) {
			m := message(t, test.kind, pap.Mail{About: test.about, Generation: 2, Organization: "Acme", Inviter: "Paula", Member: "Mel Moore", PortalURL: "https://partner.example/"})
			if err := c.Deliver(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(folder, messageID+".eml"))
			if err != nil {
				t.Fatal(err)
			}
			_, plain, html := read(t, string(text))
			for _, form := range []string{plain, html} {
				if !strings.Contains(form, test.says) {
					t.Errorf("got %q, want it to say %q", form, test.says)
				}
				if has := strings.Contains(form, "https://"); has != (test.path != "") {
					t.Errorf("got %q, want a link: %v", form, test.path != "")
				}
				if want := "https://partner.example" + test.path + "#token=" + links(t).Make(test.purpose, test.about, 2); test.path != "" && !strings.Contains(form, want) {
					t.Errorf("got %q, want the link %s", form, want)
				}
			}
		})
	}
}

func TestAFolderKeepsMailsForNobodyElseToRead(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mails")
	c := courier(t, "file://"+folder, nil, newDesk())
	for range 2 {
		if err := c.Deliver(t.Context(), invite(t)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != messageID+".eml" {
		t.Fatalf("got %v, %v, want one mail", entries, err)
	}
	file, err := entries[0].Info()
	if err != nil || file.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", file.Mode(), err)
	}
	if directory, err := os.Stat(folder); err != nil || directory.Mode().Perm() != 0o700 {
		t.Errorf("got mode %v, %v, want 0700", directory.Mode(), err)
	}
}

// what says what became of a mail.
func what(err error) string {
	var never *outbox.Undeliverable
	var delay *outbox.Delay
	switch {
	case err == nil:
		return "sent"
	case errors.As(err, &never):
		return "never: " + string(never.Reason)
	case errors.As(err, &delay):
		return "later: " + string(delay.Reason)
	}
	return "unexplained: " + err.Error()
}

func TestAMailWhoseLinkOpensNothingIsNotSent(t *testing.T) {
	past, used := now.Add(-time.Second), now
	for _, test := range []struct {
		name, kind string
		change     func(*desk)
		want       string
	}{
		{"an invitation that waits is sent", pap.MailInvitation, func(*desk) {}, "sent"},
		{"an invitation that was sent again", pap.MailInvitation, func(d *desk) { d.invitation.Generation = 3 }, "never: obsolete"},
		{"an invitation that was revoked", pap.MailInvitation, func(d *desk) { d.invitation.State = "revoked" }, "never: obsolete"},
		{"an invitation that was accepted", pap.MailInvitation, func(d *desk) { d.invitation.State = "accepted" }, "never: obsolete"},
		{"an invitation that has expired", pap.MailInvitation, func(d *desk) { d.invitation.ExpiresAt = now }, "never: obsolete"},
		{"an invitation that is not there", pap.MailInvitation, func(d *desk) { d.err = authz.ErrNotFound }, "never: obsolete"},
		{"a directory that does not answer", pap.MailInvitation, func(d *desk) { d.err = errors.New("down") }, "later: directory-unavailable"},
		{"a reset that waits is sent", pap.MailPasswordReset, func(*desk) {}, "sent"},
		{"a reset that was used", pap.MailPasswordReset, func(d *desk) { d.reset.UsedAt = &used }, "never: obsolete"},
		{"a reset that was asked for again", pap.MailPasswordReset, func(d *desk) { d.reset.Generation = 3 }, "never: obsolete"},
		{"a reset that has expired", pap.MailPasswordReset, func(d *desk) { d.reset.ExpiresAt = past }, "never: obsolete"},
		{"a change of address that waits is sent", pap.MailEmailChange, func(*desk) {}, "sent"},
		{"a change of address that was confirmed", pap.MailEmailChange, func(d *desk) { d.change.ConfirmedAt = &used }, "never: obsolete"},
		{"a change to another address since", pap.MailEmailChange, func(d *desk) { d.change.Generation = 3 }, "never: obsolete"},
		{"a notice tells what was, and is sent", pap.MailEmailChangedNotice, func(d *desk) { d.err = authz.ErrNotFound }, "sent"},
		{"a mail that nobody knows", "advertisement", func(*desk) {}, "never: mail-unknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk()
			test.change(d)
			about := invitation
			if test.kind != pap.MailInvitation {
				about = user
			}
			c := courier(t, "file://"+t.TempDir(), nil, d)
			if got := what(c.Deliver(t.Context(), message(t, test.kind, pap.Mail{About: about, Generation: 2}))); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhatAMailServerAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		server mailtest.Behaviour
		want   string
	}{
		{"it takes the mail", mailtest.Behaviour{}, "sent"},
		{"it is slow and takes it in time", mailtest.Behaviour{Delay: 500 * time.Millisecond}, "sent"},
		{"it is too slow", mailtest.Behaviour{Delay: 5 * time.Second}, "later: timeout"},
		{"it greylists", mailtest.Behaviour{Greylist: 1}, "later: deferred"},
		{"it knows no such mailbox", mailtest.Behaviour{Reject: "RCPT", Code: 550}, "never: mailbox-unavailable"},
		{"the mailbox is full", mailtest.Behaviour{Reject: "RCPT", Code: 552}, "never: mailbox-full"},
		{"the mailbox is full at the moment", mailtest.Behaviour{Reject: "RCPT", Code: 452}, "later: deferred"},
		{"it relays for nobody", mailtest.Behaviour{Reject: "RCPT", Code: 554}, "never: recipient-rejected"},
		{"it takes nothing from us", mailtest.Behaviour{Reject: "MAIL", Code: 550}, "never: sender-rejected"},
		{"it wants us to sign in and says so with 502", mailtest.Behaviour{Offers: []string{"PLAIN"}}, "later: server-refuses"},
		{"it wants us to sign in", mailtest.Behaviour{Reject: "MAIL", Code: 530}, "later: authentication-failed"},
		{"it takes us for spam", mailtest.Behaviour{Reject: "DATA", Code: 554}, "never: content-rejected"},
		{"it is out of space", mailtest.Behaviour{Reject: "DATA", Code: 452}, "later: deferred"},
		{"it breaks off within the mail", mailtest.Behaviour{Drop: 1}, "later: connection-lost"},
		{"it greets with a refusal", mailtest.Behaviour{Greet: "554 no"}, "later: server-refuses"},
		{"it greets with nonsense", mailtest.Behaviour{Greet: "hello, stranger"}, "later: connection-lost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, test.server)
			err := courier(t, "smtp://"+server.Address, nil, newDesk()).Deliver(t.Context(), invite(t))
			if got := what(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "dana") {
				t.Errorf("the error names the recipient: %v", err)
			}
		})
	}
	t.Run("it is not there", func(t *testing.T) {
		if got := what(courier(t, "smtp://127.0.0.1:1", nil, newDesk()).Deliver(t.Context(), invite(t))); got != "later: server-unreachable" {
			t.Errorf("got %q, want later: server-unreachable", got)
		}
	})
}

func TestAfterARetryTheMailAndItsLinkAreTheSame(t *testing.T) {
	for _, test := range []struct {
		name    string
		server  mailtest.Behaviour
		arrives int
	}{
		{"greylisted twice", mailtest.Behaviour{Greylist: 2}, 1},
		{"broken off within the mail", mailtest.Behaviour{Drop: 2}, 1},
		{"taken, but the answer was lost", mailtest.Behaviour{Drop: 1, DropAfter: true}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, test.server)
			c := courier(t, "smtp://"+server.Address, nil, newDesk())
			attempts := 1
			for ; c.Deliver(t.Context(), invite(t)) != nil; attempts++ {
				if attempts == 5 {
					t.Fatal("it is never taken")
				}
			}
			if attempts == 1 {
				t.Fatal("it was taken at once")
			}
			var ids, texts []string
			for range test.arrives {
				header, plain, _ := read(t, server.Got(t, soon).Text)
				ids, texts = append(ids, header.Get("Message-Id")), append(texts, plain)
			}
			server.GotNothing(t)
			if ids[0] != ids[len(ids)-1] || texts[0] != texts[len(texts)-1] || !strings.Contains(texts[0], "#token=pst_inv_") {
				t.Errorf("got %v and %v, want the same each time", ids, texts)
			}
		})
	}
}

func TestMailIsEncryptedAndTheServerKnown(t *testing.T) {
	ca, cert, key := authority(t)
	other, _, _ := authority(t)
	for _, test := range []struct {
		name, scheme string
		server       mailtest.Behaviour
		ca           *x509.CertPool
		want         string
	}{
		{"STARTTLS with an authority that we know", "smtp", mailtest.Behaviour{Cert: cert, Key: key}, ca, "sent"},
		{"STARTTLS with one that we do not know", "smtp", mailtest.Behaviour{Cert: cert, Key: key}, other, "later: tls-failed"},
		{"no STARTTLS although it must be", "smtp", mailtest.Behaviour{Plain: true}, ca, "later: tls-failed"},
		{"TLS from the first byte", "smtps", mailtest.Behaviour{Cert: cert, Key: key, Implicit: true}, ca, "sent"},
		{"TLS from the first byte with an authority that we do not know", "smtps", mailtest.Behaviour{Cert: cert, Key: key, Implicit: true}, nil, "later: server-unreachable"},
		{"no TLS where it must be from the first byte", "smtps", mailtest.Behaviour{Plain: true}, ca, "later: server-unreachable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, test.server)
			if got := what(courier(t, test.scheme+"://"+server.Address, test.ca, newDesk()).Deliver(t.Context(), invite(t))); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if test.want != "sent" {
				server.GotNothing(t)
			} else if !server.Got(t, soon).TLS {
				t.Error("the mail was not encrypted")
			}
		})
	}
}

func TestSigningIn(t *testing.T) {
	ca, cert, key := authority(t)
	const right, wrong = "postern:s3cret%20pass@", "postern:guess@"
	for _, test := range []struct {
		name, who string
		offers    []string
		secure    bool
		want      string
	}{
		{"PLAIN, encrypted", right, []string{"PLAIN"}, true, "PLAIN postern"},
		{"LOGIN, encrypted", right, []string{"LOGIN"}, true, "LOGIN postern"},
		{"PLAIN before LOGIN", right, []string{"LOGIN", "PLAIN"}, true, "PLAIN postern"},
		{"in the clear on a loopback address", right, []string{"PLAIN"}, false, "PLAIN postern"},
		{"a wrong password", wrong, []string{"PLAIN"}, true, "later: authentication-failed"},
		{"no way in common", right, []string{"XOAUTH2"}, true, "later: authentication-failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, pool := mailtest.Behaviour{Offers: test.offers}, (*x509.CertPool)(nil)
			if test.secure {
				b.Cert, b.Key, pool = cert, key, ca
			}
			server := mailtest.Start(t, b)
			err := courier(t, "smtp://"+test.who+server.Address, pool, newDesk()).Deliver(t.Context(), invite(t))
			got := what(err)
			if err == nil {
				got = server.Got(t, soon).User
			} else if strings.Contains(err.Error(), "guess") {
				t.Errorf("the error tells the password: %v", err)
			}
			if got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func TestAnAddressIsTheOneThatIsKeptOrNone(t *testing.T) {
	for _, recipient := range []string{"", "dana", "dana@acme.example, eve@evil.example", "Eve <eve@evil.example>", "dana@acme.example\r\nBcc: eve@evil.example"} {
		m := invite(t)
		m.Recipient = recipient
		if got := what(courier(t, "file://"+t.TempDir(), nil, newDesk()).Deliver(t.Context(), m)); got != "never: address-invalid" {
			t.Errorf("%q: got %q, want never: address-invalid", recipient, got)
		}
	}
}

func TestALinkLeadsOnlyToAPortalThatIsConfigured(t *testing.T) {
	m := message(t, pap.MailInvitation, pap.Mail{About: invitation, Generation: 2, PortalURL: "https://evil.example"})
	if got := what(courier(t, "file://"+t.TempDir(), nil, newDesk()).Deliver(t.Context(), m)); got != "later: portal-unknown" {
		t.Errorf("got %q, want later: portal-unknown", got)
	}
}

func TestMailServersThatAreNone(t *testing.T) {
	for _, server := range []string{"", "mx.example:587", "http://mx.example", "smtp://", "smtp://mx.example/path", "smtp://mx.example?tls=none", "file://host/tmp", "file:relative", "smtp://user:s3cret%zz@mx"} {
		_, err := mail.New(mail.Options{Server: server, From: "postern@portal.example", Links: links(t), Directory: newDesk()})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: got %v, want an error without a secret", server, err)
		}
	}
}
