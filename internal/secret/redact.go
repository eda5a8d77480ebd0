package secret

import "regexp"

// whole is any secret of ours as it is shown to its holder: a key or token, a
// mailed link, what a webhook is signed with, and a JWT, which is as good as one.
var whole = regexp.MustCompile(`(?:pk|ok|st)_[a-z0-9-]{1,64}_[A-Za-z0-9_-]{43}|pst_(?:inv|pwd|eml)_[0-9a-f-]{36}\.[0-9]+\.[A-Za-z0-9_-]{43}|whsec_[A-Za-z0-9+/]{43}=|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`)

// Redact is a text for others to read: every whole secret in it is "[redacted]".
// It is for what somebody wrote who may have put a secret in the wrong place; what
// is known to be secret is not written at all.
func Redact(text string) string { return whole.ReplaceAllLiteralString(text, "[redacted]") }

// In tells whether there is a whole secret in a text.
func In(text string) bool { return whole.MatchString(text) }
