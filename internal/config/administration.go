package config

import (
	"net/mail"
	"net/netip"
	"net/url"
)

// validateManagement says what is wrong with the settings of administration,
// also when this process does not listen for it.
func (c *Config) validateManagement(f *faults) {
	m := c.Management
	if at, on := m.Listen.Address(); on {
		c.validateTLS(f, listener{"MANAGEMENT_", at, at.Local() || at.handedLocal(), m.TLSCert, m.TLSKey, m.ClientCA})
		f.when(at.clashes(c.Decisions.Listen), "is the address of POSTERN_DECISIONS_LISTEN too", "MANAGEMENT_LISTEN", "DECISIONS_LISTEN")
	}
	for _, text := range c.PortalURLs {
		f.when(!safeURL(text), "has something that is no https URL such as https://portal.example.com, without a user, a query and a fragment", "PORTAL_URLS")
	}
	for _, text := range c.WebhookAllow {
		_, err := netip.ParsePrefix(text)
		f.when(err != nil, "has something that is no network such as 10.1.0.0/16", "WEBHOOK_ALLOW")
	}
	c.JWT.validate(f)
	c.validateMail(f)
}

func (j JWT) validate(f *faults) {
	f.when(j.Issuer != "" && j.Audience == "", "needs POSTERN_JWT_AUDIENCE: a token made for another program would do else", "JWT_ISSUER", "JWT_AUDIENCE")
	f.when(j.Issuer != "" && j.Keys == "", "needs POSTERN_JWT_KEYS", "JWT_ISSUER", "JWT_KEYS")
	f.when(j.Issuer == "" && j.Audience != "", "needs POSTERN_JWT_ISSUER", "JWT_AUDIENCE", "JWT_ISSUER")
	f.when(j.Issuer == "" && j.Keys != "", "needs POSTERN_JWT_ISSUER", "JWT_KEYS", "JWT_ISSUER")
	f.when(j.Issuer == "" && j.UserClaim != "" && j.UserClaim != "sub", "needs POSTERN_JWT_ISSUER", "JWT_USER_CLAIM", "JWT_ISSUER")
	if u, err := url.Parse(j.Keys); err == nil && u.Scheme != "" {
		f.when(!safeURL(j.Keys), "is neither an https URL nor a file; http is for a loopback address alone", "JWT_KEYS")
		return
	}
	checkFile(f, "JWT_KEYS", j.Keys)
}

func (c *Config) validateMail(f *faults) {
	m := c.Mail
	on, from := m.Server != MailNone && m.Server != "", m.From
	f.when(on && from == "", "needs POSTERN_MAIL_FROM, the address that mail is from", "MAIL", "MAIL_FROM")
	f.when(on && len(c.PortalURLs) == 0, "needs POSTERN_PORTAL_URLS: what is mailed are links to a portal", "MAIL", "PORTAL_URLS")
	f.when(m.Password != "" && m.Server.User() == "", "needs a user in POSTERN_MAIL, such as smtp://postern@mail.example.com:587", "MAIL_PASSWORD", "MAIL")
	if address, err := mail.ParseAddress(from); from != "" {
		f.when(err != nil || address.Address != from, "is not an address such as postern@portal.example, without a name", "MAIL_FROM")
	}
}

// safeURL tells whether a URL is https, or http on this machine, and names
// nothing but a place.
func safeURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}
