// Package token makes and reads consistency tokens: a revision of one directory
// that nobody but its own servers can have written.
package token

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/postern-authz/postern/internal/authz"
)

// A token is a version, the name of its directory, a revision and a MAC, in
// base64url without padding:
//
//	1 byte   version, 1
//	8 bytes  the start of SHA-256(directory id)
//	8 bytes  revision, big-endian
//	12 bytes the start of HMAC-SHA-256 over all of the above
const (
	version    = 1
	nameEnd    = 1 + 8
	signedEnd  = nameEnd + 8
	size       = signedEnd + 12
	textLength = 39
)

// MinSecret is the shortest secret a key is derived from, in bytes.
const MinSecret = 32

// Tokens makes and reads the tokens of one directory. It is safe for concurrent
// use.
type Tokens struct {
	key    []byte
	prefix [nameEnd]byte // version and directory
	last   atomic.Pointer[issued]
}

// issued is the token that was made last; most answers are of one revision.
type issued struct {
	revision authz.Revision
	text     string
}

// New returns the tokens of a directory. All servers of the directory share the
// secret; the key is derived from it for this purpose and this directory alone.
func New(secret []byte, directory string) (*Tokens, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("a secret of %d bytes is too short for consistency tokens: use %d or more", len(secret), MinSecret)
	}
	if directory == "" {
		return nil, errors.New("consistency tokens need the id of the directory")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "postern consistency token v1\x00"+directory, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of consistency tokens: %w", err)
	}
	t := &Tokens{key: key}
	name := sha256.Sum256([]byte(directory))
	t.prefix[0] = version
	copy(t.prefix[1:], name[:])
	return t, nil
}

// Issue returns the token of a revision.
func (t *Tokens) Issue(revision authz.Revision) string {
	if last := t.last.Load(); last != nil && last.revision == revision {
		return last.text
	}
	raw := make([]byte, 0, size)
	raw = append(raw, t.prefix[:]...)
	raw = binary.BigEndian.AppendUint64(raw, uint64(revision))
	text := base64.RawURLEncoding.EncodeToString(append(raw, t.mac(raw)...))
	t.last.Store(&issued{revision, text})
	return text
}

// Read returns the revision of a token. A token that this directory did not
// issue, or that was changed in any bit, is an error of kind authz.ErrInvalid.
func (t *Tokens) Read(text string) (authz.Revision, error) {
	if last := t.last.Load(); last != nil && last.text == text {
		return last.revision, nil
	}
	raw, err := decode(text)
	if err != nil {
		return 0, err
	}
	if subtle.ConstantTimeCompare(raw[:nameEnd], t.prefix[:]) != 1 {
		return 0, fmt.Errorf("the consistency token is of another directory or version, leave it out: %w", authz.ErrInvalid)
	}
	if !hmac.Equal(raw[signedEnd:], t.mac(raw[:signedEnd])) {
		return 0, fmt.Errorf("the consistency token was not made here, send one as it came or leave it out: %w", authz.ErrInvalid)
	}
	return authz.Revision(binary.BigEndian.Uint64(raw[nameEnd:signedEnd])), nil
}

func (t *Tokens) mac(signed []byte) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write(signed)
	return h.Sum(nil)[:size-signedEnd]
}

// decode accepts the one encoding that Issue makes: the base64 package ignores
// line breaks, so the length of the text is checked as well.
func decode(text string) ([]byte, error) {
	if len(text) == textLength {
		if raw, err := base64.RawURLEncoding.Strict().DecodeString(text); err == nil && len(raw) == size {
			return raw, nil
		}
	}
	return nil, fmt.Errorf("the consistency token is incomplete or not one, send one as it came or leave it out: %w", authz.ErrInvalid)
}
