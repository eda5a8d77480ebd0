package ijson

import (
	"bytes"
	"strconv"
	"strings"
)

// A decoder reads one text from front to back. It recurses at most depth deep.
type decoder struct {
	b      []byte
	at     int // the next byte
	depth  int // how many more levels may open
	values int // how many more values may come

	chunk     string // a copy of b from chunkFrom on, which short strings share
	chunkFrom int
	scratch   []byte // where strings with escapes are put together
}

func (d *decoder) text() (any, *SyntaxError) {
	if bytes.HasPrefix(d.b, []byte("\xEF\xBB\xBF")) {
		return nil, d.fail("it begins with a byte order mark: leave the first three bytes out")
	}
	if d.space(); d.at == len(d.b) {
		return nil, d.fail("it is empty: send a JSON value")
	}
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	if d.space(); d.at < len(d.b) {
		return nil, d.fail("something follows the value: send one value and nothing after it")
	}
	return v, nil
}

func (d *decoder) value() (any, *SyntaxError) {
	if d.values--; d.values < 0 {
		return nil, d.fail("it holds too many values: send less at once")
	}
	if d.at == len(d.b) {
		return nil, d.cut()
	}
	switch c := d.b[d.at]; {
	case c == '"':
		s, err := d.string()
		return s, err
	case c == '{':
		return d.object()
	case c == '[':
		return d.array()
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	}
	return d.literal()
}

func (d *decoder) object() (any, *SyntaxError) {
	if err := d.open(); err != nil {
		return nil, err
	}
	m := make(map[string]any)
	for first := true; ; first = false {
		if d.space(); d.next('}') {
			d.depth++
			return m, nil
		}
		if !first {
			if err := d.comma("}"); err != nil {
				return nil, err
			}
		}
		if err := d.member(m); err != nil {
			return nil, err
		}
	}
}

func (d *decoder) member(m map[string]any) *SyntaxError {
	d.space()
	start := d.at
	if d.at == len(d.b) {
		return d.cut()
	}
	if d.b[d.at] != '"' {
		return d.fail("a member name in double quotes is missing here")
	}
	name, err := d.string()
	if err != nil {
		return err
	}
	if d.space(); !d.next(':') {
		return within(name, d.expected("a colon is missing after the member name"))
	}
	d.space()
	v, err := d.value()
	if err != nil {
		return within(name, err)
	}
	before := len(m)
	if m[name] = v; len(m) == before {
		d.at = start
		return within(name, d.fail("the object has this member twice: send it once"))
	}
	return nil
}

func (d *decoder) array() (any, *SyntaxError) {
	if err := d.open(); err != nil {
		return nil, err
	}
	list := []any{}
	for {
		if d.space(); d.next(']') {
			d.depth++
			return list, nil
		}
		if len(list) > 0 {
			if err := d.comma("]"); err != nil {
				return nil, err
			}
		}
		d.space()
		v, err := d.value()
		if err != nil {
			return nil, within(strconv.Itoa(len(list)), err)
		}
		list = append(list, v)
	}
}

// open enters an object or array.
func (d *decoder) open() *SyntaxError {
	if d.depth--; d.depth < 0 {
		return d.fail("it is nested too deeply: send a flatter value")
	}
	d.at++
	return nil
}

func (d *decoder) literal() (any, *SyntaxError) {
	rest := d.b[d.at:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		d.at += len("true")
		return true, nil
	case bytes.HasPrefix(rest, []byte("false")):
		d.at += len("false")
		return false, nil
	case bytes.HasPrefix(rest, []byte("null")):
		d.at += len("null")
		return nil, nil
	}
	return nil, d.fail("a value is missing here: an object, an array, a string in double quotes, a number, true, false or null")
}

// space skips what may stand between tokens (RFC 8259 §2).
func (d *decoder) space() {
	for d.at < len(d.b) {
		switch d.b[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

// next takes c if it is the next byte.
func (d *decoder) next(c byte) bool {
	if d.at < len(d.b) && d.b[d.at] == c {
		d.at++
		return true
	}
	return false
}

// comma takes the comma between two elements.
func (d *decoder) comma(closing string) *SyntaxError {
	if !d.next(',') {
		return d.expected("a comma or a closing " + closing + " is missing here")
	}
	return nil
}

func (d *decoder) expected(reason string) *SyntaxError {
	if d.at == len(d.b) {
		return d.cut()
	}
	return d.fail(reason)
}

func (d *decoder) cut() *SyntaxError {
	return d.fail("it ends in the middle: send the whole text")
}

func (d *decoder) fail(reason string) *SyntaxError {
	return &SyntaxError{Offset: d.at, Reason: reason}
}

// within puts an error into the member or element it happened in. The path is
// made only when something is wrong, from the inside out.
func within(name string, err *SyntaxError) *SyntaxError {
	err.Pointer = "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name) + err.Pointer
	return err
}
