package httpserver

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/valyala/fasthttp"
)

// cause is a panic in words, without those of the request: whoever panics with a
// header, a query or a body in hand may quote it, and there are credentials in
// them (T19).
func cause(rc *fasthttp.RequestCtx, what any) string {
	const short = 6 // less tells nobody anything
	text := fmt.Sprint(what)
	said := slices.Concat(rc.Request.Header.RawHeaders(), []byte(" "), rc.Request.RequestURI(), []byte(" "), rc.Request.Body())
	words := bytes.FieldsFunc(said, escaped)
	slices.SortFunc(words, func(a, b []byte) int { return len(b) - len(a) }) // a word may be part of another
	for _, word := range words {
		if len(word) >= short {
			text = strings.ReplaceAll(text, string(word), "[redacted]")
		}
	}
	return text
}

// escaped tells whether a letter may be written otherwise in a URL, in JSON or in
// a Go string, or stands between what is secret.
func escaped(r rune) bool {
	return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
