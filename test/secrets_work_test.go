package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/mail/mailtest"
)

// spillWork is what one server of the fleet has to do, and whom it tells.
type spillWork struct {
	*spill
	installation installation
	office       office
	mail         *mailtest.Server
	hooks        *receiver
	idp          issuer
	app          string // an app key
}

// operates asks as the operator, for a user if one is given.
func (w *spillWork) operates(method, path, body string, headers ...string) exchange {
	w.t.Helper()
	return w.asks(w.office.administration, method, path, body, append(headers, "Authorization: Bearer "+w.office.key)...)
}

// wants is operates, and wants the status.
func (w *spillWork) wants(status int, method, path, body string, headers ...string) exchange {
	w.t.Helper()
	x := w.operates(method, path, body, headers...)
	if x.status != status {
		w.t.Errorf("got %s\nwant %d", x, status)
	}
	return x
}

// tellsOnce is operates for what makes a secret and shows it, once.
func (w *spillWork) tellsOnce(method, path, body string) exchange {
	w.t.Helper()
	x := w.makes(w.office.administration, method, path, body, "Authorization: Bearer "+w.office.key)
	if x.status >= 300 || len(secretsIn(x.body)) != 1 {
		w.t.Errorf("got %s\nwant a secret", x)
	}
	return x
}

// work makes everything that is secret, more than one of each, and uses it.
func (w *spillWork) work() {
	w.keys()
	w.webhooks()
	link := w.tellsOnce(http.MethodPost, "/v1/organizations/acme/invitations", `{"email":"dana@acme.example","role":"regular","grants":{"accounts":[{"id":"a-1001"}]},"deliver":"return_link"}`)
	w.accepts("dana", secretsIn(link.body)[0])
	w.wants(http.StatusCreated, http.MethodPost, "/v1/organizations/acme/invitations", `{"email":"mia@acme.example","role":"regular","grants":{"accounts":[{"id":"a-1001"}]}}`)
	w.accepts("mia", w.mailed())
	w.passwords()
	w.address()
	w.hears()
}

// keys makes three keys of each kind: lists have more than the first.
func (w *spillWork) keys() {
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for n := range 3 {
		w.app = strings.TrimSpace(w.tells(w.installation, "key", "create", fmt.Sprint("portal ", n)))
		w.tellsOnce(http.MethodPost, "/v1/service-tokens", fmt.Sprintf(`{"name":"portal %d","scopes":["act"],"expires_at":%q}`, n, expires))
		w.tellsOnce(http.MethodPost, "/v1/service-tokens", fmt.Sprintf(`{"name":"operator %d","kind":"operator_key"}`, n))
		file := filepath.Join(w.installation.dir, fmt.Sprint("token ", n))
		w.says(w.client(), "token", "create", fmt.Sprint("file ", n), "--scope", "identity", "--out", file)
		text, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		w.hide(strings.TrimSpace(string(text)))
	}
	if w.app == "" {
		w.t.Fatal("got no app key")
	}
}

// client is the installation as a command that asks this server.
func (w *spillWork) client() installation {
	i := w.installation
	i.env = append(append([]string{}, i.env...), "POSTERN_SERVER="+w.office.administration.base)
	return i
}

// webhooks makes one of an organization and one of all, and replaces their
// secrets.
func (w *spillWork) webhooks() {
	for _, path := range []string{"/v1/organizations/acme/webhooks", "/v1/webhooks"} {
		made := w.tellsOnce(http.MethodPost, path, fmt.Sprintf(`{"url":%q}`, w.hooks.url+"/"+fmt.Sprint(len(path))))
		for range 2 {
			w.tellsOnce(http.MethodPost, path+"/"+made.read("id")+"/rotate-secret", "")
		}
	}
}

// hears keeps what webhooks were told.
func (w *spillWork) hears() {
	w.add("a webhook", fmt.Sprint(w.hooks.next(w.t)))
	for {
		select {
		case told := <-w.hooks.told:
			w.add("a webhook", fmt.Sprint(told))
		default:
			return
		}
	}
}

// mailed waits for the next mail, keeps it without its link, and returns what the
// portal posts of that.
func (w *spillWork) mailed() string {
	w.t.Helper()
	l := w.mail.Got(w.t, patience)
	_, token, found := strings.Cut(linkIn(w.t, l), "#token=")
	if !found {
		w.t.Fatalf("there is no link in\n%s", l.Text)
	}
	w.hide(token)
	folded := strings.ReplaceAll(strings.ReplaceAll(l.Text, "=\r\n", ""), "=3D", "=")
	w.add("a mail but for its link", strings.ReplaceAll(folded, "#token="+token, ""))
	return token
}

// posts sends what the page behind a link would.
func (w *spillWork) posts(status int, path, body string) {
	w.t.Helper()
	if x := w.asks(w.office.administration, http.MethodPost, path, body); x.status != status {
		w.t.Errorf("got %s\nwant %d", x, status)
	}
}
