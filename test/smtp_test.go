package test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/mail/mailtest"
)

// again is when a mail has come that was tried a second time: a second and a
// fifth after the first, and the time of a busy machine.
const again = 2*time.Second + patience

// mailing is an installation that hands its mail to a server.
func mailing(t *testing.T, address string) installation {
	t.Helper()
	return install(t, "POSTERN_MAIL=smtp://"+address, "POSTERN_MAIL_FROM=postern@portal.example", "POSTERN_MAIL_RETRY=1s", "POSTERN_PORTAL_URLS=https://portal.example")
}

// invites makes an invitation whose link is mailed, and returns its path.
func (o office) invites(address string) string {
	o.t.Helper()
	x := o.does(http.StatusCreated, http.MethodPost, "/v1/organizations/acme/invitations",
		fmt.Sprintf(`{"email":%q,"role":"regular","grants":{"accounts":[{"id":"a-1001"}]}}`, address))
	return "/v1/organizations/acme/invitations/" + x.read("invitation.id")
}

// accepts follows the link of a mail, and wants what it gives.
func (o office) accepts(l mailtest.Letter, username string) {
	o.t.Helper()
	_, token, found := strings.Cut(linkIn(o.t, l), "#token=")
	if !found {
		o.t.Fatalf("there is no link in\n%s", l.Text)
	}
	x := o.does(http.StatusOK, http.MethodPost, "/v1/invitations/accept",
		fmt.Sprintf(`{"token":%q,"username":%q,"password":"correct horse battery","given_name":"Dana","family_name":"Roy"}`, token, username), "Authorization:")
	if !o.allows(o.t, "login:"+username+" service.view account:a-1001", x.header.Get("Postern-Consistency-Token")) {
		o.t.Errorf("%s may not do what was offered", username)
	}
}

// linkIn is the link in a mail.
func linkIn(t testing.TB, l mailtest.Letter) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mail.eml")
	if err := os.WriteFile(path, []byte(l.Text), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := letterOf(path)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(read.link, "#token=")
	written.secret(token)
	return read.link
}

func TestTheLinkOfAMailIsAccepted(t *testing.T) {
	t.Parallel()
	taking := mailtest.Start(t, mailtest.Behaviour{})
	o := administered(t, mailing(t, taking.Address))
	path := o.invites("dana@acme.example")
	l := taking.Got(t, patience)
	if l.From != "postern@portal.example" || l.To != "dana@acme.example" {
		t.Errorf("got a mail from %s to %s", l.From, l.To)
	}
	o.until(path, func(x exchange) bool { return x.read("delivery.state") == "sent" })
	o.accepts(l, "dana")
	want := []string{"invitation.created", "invitation.sent", "invitation.accepted"}
	if got := only(o.events("acme"), want); !slices.Equal(got, want) {
		t.Errorf("got the events %q, want %q", got, want)
	}
	// The inviter is a key, which has no address: nobody else gets a mail.
	taking.GotNothing(t)
}

// only are those of the types that are asked for.
func only(types, asked []string) []string {
	return slices.DeleteFunc(slices.Clone(types), func(s string) bool { return !slices.Contains(asked, s) })
}

func TestAMailThatIsRefusedShowsInTheInvitation(t *testing.T) {
	t.Parallel()
	refusing := mailtest.Start(t, mailtest.Behaviour{Reject: "RCPT", Code: 550})
	o := administered(t, mailing(t, refusing.Address))
	path := o.invites("nobody@acme.example")
	first := o.does(http.StatusOK, http.MethodGet, path, "")
	x := o.until(path, func(x exchange) bool { return x.read("delivery.state") == "failed" })
	if got := x.read("delivery.failed_reason"); got != "mailbox-unavailable" {
		t.Errorf("got the reason %q, want mailbox-unavailable", got)
	}
	if first.read("delivery.state") == "queued" && first.header.Get("ETag") == x.header.Get("ETag") {
		t.Error("the ETag is the same as before the mail was refused: who asks with If-None-Match never learns of it")
	}
	list := o.does(http.StatusOK, http.MethodGet, "/v1/organizations/acme/invitations", "")
	if list.read("items.0.delivery.state") != "failed" {
		t.Errorf("the list does not show that the mail failed:\n%s", list)
	}
	if got := o.events("acme"); !slices.Contains(got, "invitation.send_failed") || slices.Contains(got, "invitation.sent") {
		t.Errorf("got the events %q, want invitation.send_failed", got)
	}
	trail := o.does(http.StatusOK, http.MethodGet, "/v1/organizations/acme/audit-events?type=invitation.send_failed", "")
	if strings.Contains(trail.body, "nobody@") || strings.Contains(trail.body, "pst_") {
		t.Errorf("the event names the address or a link:\n%s", trail)
	}
}

func TestAMailThatIsGreylistedComesLater(t *testing.T) {
	t.Parallel()
	greylisting := mailtest.Start(t, mailtest.Behaviour{Greylist: 1})
	o := administered(t, mailing(t, greylisting.Address))
	path := o.invites("dana@acme.example")
	if !o.stderr.await(o.done, func(log string) bool { return strings.Contains(log, `"reason":"deferred"`) }) {
		t.Fatal("the log does not say that the mail was deferred")
	}
	if x := o.does(http.StatusOK, http.MethodGet, path, ""); x.read("delivery.state") != "queued" {
		t.Errorf("got\n%s\nwant it queued", x)
	}
	o.accepts(greylisting.Got(t, again), "dana")
}

// F32: the link is made when the mail leaves, of what was committed: however often it
// is tried, and by whichever process, it is the same.
func TestAMailWaitsForTheMailServer(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	_ = closed.Close()
	i := mailing(t, address)
	o := administered(t, i)
	path := o.invites("dana@acme.example")
	if !o.stderr.await(o.done, func(log string) bool { return strings.Contains(log, `"reason":"server-unreachable"`) }) {
		t.Fatal("the log does not say that the mail server is unreachable")
	}
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}
	o.server = i.serve(t)
	o.until(path, func(x exchange) bool { return x.read("delivery.state") == "queued" })
	late := mailtest.Start(t, mailtest.Behaviour{Listen: address})
	l := late.Got(t, again)
	if id := path[strings.LastIndex(path, "inv_")+len("inv_"):]; !strings.Contains(linkIn(t, l), "#token=pst_inv_"+id+".1.") {
		t.Errorf("got the link %.80s..., want that of the first mail of %s", linkIn(t, l), id)
	}
	o.accepts(l, "dana")
}
