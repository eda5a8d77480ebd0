package trace

import (
	"bytes"
	"encoding/hex"
	"strings"
)

// length is that of a traceparent of version 00, such as
// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 (§3.2.2).
const length = 55

// What a tracestate may have at most: list members (§3.3.1.1), bytes in a key or
// a value (§3.3.1.3), and bytes that are passed on (§3.3.1.5).
const (
	maxMembers = 32
	maxWord    = 256
	maxState   = 512
)

// Parse is a span of the trace that a request names, in the headers as they came.
// If that cannot be read, a new trace is begun, and the tracestate is not looked
// at (§4.3); it is never an error. Nothing of what it is given is kept.
func Parse(traceparent []byte, tracestate [][]byte) *Span {
	s := &Span{id: newID()}
	if !s.read(traceparent) {
		return begin()
	}
	s.state = readState(tracestate)
	return s
}

// read reads a traceparent. Of one of a later version it reads what version 00
// has, too (§3.2.4).
func (s *Span) read(text []byte) bool {
	var version, flags [1]byte
	switch {
	case len(text) < length || text[2] != '-' || text[35] != '-' || text[52] != '-':
		return false
	case !decode(version[:], text[:2]) || version[0] == 0xff:
		return false
	case len(text) > length && (version[0] == 0 || text[length] != '-'):
		return false
	case !decode(s.trace[:], text[3:35]) || !decode(s.parent[:], text[36:52]) || !decode(flags[:], text[53:length]):
		return false
	}
	s.sampled = flags[0]&1 == 1
	return s.trace != [16]byte{} && s.parent != [8]byte{}
}

// decode reads lower-case hexadecimal digits, the only ones that there are here.
func decode(into, text []byte) bool {
	for _, c := range text {
		if 'A' <= c && c <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(into, text)
	return err == nil
}

// readState is what is passed on of the tracestate headers: all of it, unless it
// is not valid or too long.
func readState(headers [][]byte) string {
	if len(headers) == 0 {
		return ""
	}
	text := headers[0]
	if len(headers) > 1 {
		text = bytes.Join(headers, []byte(","))
	}
	text = bytes.Trim(text, " \t")
	if !validState(text) {
		return ""
	}
	return string(shorten(text))
}

// shorten leaves whole list members out, the last ones first (§3.3.1.5).
func shorten(text []byte) []byte {
	for len(text) > maxState {
		text = text[:max(0, bytes.LastIndexByte(text, ','))]
	}
	return text
}

func validState(text []byte) bool {
	members := 0
	for rest, more := text, true; more; {
		var member []byte
		member, rest, more = bytes.Cut(rest, []byte(","))
		if member = bytes.Trim(member, " \t"); len(member) == 0 {
			continue // which is allowed (§3.3.1.2)
		}
		name, value, found := bytes.Cut(member, []byte("="))
		if members++; members > maxMembers || !found || !validKey(name) || !validValue(value) {
			return false
		}
	}
	return true
}

// validKey also takes the keys that Level 2 allows.
func validKey(key []byte) bool {
	for i, c := range key {
		alone := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alone && (i == 0 || strings.IndexByte("_-*/@", c) < 0) {
			return false
		}
	}
	return 0 < len(key) && len(key) <= maxWord
}

func validValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' || c > '~' || c == '=' {
			return false
		}
	}
	return 0 < len(value) && len(value) <= maxWord
}
