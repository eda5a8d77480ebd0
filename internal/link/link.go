// Package link makes and reads the links that are mailed to people. A link is
// derived from what it is about and never kept, so nothing at rest opens
// anything, and a mail that is sent again says the same.
package link

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// MinSecret is the shortest secret that keys are derived from, in bytes.
const MinSecret = 32

// A link is a name of its purpose, the id without its prefix, the generation and
// HMAC-SHA-256 over all of it, in base64url without padding:
//
//	pst_inv_01890a5d-ac96-774b-bcce-b302099a8057.1.xQ3…
//
// The name lets scanners of secrets find a link where it should not be.
const (
	macLength     = 43
	maxGeneration = 1_000_000_000
)

// A form is how the links of one purpose begin, and what they are about.
type form struct{ start, prefix string }

// formOf returns the zero form for what is no purpose.
func formOf(p pap.Purpose) form {
	switch p {
	case pap.ForInvitation:
		return form{"pst_inv_", pap.PrefixInvitation}
	case pap.ForPasswordReset:
		return form{"pst_pwd_", authz.PrefixUser}
	case pap.ForEmailChange:
		return form{"pst_eml_", authz.PrefixUser}
	}
	return form{}
}

// Links makes and reads the links of one directory. It is safe for concurrent
// use.
type Links struct{ keys map[pap.Purpose][]byte }

var _ pap.Links = (*Links)(nil)

// New returns the links of a directory. All servers of the directory share the
// secret; each purpose has a key of its own, derived for this directory alone.
func New(secret []byte, directory string) (*Links, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("a secret of %d bytes is too short for links: use %d or more", len(secret), MinSecret)
	}
	if directory == "" {
		return nil, errors.New("links need the id of the directory")
	}
	l := &Links{keys: map[pap.Purpose][]byte{}}
	for _, purpose := range []pap.Purpose{pap.ForInvitation, pap.ForPasswordReset, pap.ForEmailChange} {
		key, err := hkdf.Key(sha256.New, secret, nil, "postern link v1\x00"+string(purpose)+"\x00"+directory, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive the key of links: %w", err)
		}
		l.keys[purpose] = key
	}
	return l, nil
}

// Make is the link for one thing of a purpose: an invitation (inv_…), or the
// user (usr_…) whose password or address it is about. The same arguments make
// the same link; another generation makes another.
func (l *Links) Make(purpose pap.Purpose, id string, generation int) string {
	f := formOf(purpose)
	signed := f.start + strings.TrimPrefix(id, f.prefix) + "." + strconv.Itoa(generation)
	return signed + "." + base64.RawURLEncoding.EncodeToString(l.mac(purpose, signed))
}

// Read returns what a link was made of. Any other text, and a link of another
// purpose or directory, is the one error of kind authz.ErrInvalid. The MAC is
// computed in any case, so the time taken does not tell what was wrong.
func (l *Links) Read(purpose pap.Purpose, text string) (id string, generation int, err error) {
	f := formOf(purpose)
	signed, mac := split(text)
	made := hmac.Equal(mac, l.mac(purpose, signed))
	id, generation, formed := f.parse(signed)
	if !made || !formed {
		return "", 0, fmt.Errorf("this link was not made here: %w", authz.ErrInvalid)
	}
	return id, generation, nil
}

func (l *Links) mac(purpose pap.Purpose, signed string) []byte {
	h := hmac.New(sha256.New, l.keys[purpose])
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// maxLength is that of the longest link there is: a name, a UUID, a generation
// and a MAC. Nothing longer is worth a hash.
const maxLength = len("pst_inv_") + 36 + 1 + 10 + 1 + macLength

// split takes the MAC from the end. What has none there has one that no text has.
func split(text string) (signed string, mac []byte) {
	at := len(text) - macLength - 1
	if at < 0 || len(text) > maxLength || text[at] != '.' {
		return "", nil
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(text[at+1:])
	if err != nil || len(mac) != sha256.Size {
		return "", nil
	}
	return text[:at], mac
}

// parse accepts the one way in which Make writes.
func (f form) parse(signed string) (id string, generation int, ok bool) {
	rest, ok := strings.CutPrefix(signed, f.start)
	uuid, digits, found := strings.Cut(rest, ".")
	if !ok || !found || f.start == "" || authz.CheckID(f.prefix, f.prefix+uuid) != nil {
		return "", 0, false
	}
	generation, err := strconv.Atoi(digits)
	if err != nil || generation < 1 || generation > maxGeneration || strconv.Itoa(generation) != digits {
		return "", 0, false
	}
	return f.prefix + uuid, generation, true
}
