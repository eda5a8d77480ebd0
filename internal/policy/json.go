package policy

import (
	"strconv"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Value is a value of Rego that can be read as JSON. It never changes.
type Value struct{ term ast.Value }

// ValueOf wraps a value of Rego.
func ValueOf(v ast.Value) Value { return Value{v} }

// AST is the value as Rego has it; nil for the zero Value.
func (v Value) AST() ast.Value { return v.term }

// AppendJSON appends the value as JSON (RFC 8259): sets become arrays in the
// order Rego sorts them, object keys that are no strings become their JSON text.
func (v Value) AppendJSON(b []byte) []byte { return appendJSON(b, v.term) }

// MarshalJSON gives the value as JSON.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

func appendJSON(b []byte, v ast.Value) []byte {
	switch v := v.(type) {
	case ast.Boolean:
		return strconv.AppendBool(b, bool(v))
	case ast.Number:
		return append(b, v...)
	case ast.String:
		return appendString(b, string(v))
	case *ast.Array:
		return appendArray(b, v.Foreach)
	case ast.Set:
		return appendArray(b, v.Foreach)
	case ast.Object:
		return appendObject(b, v)
	}
	return append(b, "null"...)
}

func appendArray(b []byte, each func(func(*ast.Term))) []byte {
	b = append(b, '[')
	start := len(b)
	each(func(t *ast.Term) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = appendJSON(b, t.Value)
	})
	return append(b, ']')
}

func appendObject(b []byte, o ast.Object) []byte {
	b = append(b, '{')
	start := len(b)
	o.Foreach(func(k, t *ast.Term) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = appendKey(b, k.Value)
		b = append(b, ':')
		b = appendJSON(b, t.Value)
	})
	return append(b, '}')
}

func appendKey(b []byte, k ast.Value) []byte {
	if s, ok := k.(ast.String); ok {
		return appendString(b, string(s))
	}
	return appendString(b, string(appendJSON(nil, k)))
}

// appendString quotes as JSON does. Bytes that are no UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				b = appendEscaped(append(b, s[start:i]...), c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(append(b, s[start:i]...), "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	return append(append(b, s[start:]...), '"')
}

func appendEscaped(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	if c == '"' || c == '\\' {
		return append(b, '\\', c)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
