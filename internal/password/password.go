// Package password turns passwords into hashes that can be kept, and checks
// them: argon2id, a few at a time.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/postern-authz/postern/internal/authz"
)

// Limits of a password, in bytes. Its characters are its owner's choice (NIST SP
// 800-63B §3.1.1.2): there are no rules of composition.
const (
	MinLength = 8
	MaxLength = 1024
)

// What new hashes cost (OWASP's second choice of equal strength): 19 MiB, two
// passes, one lane.
const (
	memory     = 19 * 1024 // KiB
	passes     = 2
	lanes      = 1
	saltLength = 16
	keyLength  = 32
)

// Hashes that were made with more than this are not checked: they would take
// the memory of everybody else.
const (
	maxMemory = 256 * 1024 // KiB
	maxPasses = 16
)

// slots is how many hashes are computed at once, in all: 76 MiB.
const slots = 4

// Passwords hashes and checks passwords. It is safe for concurrent use: whoever
// comes while four others are at it waits.
type Passwords struct {
	free  chan struct{}
	dummy phc
}

// New makes Passwords.
func New() *Passwords {
	return &Passwords{
		free:  make(chan struct{}, slots),
		dummy: phc{memory: memory, passes: passes, lanes: lanes, salt: make([]byte, saltLength), key: make([]byte, keyLength)},
	}
}

// Hash returns the password's hash in PHC form, with a salt of its own. A
// password that is too short or too long is an error of kind authz.ErrInvalid;
// one that waits for longer than ctx lasts of kind authz.ErrUnavailable.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := checkLength(password); err != nil {
		return "", err
	}
	h := phc{memory: memory, passes: passes, lanes: lanes, salt: make([]byte, saltLength), key: make([]byte, keyLength)}
	rand.Read(h.salt) //nolint:errcheck // it never fails; the program ends instead
	key, err := p.derive(ctx, password, h)
	if err != nil {
		return "", err
	}
	h.key = key
	return h.String(), nil
}

// Check says whether the hash is the password's. An empty hash is nobody's and
// costs the same. A hash that cannot be read is an internal error.
func (p *Passwords) Check(ctx context.Context, hash, password string) (bool, error) {
	h, err := p.dummy, error(nil)
	if hash != "" {
		if h, err = parse(hash); err != nil {
			return false, err
		}
	}
	if len(password) > MaxLength {
		password = "" // costs what any other does, and no hash is of it
	}
	key, err := p.derive(ctx, password, h)
	if err != nil {
		return false, err
	}
	same := subtle.ConstantTimeCompare(key, h.key) == 1
	return same && hash != "" && password != "", nil
}

// Outdated says whether the hash was made at another cost than new ones are, so
// that it should be made anew when its password is next seen.
func (p *Passwords) Outdated(hash string) bool {
	h, err := parse(hash)
	return err != nil || h.memory != memory || h.passes != passes || h.lanes != lanes || len(h.key) != keyLength
}

func checkLength(password string) error {
	switch {
	case len(password) < MinLength:
		return fmt.Errorf("a password of fewer than %d bytes is too easy to guess: use a longer one: %w", MinLength, authz.ErrInvalid)
	case len(password) > MaxLength:
		return fmt.Errorf("a password of more than %d bytes is too long: %w", MaxLength, authz.ErrInvalid)
	}
	return nil
}

func (p *Passwords) derive(ctx context.Context, password string, h phc) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("hash a password: %w: %w", err, authz.ErrUnavailable)
	}
	select {
	case p.free <- struct{}{}:
		defer func() { <-p.free }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to hash a password: %w: %w", ctx.Err(), authz.ErrUnavailable)
	}
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key))), nil
}

// A phc is a hash and what it was made with.
type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

// String is the form that the Password Hashing Competition agreed on.
func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// parse says nothing of the hash itself: errors are logged.
func parse(text string) (h phc, err error) {
	unreadable := fmt.Errorf("a password's hash cannot be read: it is not argon2id version %d in PHC form, within %d KiB", argon2.Version, maxMemory)
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return h, unreadable
	}
	var rest string
	if n, _ := fmt.Sscanf(parts[3]+" ", "m=%d,t=%d,p=%d%s", &h.memory, &h.passes, &h.lanes, &rest); n != 3 {
		return h, unreadable
	}
	var errSalt, errKey error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, errKey = base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errKey != nil || !h.bounded() {
		return h, unreadable
	}
	return h, nil
}

func (h phc) bounded() bool {
	return 8 <= h.memory && h.memory <= maxMemory && 1 <= h.passes && h.passes <= maxPasses && 1 <= h.lanes && h.lanes <= 16 &&
		8 <= len(h.salt) && len(h.salt) <= 64 && 16 <= len(h.key) && len(h.key) <= 64
}
