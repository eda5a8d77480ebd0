package directory

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// A lineWriter appends one record as a JSON object and a newline.
type lineWriter struct{ b []byte }

func startLine(b []byte, kind string) *lineWriter {
	return &lineWriter{append(append(b, `{"type":"`...), kind+`"`...)}
}

func (l *lineWriter) end() []byte { return append(l.b, "}\n"...) }

// member begins a member; names need no escapes.
func (l *lineWriter) member(name string) {
	l.b = append(l.b, `,"`...)
	l.b = append(l.b, name...)
	l.b = append(l.b, `":`...)
}

func (l *lineWriter) text(name, value string) {
	if value == "" {
		return
	}
	l.member(name)
	l.b = appendString(l.b, value)
}

func (l *lineWriter) flag(name string, value bool) {
	if value {
		l.member(name)
		l.b = append(l.b, "true"...)
	}
}

func (l *lineWriter) number(name string, value int) {
	if value != 0 {
		l.member(name)
		l.b = strconv.AppendInt(l.b, int64(value), 10)
	}
}

func (l *lineWriter) time(name string, value time.Time) {
	if value.IsZero() {
		return
	}
	l.member(name)
	l.b = append(l.b, '"')
	l.b = value.UTC().AppendFormat(l.b, time.RFC3339Nano)
	l.b = append(l.b, '"')
}

func (l *lineWriter) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	l.member(name)
	for i, value := range values {
		l.b = append(l.b, "[,"[min(i, 1)])
		l.b = appendString(l.b, value)
	}
	l.b = append(l.b, ']')
}

func (l *lineWriter) raw(name string, value json.RawMessage) {
	if len(value) != 0 {
		l.member(name)
		l.b = append(l.b, value...)
	}
}

// appendString writes a JSON string with as few escapes as RFC 8259 §7 allows.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// canonical writes a JSON value in one way: without spaces, members by name,
// numbers as they are. What is not JSON comes back empty.
func canonical(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var decoded any
	if decoder.Decode(&decoded) != nil {
		return nil
	}
	return encode(decoded)
}

func encode(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return nil
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
