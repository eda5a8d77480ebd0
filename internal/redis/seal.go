package redis

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/document"
)

// A value in Redis is
//
//	1 byte    version, 1
//	4 bytes   id of the key that sealed it
//	8 bytes   revision that the document was read at, big-endian
//	24 bytes  nonce
//	n bytes   XChaCha20-Poly1305 of the revision's stamp and the document
//	16 bytes  its tag
//
// The tag covers the version, the directory, the key's kind and id, and the
// revision too, each with its length before it.
const (
	version      = 1
	revisionFrom = 1 + 4
	nonceFrom    = revisionFrom + 8
	headerSize   = nonceFrom + chacha20poly1305.NonceSizeX
	stampSize    = 8
	overhead     = headerSize + stampSize + chacha20poly1305.Overhead
)

// maxValue is the longest value, in bytes. A longer one is not written and not
// read.
const maxValue = 256 << 10

// minSecret is the shortest secret a key is derived from, in bytes.
const minSecret = 32

var (
	errForeign  = errors.New("it was sealed with another secret")
	errForged   = errors.New("it is not what was sealed for this key")
	errTooLarge = fmt.Errorf("it is larger than %d bytes", maxValue)
)

// A sealer seals the documents of one directory, and names their keys. It is
// safe for concurrent use.
type sealer struct {
	aead      cipher.AEAD
	id        [4]byte // of the key, so that two secrets can be told apart
	names     []byte  // the key of names
	directory string
	prefix    string // of all names
}

func newSealer(secret []byte, directory string) (*sealer, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("a secret of %d bytes is too short to seal what is kept in Redis: use %d or more", len(secret), minSecret)
	}
	if directory == "" {
		return nil, errors.New("what is kept in Redis needs the id of its directory")
	}
	s := &sealer{directory: directory, prefix: "postern:" + short(directory) + ":"}
	derived, err := hkdf.Key(sha256.New, secret, nil, "postern redis v1\x00"+directory, chacha20poly1305.KeySize+sha256.Size+len(s.id))
	if err != nil {
		return nil, fmt.Errorf("derive the keys of Redis: %w", err)
	}
	if s.aead, err = chacha20poly1305.NewX(derived[:chacha20poly1305.KeySize]); err != nil {
		return nil, fmt.Errorf("make the cipher of Redis: %w", err)
	}
	rest := derived[chacha20poly1305.KeySize:]
	s.names = rest[:sha256.Size]
	copy(s.id[:], rest[sha256.Size:])
	return s, nil
}

// short tells directories in one Redis apart for who looks there.
func short(directory string) string {
	sum := sha256.Sum256([]byte(directory))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// seal makes the value of a key. The error says that it is too large.
func (s *sealer) seal(key authz.Key, d authz.Document, asOf authz.Point) ([]byte, error) {
	value := make([]byte, headerSize, 512)
	value[0] = version
	copy(value[1:], s.id[:])
	binary.BigEndian.PutUint64(value[revisionFrom:], uint64(asOf.Revision))
	nonce := value[nonceFrom:headerSize]
	_, _ = rand.Read(nonce) // never fails
	value = binary.BigEndian.AppendUint64(value, asOf.Stamp)
	value, err := document.Append(value, d)
	if err != nil {
		return nil, err
	}
	if len(value)+chacha20poly1305.Overhead > maxValue {
		return nil, errTooLarge
	}
	return s.aead.Seal(value[:headerSize], value[nonceFrom:headerSize], value[headerSize:], s.bound(key, asOf.Revision)), nil
}

// open reads a value that seal made for the key, and nothing else.
func (s *sealer) open(key authz.Key, value []byte) (authz.Kept, error) {
	switch {
	case len(value) > maxValue:
		return authz.Kept{}, errTooLarge
	case len(value) < overhead || value[0] != version:
		return authz.Kept{}, errForged
	case string(value[1:revisionFrom]) != string(s.id[:]):
		return authz.Kept{}, errForeign
	}
	revision := authz.Revision(binary.BigEndian.Uint64(value[revisionFrom:]))
	plain, err := s.aead.Open(nil, value[nonceFrom:headerSize], value[headerSize:], s.bound(key, revision))
	if err != nil {
		return authz.Kept{}, errForged
	}
	d, err := document.Read(plain[stampSize:])
	if err != nil {
		return authz.Kept{}, err
	}
	return authz.Kept{Document: d, AsOf: authz.Point{Revision: revision, Stamp: binary.BigEndian.Uint64(plain)}, OK: true}, nil
}

// bound is what a value is bound to, so that it can be nothing else's.
func (s *sealer) bound(key authz.Key, revision authz.Revision) []byte {
	b := make([]byte, 0, 128)
	b = append(b, version)
	for _, part := range []string{s.directory, string(key.Kind), key.ID} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(revision))
}

// name is where a key's value lies in Redis. Who reads names learns kinds and
// how many there are, and no id: usernames are often addresses.
//
// The hash tag is of the thing that the key is about, which is its id up to the
// first blank: what is kept of parts of a thing lies beside it in a Cluster.
func (s *sealer) name(key authz.Key) string {
	thing, _, part := strings.Cut(key.ID, " ")
	name := s.prefix + "{" + s.hide("thing", thing) + "}:" + string(key.Kind)
	if part {
		name += ":" + s.hide("part", key.ID)
	}
	return name
}

// hide is an id as only who has the secret can tell it.
func (s *sealer) hide(what, id string) string {
	mac := hmac.New(sha256.New, s.names)
	_, _ = mac.Write([]byte(what + "\x00" + id)) // never fails
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.EncodeToString(mac.Sum(sum[:0])[:16])
}
