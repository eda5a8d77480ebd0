package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Limits of an e-mail address, in bytes (RFC 5321 §4.5.3.1 and its erratum 1690).
const (
	MaxEmail     = 254
	maxLocalPart = 64
	maxDomain    = 253
	maxLabel     = 63
)

// EmailKey is what an e-mail address is found by: two addresses with one key
// are one mailbox, and two mailboxes never share a key. The domain becomes its
// A-labels (IDNA 2008); the local part is lowered only if it is ASCII, and
// normalized (NFC) if it is not. Nothing is folded that only some providers
// fold, neither dots nor what follows a plus.
//
// What is no plain address is an error of kind authz.ErrInvalid: a display
// name, a quoted local part, a comment, a list, spaces within, controls. Mail
// goes to the address as it is stored, never to its key.
func EmailKey(address string) (string, error) {
	address = strings.Trim(address, " ")
	if err := checkAddress(address); err != nil {
		return "", err
	}
	local, domain, _ := strings.Cut(address, "@")
	local, err := localKey(local)
	if err != nil {
		return "", err
	}
	domain, err = domainKey(domain)
	if err != nil {
		return "", err
	}
	if len(local)+1+len(domain) > MaxEmail {
		return "", invalid("the e-mail address is longer than %d bytes in A-labels", MaxEmail)
	}
	return local + "@" + domain, nil
}

// checkAddress says no word of the address: errors are logged, addresses are not.
func checkAddress(address string) error {
	switch {
	case address == "":
		return invalid("the e-mail address is empty")
	case len(address) > MaxEmail:
		return invalid("the e-mail address is longer than %d bytes", MaxEmail)
	case !utf8.ValidString(address):
		return invalid("the e-mail address is not UTF-8")
	case strings.Count(address, "@") != 1:
		return invalid("the e-mail address does not have exactly one @")
	case strings.ContainsFunc(address, unprintable):
		return invalid("the e-mail address has a space, a control or an invisible character")
	case strings.ContainsAny(address, "\"()<>[]:;,\\"):
		return invalid("the e-mail address has one of \" ( ) < > [ ] : ; , \\: give the plain address, one only")
	}
	return nil
}

func unprintable(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || !unicode.IsPrint(r)
}

func localKey(local string) (string, error) {
	switch {
	case local == "":
		return "", invalid("the e-mail address has nothing before the @")
	case len(local) > maxLocalPart:
		return "", invalid("the e-mail address has more than %d bytes before the @", maxLocalPart)
	case strings.HasPrefix(local, "."), strings.HasSuffix(local, "."), strings.Contains(local, ".."):
		return "", invalid("the e-mail address has a dot too many before the @")
	case strings.Contains(local, "=?"):
		return "", invalid("the e-mail address has an encoded word before the @")
	case isASCII(local):
		return strings.ToLower(local), nil
	case strings.ContainsFunc(local, foldsToASCII):
		return "", invalid("the e-mail address has a character that only looks like an ASCII one")
	}
	return checkNormal(norm.NFC.String(local))
}

// checkNormal measures again what normalization may have made longer.
func checkNormal(local string) (string, error) {
	if len(local) > maxLocalPart {
		return "", invalid("the e-mail address has more than %d bytes before the @", maxLocalPart)
	}
	return local, nil
}

// foldsToASCII reports a character that normalization would turn into ASCII,
// such as the Kelvin sign: it would take over the mailbox of the other.
func foldsToASCII(r rune) bool {
	return r >= utf8.RuneSelf && isASCII(norm.NFC.String(string(r)))
}

func domainKey(domain string) (string, error) {
	key, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", invalid("the domain of the e-mail address is not one that can be looked up")
	}
	labels, given := strings.Split(key, "."), strings.Split(domain, ".")
	if len(key) > maxDomain || len(labels) != len(given) {
		return "", invalid("the domain of the e-mail address is not written in its usual form")
	}
	for i, label := range labels {
		if err := checkLabel(label, given[i]); err != nil {
			return "", err
		}
	}
	return key, nil
}

// checkLabel refuses a label whose other characters vanished: full-width
// letters and the long s look up the same domain, and are used to deceive.
func checkLabel(label, given string) error {
	switch {
	case label == "" || len(label) > maxLabel:
		return invalid("the domain of the e-mail address has a part that is empty or longer than %d bytes", maxLabel)
	case !isASCII(given) && !strings.HasPrefix(label, "xn--"):
		return invalid("the domain of the e-mail address has a character that only looks like an ASCII one")
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
