package managementapi

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// minSecret is the shortest secret that keys are made of, in bytes.
const minSecret = 32

// pageLasts is how long a page token can be used.
const pageLasts = time.Hour

// A seal makes page tokens that nobody can read or change, and fingerprints of
// requests that say nothing about a password in them.
type seal struct {
	aead  cipher.AEAD
	print []byte // key of fingerprints
	now   func() time.Time
}

func newSeal(secret []byte, now func() time.Time) (*seal, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("a secret of %d bytes is too short for page tokens: use %d or more", len(secret), minSecret)
	}
	page, err := hkdf.Key(sha256.New, secret, nil, "postern page token v1", chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of page tokens: %w", err)
	}
	print, err := hkdf.Key(sha256.New, secret, nil, "postern request fingerprint v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of fingerprints: %w", err)
	}
	aead, err := chacha20poly1305.NewX(page)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of page tokens: %w", err)
	}
	return &seal{aead, print, now}, nil
}

// page makes the token of the page behind a position in the list that about
// names: route, filters and caller.
func (s *seal) page(position, about string) string {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+8+len(position)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(pageLasts).Unix()))
	plain = append(plain, position...)
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, []byte(about)))
}

// position reads a page token. It is not ok when the token is of another list,
// too old, or was changed.
func (s *seal) position(token, about string) (position string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < s.aead.NonceSize() || strings.ContainsAny(token, "\r\n") { // base64 skips line breaks
		return "", false
	}
	nonce, sealed := raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, []byte(about))
	if err != nil || len(plain) < 8 {
		return "", false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
	return string(plain[8:]), s.now().Before(until)
}

// fingerprint tells requests apart that came with the same idempotency key.
// What is kept of a password must not be quick to try, so it is a MAC.
func (s *seal) fingerprint(path string, body []byte) (sum [32]byte) {
	h := hmac.New(sha256.New, s.print)
	h.Write([]byte(path))
	h.Write([]byte{0})
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}
