package httpserver

import (
	"bytes"
	"encoding/json"
	"mime"
	"strings"
)

// IsMedia reports whether a Content-Type is the media type that is wanted, in
// UTF-8 (ruling A1).
func IsMedia(sent, want string) bool {
	if sent == want {
		return true
	}
	media, params, err := mime.ParseMediaType(sent)
	charset, set := params["charset"]
	return err == nil && media == want && (!set || strings.EqualFold(charset, "utf-8"))
}

// Encode writes v as JSON for a body: without a line break, and with <, > and &
// as they are.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
