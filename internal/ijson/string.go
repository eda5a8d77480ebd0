package ijson

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// Short strings share copies of the body of at most this many bytes: few
// allocations, and one kept string keeps no more than this alive with it.
const (
	chunkSize = 512
	shortSize = 128
)

// own copies b[from:to].
func (d *decoder) own(from, to int) string {
	if to-from > shortSize {
		return string(d.b[from:to])
	}
	if from < d.chunkFrom || to > d.chunkFrom+len(d.chunk) {
		d.chunkFrom = from
		d.chunk = string(d.b[from:min(from+chunkSize, len(d.b))])
	}
	return d.chunk[from-d.chunkFrom : to-d.chunkFrom]
}

// string reads a string whose opening quote is the next byte.
func (d *decoder) string() (string, *SyntaxError) {
	start := d.at + 1
	end, plain := scan(d.b, start)
	if plain && end < len(d.b) && d.b[end] == '"' {
		d.at = end + 1
		return d.own(start, end), nil
	}
	return d.hardString(start)
}

// scan finds the first byte from at on that ends a run of plain ASCII: a quote,
// a backslash, a control character, or a byte of another script, for which
// plain is false.
func scan(b []byte, at int) (end int, plain bool) {
	for at+8 <= len(b) && !special(binary.LittleEndian.Uint64(b[at:])) {
		at += 8
	}
	for ; at < len(b); at++ {
		switch c := b[at]; {
		case c >= utf8.RuneSelf:
			return at, false
		case c == '"' || c == '\\' || c < ' ':
			return at, true
		}
	}
	return at, true
}

// special reports whether any of eight bytes is a quote, a backslash, a control
// character or not ASCII. A byte is zero exactly when subtracting one from it
// borrows and its high bit was clear; borrows only spread to bytes above a hit.
func special(w uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return (w|(w-ones*' ')|(quote-ones)|(slash-ones))&highs != 0
}

// hardString reads a string that has escapes, or characters beyond ASCII, or an
// error.
func (d *decoder) hardString(start int) (string, *SyntaxError) {
	d.scratch = d.scratch[:0]
	from := start // what is not yet in scratch
	for d.at = start; d.at < len(d.b); {
		switch c := d.b[d.at]; {
		case c == '"':
			d.at++
			return d.finish(from, d.at-1), nil
		case c == '\\':
			d.scratch = append(d.scratch, d.b[from:d.at]...)
			if err := d.escape(); err != nil {
				return "", err
			}
			from = d.at
		case c < ' ':
			return "", d.fail("a string holds a control character: write it as an escape such as \\n")
		case c < utf8.RuneSelf:
			d.at++
		default:
			if err := d.character(); err != nil {
				return "", err
			}
		}
	}
	return "", d.cut()
}

func (d *decoder) finish(from, to int) string {
	if len(d.scratch) == 0 {
		return d.own(from, to)
	}
	d.scratch = append(d.scratch, d.b[from:to]...)
	return string(d.scratch)
}

// character takes one character beyond ASCII.
func (d *decoder) character() *SyntaxError {
	r, size := utf8.DecodeRune(d.b[d.at:])
	if r == utf8.RuneError && size == 1 {
		return d.fail("a string is not UTF-8: send the text in UTF-8")
	}
	if noncharacter(r) {
		return d.fail("a string holds a code point that is no character: leave it out")
	}
	d.at += size
	return nil
}

// escape takes one escape, and the second half of a surrogate pair with it.
func (d *decoder) escape() *SyntaxError {
	if d.at+1 >= len(d.b) {
		return d.cut()
	}
	c := d.b[d.at+1]
	if c == 'u' {
		return d.unicode()
	}
	plain, ok := unescaped(c)
	if !ok {
		return d.fail("a string holds an unknown escape: write a backslash as \\\\")
	}
	d.scratch = append(d.scratch, plain)
	d.at += 2
	return nil
}

func unescaped(c byte) (byte, bool) {
	switch c {
	case '"', '\\', '/':
		return c, true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

func (d *decoder) unicode() *SyntaxError {
	r, ok := d.hex(d.at)
	size := len(`\u0000`)
	if !ok {
		return d.fail("a string holds a \\u without four hexadecimal digits")
	}
	if utf16.IsSurrogate(r) {
		low, _ := d.hex(d.at + size)
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return d.fail("a string holds half of a surrogate pair: send both halves or the character itself")
		}
		size *= 2
	}
	if r == 0 || noncharacter(r) {
		return d.fail("a string holds a code point that is no character: leave it out")
	}
	d.scratch = utf8.AppendRune(d.scratch, r)
	d.at += size
	return nil
}

// hex reads the escape \uXXXX that begins at from.
func (d *decoder) hex(from int) (rune, bool) {
	if from+6 > len(d.b) || d.b[from] != '\\' || d.b[from+1] != 'u' {
		return 0, false
	}
	r := rune(0)
	for _, c := range d.b[from+2 : from+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// noncharacter reports whether Unicode keeps r out of all interchange: the last
// two of each plane, and U+FDD0 to U+FDEF.
func noncharacter(r rune) bool {
	return r&0xFFFE == 0xFFFE || 0xFDD0 <= r && r <= 0xFDEF
}
