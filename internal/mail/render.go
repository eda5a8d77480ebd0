package mail

import (
	"embed"

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

// A view is what templates may show, by name: names that are clean and a link that
// is ours.
type view map[string]string

func viewOf(m pap.Mail, link string) view {
	v := view{
		"Name": clean(m.Name), "Organization": clean(m.Organization), "Inviter": clean(m.Inviter),
		"Member": cleanMember(m.Member), "Role": clean(m.Role), "Link": link, "Expires": "",
	}
	if m.ExpiresAt != nil {
		v["Expires"] = m.ExpiresAt.UTC().Format("2 January 2006, 15:04") + " UTC"
	}
	return v
}
