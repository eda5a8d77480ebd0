package authz

import (
	"fmt"
	"strings"
)

// MaxID is the longest id, in bytes.
const MaxID = 128

// CheckKey says what is wrong with a key that the portal chose: an id of an
// organization, company, account, account group, tool or role. Letters, digits
// and . _ ~ @ / - make a key; it begins with a letter or a digit. So a scope or
// a path made of keys reads one way only.
func CheckKey(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("an id is empty: %w", ErrInvalid)
	case len(id) > MaxID:
		return fmt.Errorf("an id of %d bytes is longer than %d: %w", len(id), MaxID, ErrInvalid)
	case !alphanumeric(id[0]):
		return fmt.Errorf("id %q does not begin with a letter or a digit: %w", id, ErrInvalid)
	}
	for i := range len(id) {
		if !alphanumeric(id[i]) && !strings.ContainsRune("._~@/-", rune(id[i])) {
			return fmt.Errorf("id %q has a character that is none of A-Z a-z 0-9 . _ ~ @ / -: %w", id, ErrInvalid)
		}
	}
	return nil
}

// The prefixes of ids that Postern makes: a prefix and a UUID version 7.
const (
	PrefixUser       = "usr_"
	PrefixMembership = "mem_"
)

// CheckID says what is wrong with an id that Postern made: the prefix and a
// UUID version 7 in lower case (RFC 9562 §5.7).
func CheckID(prefix, id string) error {
	uuid, ok := strings.CutPrefix(id, prefix)
	if !ok || !isUUIDv7(uuid) {
		return fmt.Errorf("id %.60q is not %s and a UUID version 7: %w", id, prefix, ErrInvalid)
	}
	return nil
}

func isUUIDv7(s string) bool {
	if len(s) != 36 || s[14] != '7' || !strings.ContainsRune("89ab", rune(s[19])) {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(s[i])) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
