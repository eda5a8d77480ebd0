package pap

import (
	"strings"
	"time"
)

// The mails there are: the Type of a message on the channel mail, and the name
// of its templates.
const (
	MailInvitation            = "invitation"              // to the invited: the link to accept
	MailActivated             = "activated"               // to the inviter: it was accepted (R51)
	MailPasswordReset         = "password_reset"          // to the user: the link to set a password
	MailEmailChange           = "email_change"            // to the new address: the link to confirm it
	MailEmailChangedNotice    = "email_changed_notice"    // to the old address
	MailInvitationNotHonoured = "invitation_not_honoured" // to the Primary Contacts (R6)
)

// A Mail is the payload of a message on the channel mail. It holds no link: the
// link is made of About and Generation when the mail leaves, and only while it
// still opens something. Names are as people gave them; whoever renders the mail
// takes out what has no place in one (V31).
type Mail struct {
	// About is what a link is made of: an invitation (inv_…), or the user (usr_…)
	// whose password or address it is about. Without a link, what the mail is about.
	About      string     `json:"about"`
	Generation int        `json:"generation,omitempty"` // of the link
	ExpiresAt  *time.Time `json:"expires_at,omitempty"` // of the link

	Name         string `json:"name,omitempty"`         // of the person it is sent to
	Organization string `json:"organization,omitempty"` // its name
	Inviter      string `json:"inviter,omitempty"`      // name of who invited
	Member       string `json:"member,omitempty"`       // name or address of the member it tells of
	Role         string `json:"role,omitempty"`         // as the organization calls it
	From         string `json:"from,omitempty"`         // name that the mail is from; default: the configured one
	PortalURL    string `json:"portal_url,omitempty"`   // one of the configured ones; default: the first
}

// LinkURL is where a link leads: a page of the portal, with the link in the
// fragment, which no proxy, log or Referer sees (C6).
func LinkURL(portal string, purpose Purpose, link string) string {
	return strings.TrimRight(portal, "/") + PathOf(purpose) + "#token=" + link
}
