// Package ijson reads request bodies as I-JSON (RFC 7493): a text that two
// parsers could read differently is refused, so what was checked is what is
// decided on.
package ijson

import "fmt"

// Limits bound what one body may cost. A zero field means its default.
type Limits struct {
	Depth  int // of nested objects and arrays; default 32
	Values int // of every kind, nested ones included; default 65,536
}

// The defaults, and the longest number. A double never needs more than 325
// characters, and whoever computes with the text pays for each of them.
const (
	DefaultDepth  = 32
	DefaultValues = 65_536
	MaxNumber     = 400 // bytes
)

// Decode reads one JSON value: map[string]any, []any, string, json.Number, bool
// or nil. Nothing it returns aliases b, and numbers keep the text they were sent
// as.
//
// Beyond the grammar (RFC 8259) it refuses invalid UTF-8, lone surrogates and
// noncharacters (RFC 7493 §2.1), numbers outside the range of a double or longer
// than MaxNumber (§2.2), member names that repeat once unescaped (§2.3), U+0000
// anywhere, a byte order mark, and whatever exceeds the limits. Names are
// compared exactly: "ID" is not "id". Every error is a *SyntaxError.
func Decode(b []byte, limits Limits) (any, error) {
	d := decoder{b: b, depth: limits.Depth, values: limits.Values}
	if d.depth <= 0 {
		d.depth = DefaultDepth
	}
	if d.values <= 0 {
		d.values = DefaultValues
	}
	v, err := d.text()
	if err != nil {
		return nil, err
	}
	return v, nil
}

// A SyntaxError says where a text is no I-JSON, and how to mend it.
type SyntaxError struct {
	Offset  int    // in bytes from the start of the text
	Pointer string // to the value or member (RFC 6901); "" is the whole text
	Reason  string // a clause with its hint, such as "a comma is missing"
}

func (e *SyntaxError) Error() string {
	if e.Pointer == "" {
		return fmt.Sprintf("the body is not I-JSON at byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("the body is not I-JSON at byte %d, in %s: %s", e.Offset, clip(e.Pointer), e.Reason)
}

// clip keeps a message readable when somebody nests long names.
func clip(pointer string) string {
	const most = 200
	if len(pointer) <= most {
		return pointer
	}
	for cut := most; ; cut-- {
		if pointer[cut]&0xC0 != 0x80 { // never inside a character
			return pointer[:cut] + "…"
		}
	}
}
