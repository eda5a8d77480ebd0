package mail

import (
	"embed"
	"fmt"
	"html/template"
	"strings"
	texttemplate "text/template"

	"github.com/postern-authz/postern/internal/pap"
)

//go:embed templates
var files embed.FS

// subjects are the mails there are. No word of a subject is a user's (C18).
var subjects = map[string]string{
	pap.MailInvitation:            "Your invitation",
	pap.MailActivated:             "Your invitation was accepted",
	pap.MailPasswordReset:         "Set your password",
	pap.MailEmailChange:           "Confirm your e-mail address",
	pap.MailEmailChangedNotice:    "Your e-mail address was changed",
	pap.MailInvitationNotHonoured: "An invitation could not be honoured",
}

// A view is what templates may show: names that are clean and a link that is ours.
type view struct {
	Name, Organization, Inviter, Member, Role string
	Link, Expires                             string
}

func viewOf(m pap.Mail, link string) view {
	v := view{
		Name: clean(m.Name), Organization: clean(m.Organization), Inviter: clean(m.Inviter),
		Member: cleanMember(m.Member), Role: clean(m.Role), Link: link,
	}
	if m.ExpiresAt != nil {
		v.Expires = m.ExpiresAt.UTC().Format("2 January 2006, 15:04") + " UTC"
	}
	return v
}

// A renderer has read the templates.
type renderer struct {
	text *texttemplate.Template
	html *template.Template
}

func newRenderer() (*renderer, error) {
	text, err := texttemplate.New("").Option("missingkey=error").ParseFS(files, "templates/*.txt")
	if err != nil {
		return nil, fmt.Errorf("read the text of mails: %w", err)
	}
	html, err := template.New("").Option("missingkey=error").ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the HTML of mails: %w", err)
	}
	return &renderer{text, html}, nil
}

// render writes both forms of a mail.
func (r *renderer) render(kind string, v view) (text, html string, err error) {
	var plain, rich strings.Builder
	if err := r.text.ExecuteTemplate(&plain, kind+".txt", v); err != nil {
		return "", "", err
	}
	if err := r.html.ExecuteTemplate(&rich, kind+".html", v); err != nil {
		return "", "", err
	}
	return plain.String(), rich.String(), nil
}
