package mail

import (
	"regexp"
	"strings"
	"unicode"
)

// maxName is how many characters of a name a mail shows.
const maxName = 64

var (
	tags = regexp.MustCompile(`<[^>]*>`)
	urls = regexp.MustCompile(`(?i)\S*(?:://|www\.)\S*|\b(?:mailto|javascript|data|tel):\S*`)
	// addresses are those that a mail may show as they are: nothing that a
	// program takes for more than an address.
	addresses = regexp.MustCompile(`^[\p{L}\p{N}._+-]{1,64}@[\p{L}\p{N}.-]{1,189}$`)
)

// clean leaves of a name what may stand in a mail from us: letters, digits and
// the few signs that names have. Who writes a name chooses words that strangers
// read in our name, so nothing of it becomes a link, markup or a line (V31).
func clean(name string) string {
	name = urls.ReplaceAllString(tags.ReplaceAllString(strings.ToValidUTF8(name, " "), " "), " ")
	letters := []rune(name)
	for i, r := range letters {
		if !belongs(r) && !(r == '.' && ends(letters, i)) {
			letters[i] = ' '
		}
	}
	return shorten(strings.Join(strings.Fields(string(letters)), " "))
}

func shorten(name string) string {
	if letters := []rune(name); len(letters) > maxName {
		name = strings.TrimSpace(string(letters[:maxName]))
	}
	return name
}

func belongs(r rune) bool { return wordly(r) || strings.ContainsRune(" '’-,&()", r) }

func wordly(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.Nd) }

// ends says whether the dot at i ends a word, or an initial that another one
// follows, as in J.R. Smith. Any other dot would make evil.example a link.
func ends(letters []rune, i int) bool {
	at := func(i int) rune {
		if i < 0 || i >= len(letters) {
			return ' '
		}
		return letters[i]
	}
	if !wordly(at(i + 1)) {
		return true
	}
	return unicode.IsLetter(at(i-1)) && !wordly(at(i-2)) && unicode.IsLetter(at(i+1)) && !wordly(at(i+2))
}

// cleanMember is clean for what may be an address instead of a name.
func cleanMember(text string) string {
	if addresses.MatchString(text) {
		return text
	}
	return clean(text)
}
