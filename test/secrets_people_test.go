package test

import (
	"fmt"
	"net/http"
)

// accepts follows the link of an invitation, after everything that may go wrong.
func (w *spillWork) accepts(username, link string) {
	w.t.Helper()
	accept := func(status int, token, password string) {
		w.posts(status, "/v1/invitations/accept", fmt.Sprintf(`{"token":%q,"username":%q,"password":%q,"given_name":"Dana","family_name":"Roy"}`, token, username, password))
	}
	password := w.password()
	w.posts(http.StatusOK, "/v1/invitations/preview", fmt.Sprintf(`{"token":%q}`, link))
	accept(http.StatusNotFound, link+"x", password)
	accept(http.StatusUnprocessableEntity, link, "short")
	accept(http.StatusOK, link, password)
	accept(http.StatusNotFound, link, password)
	w.signsIn(username, password)
}

// password is a new one, with what has to be escaped.
func (w *spillWork) password() string {
	return w.marker(fmt.Sprint("password ", w.next())) + `&"<é> +%`
}

// signsIn shows passwords to the login system's API: one that is wrong, the right
// one, and one of nobody.
func (w *spillWork) signsIn(username, password string) {
	w.t.Helper()
	for _, tt := range []struct{ username, password string }{{username, w.password()}, {username, password}, {"nobody", w.password()}, {w.password(), password}} {
		w.operates(http.MethodPost, "/v1/credentials/verify", fmt.Sprintf(`{"username":%q,"password":%q}`, tt.username, tt.password))
	}
}

// passwords has rosa's password set by a link that an administrator asks for and
// by one that she asks for, and changed by herself.
func (w *spillWork) passwords() {
	member, user := w.office.username("acme", "rosa")
	w.wants(http.StatusAccepted, http.MethodPost, "/v1/organizations/acme/members/"+member+"/password-reset", "")
	w.resets(w.mailed())
	w.posts(http.StatusAccepted, "/v1/password-resets", `{"organization":"acme","login":"rosa"}`)
	old := w.resets(w.mailed())
	change := func(status int, old, password string) {
		w.wants(status, http.MethodPost, "/v1/me/password", fmt.Sprintf(`{"old_password":%q,"new_password":%q}`, old, password), "Postern-Actor: "+user)
	}
	password := w.password()
	change(http.StatusForbidden, w.password(), password)
	change(http.StatusUnprocessableEntity, old, "short")
	change(http.StatusOK, old, password)
	w.signsIn("rosa", password)
}

// resets follows the link of a password reset, and returns the new password.
func (w *spillWork) resets(link string) string {
	w.t.Helper()
	confirm := func(status int, token, password string) {
		w.posts(status, "/v1/password-resets/confirm", fmt.Sprintf(`{"token":%q,"password":%q}`, token, password))
	}
	password := w.password()
	confirm(http.StatusNotFound, "x"+link, password)
	confirm(http.StatusUnprocessableEntity, link, "short")
	confirm(http.StatusOK, link, password)
	confirm(http.StatusNotFound, link, w.password())
	return password
}

// address has rosa's address changed, by a link to the new one.
func (w *spillWork) address() {
	_, user := w.office.username("acme", "rosa")
	w.wants(http.StatusAccepted, http.MethodPost, "/v1/me/email-change", `{"email":"rosa.roy@acme.example"}`, "Postern-Actor: "+user)
	link := w.mailed()
	confirm := func(status int, token string) {
		w.posts(status, "/v1/email-changes/confirm", fmt.Sprintf(`{"token":%q}`, token))
	}
	confirm(http.StatusNotFound, link+"x")
	confirm(http.StatusOK, link)
	confirm(http.StatusNotFound, link)
}
