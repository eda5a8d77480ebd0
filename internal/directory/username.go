package directory

import "strings"

// MaxUsername is the longest username, in bytes.
const MaxUsername = 128

// CheckUsername says what is wrong with a username: letters, digits and
// . _ @ + ~ - make one, and it begins with a letter or a digit. Usernames are
// ASCII, so no two of them look alike.
func CheckUsername(name string) error {
	switch {
	case name == "":
		return invalid("username is missing")
	case len(name) > MaxUsername:
		return invalid("a username of %d bytes is longer than %d", len(name), MaxUsername)
	case !alphanumeric(name[0]):
		return invalid("username %q does not begin with a letter or a digit", name)
	}
	for i := range len(name) {
		if !alphanumeric(name[i]) && strings.IndexByte("._@+~-", name[i]) < 0 {
			return invalid("username %q has a character that is none of A-Z a-z 0-9 . _ @ + ~ -", name)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
