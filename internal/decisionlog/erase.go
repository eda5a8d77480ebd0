package decisionlog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// appendErased writes the JSON text of a policy's input to b without blanks,
// without the members of properties and context that are named like an e-mail
// address or a phone number, and without those that are named like a credential,
// wherever the caller put them. It returns their paths, as OPA's "erased" lists
// them. It is not ok if src is no JSON text.
func appendErased(b, src []byte) (out []byte, erased []string, ok bool) {
	c := &copier{src: src, dst: b, path: []byte("/input"), erase: true}
	c.value(0, false)
	return c.dst, c.erased, c.end()
}

// appendCompact writes a JSON text to b without blanks.
func appendCompact(b, src []byte) (out []byte, ok bool) {
	c := &copier{src: src, dst: b}
	c.value(0, false)
	return c.dst, c.end()
}

// maxDepth is deeper than any input; beyond it a text counts as broken.
const maxDepth = 128

// A copier goes through a JSON text once and copies it.
type copier struct {
	src, dst []byte
	pos      int
	broken   bool

	erase  bool
	path   []byte // JSON pointer of where it is (RFC 6901)
	erased []string
}

func (c *copier) end() bool { return c.next() == 0 && c.pos >= len(c.src) && !c.broken }

// next is the next byte that is no blank, or 0 at the end.
func (c *copier) next() byte {
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return c.src[c.pos]
		}
	}
	return 0
}

// take copies the next byte, which has to be want.
func (c *copier) take(want byte) {
	if c.next() != want {
		c.broken = true
		return
	}
	c.dst = append(c.dst, want)
	c.pos++
}

// value copies one value. In a personal one, members are looked at.
func (c *copier) value(depth int, personal bool) {
	if c.broken = c.broken || depth > maxDepth; c.broken {
		return
	}
	switch c.next() {
	case '{':
		c.list('{', '}', func(int) { c.member(depth, personal) })
	case '[':
		c.list('[', ']', func(i int) { c.element(i, depth, personal) })
	case '"':
		c.text()
	default:
		c.literal()
	}
}

// list copies what is between first and last, item by item. An item that
// copies nothing leaves no comma behind.
func (c *copier) list(first, last byte, item func(i int)) {
	c.take(first)
	if c.next() == last {
		c.take(last)
		return
	}
	for i, copied := 0, false; !c.broken; i++ {
		comma := len(c.dst)
		if copied {
			c.dst = append(c.dst, ',')
		}
		start := len(c.dst)
		item(i)
		if len(c.dst) == start {
			c.dst = c.dst[:comma]
		} else {
			copied = true
		}
		if c.next() != ',' {
			break
		}
		c.pos++
	}
	c.take(last)
}

func (c *copier) member(depth int, personal bool) {
	start, at := len(c.dst), len(c.path)
	name := c.text()
	c.take(':')
	if !c.erase {
		c.value(depth+1, false)
		return
	}
	c.path = appendToken(c.path, name)
	c.value(depth+1, personal || isPersonal(c.path))
	if !c.broken && c.unfit(name, personal) {
		c.dst = c.dst[:start]
		c.forget(string(c.path))
	}
	c.path = c.path[:at]
}

// unfit tells whether the member of a name at the path has no place in a log.
func (c *copier) unfit(name []byte, personal bool) bool {
	if !personal && c.factual() {
		return false
	}
	letters := lettersOf(unquote(name))
	return personal && (letters == "mail" || endsIn(letters, contacts())) || endsIn(letters, credentials())
}

// forget lists a path, in place of those below it.
func (c *copier) forget(path string) {
	c.erased = slices.DeleteFunc(c.erased, func(p string) bool { return strings.HasPrefix(p, path+"/") })
	c.erased = append(c.erased, path)
}

func (c *copier) element(i, depth int, personal bool) {
	at := len(c.path)
	if c.erase {
		c.path = strconv.AppendInt(append(c.path, '/'), int64(i), 10)
	}
	c.value(depth+1, personal)
	c.path = c.path[:at]
}

// text copies a string and returns it with its quotes.
func (c *copier) text() []byte {
	if c.next() != '"' {
		c.broken = true
		return nil
	}
	start, escaped := c.pos, false
	for c.pos++; c.pos < len(c.src) && c.src[c.pos] != '"'; c.pos++ {
		if c.src[c.pos] == '\\' {
			escaped = true
			c.pos++
		} else if c.src[c.pos] < ' ' {
			break
		}
	}
	c.pos++
	if c.pos > len(c.src) || c.src[c.pos-1] != '"' || escaped && !json.Valid(c.src[start:c.pos]) {
		c.broken = true
		return nil
	}
	c.dst = append(c.dst, c.src[start:c.pos]...)
	return c.src[start:c.pos]
}

// literal copies a number, true, false or null.
func (c *copier) literal() {
	start := c.pos
	for c.pos < len(c.src) && strings.IndexByte("+-.0123456789Eaeflnrstu", c.src[c.pos]) >= 0 {
		c.pos++
	}
	c.dst = append(c.dst, c.src[start:c.pos]...)
	c.broken = c.broken || !json.Valid(c.src[start:c.pos])
}

// appendToken adds a member's name, a JSON string, to a JSON pointer.
func appendToken(path, name []byte) []byte {
	path = append(path, '/')
	for _, b := range unquote(name) {
		switch b {
		case '~':
			path = append(path, "~0"...)
		case '/':
			path = append(path, "~1"...)
		default:
			path = append(path, b)
		}
	}
	return path
}

// unquote is what a JSON string says.
func unquote(text []byte) []byte {
	if len(text) < 2 {
		return nil
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	var s string
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	return []byte(s)
}

// isPersonal tells whether what an application wants to say of a person is
// below a path.
func isPersonal(path []byte) bool {
	switch string(path) {
	case "/input/subject/properties", "/input/action/properties", "/input/resource/properties", "/input/context":
		return true
	}
	return false
}

// factual tells whether the path is of the directory's facts: what is named there
// is the portal's, and none of it is secret.
func (c *copier) factual() bool { return bytes.HasPrefix(c.path, []byte("/input/facts/")) }

// contacts are the ends of names whose values are e-mail addresses or phone
// numbers: email, contact_email, homePhone, mobile. It is rather voicemail that is
// taken for one than useremail that is missed.
func contacts() []string { return []string{"email", "phone", "mobile", "msisdn", "fax"} }

// credentials are those of names whose values let somebody in.
func credentials() []string {
	return []string{"password", "passwd", "passphrase", "secret", "token", "jwt", "cookie", "authorization", "apikey", "privatekey", "credential", "otp"}
}

// endsIn tells whether a name in letters ends in one of the words, or in several
// of what it says.
func endsIn(letters string, words []string) bool {
	for _, more := range []string{"", "s", "es", "address", "addresses", "number", "numbers"} {
		stem, ok := strings.CutSuffix(letters, more)
		if ok && slices.ContainsFunc(words, func(word string) bool { return strings.HasSuffix(stem, word) }) {
			return true
		}
	}
	return false
}

// lettersOf is a name in lower case and without what separates its words.
func lettersOf(name []byte) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '_', '-', '.', ' ':
			return -1
		}
		return unicode.ToLower(r)
	}, string(name))
}
