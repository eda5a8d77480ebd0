package store

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-authz/postern/internal/authz"
)

// A rowset is the rows of one statement on their way to the database: one
// parameter however many they are, and the same SQL for any number.
type rowset struct {
	json []byte
	rows int
	err  error
}

// add appends a row of string, int, int64, bool or nil values.
func (r *rowset) add(values ...any) {
	if r.rows > 0 {
		r.json = append(r.json, ',')
	}
	r.rows++
	for i, value := range values {
		r.json = append(r.json, "[,"[min(i, 1)])
		r.value(value)
	}
	r.json = append(r.json, ']')
}

func (r *rowset) value(value any) {
	switch v := value.(type) {
	case nil:
		r.json = append(r.json, "null"...)
	case bool:
		r.json = strconv.AppendBool(r.json, v)
	case int:
		r.json = strconv.AppendInt(r.json, int64(v), 10)
	case int64:
		r.json = strconv.AppendInt(r.json, v, 10)
	case string:
		r.text(v)
	default:
		r.err = fmt.Errorf("a row cannot hold a %T", value)
	}
}

func (r *rowset) text(s string) {
	var err error
	if r.json, err = jsontext.AppendQuote(r.json, s); err != nil || !storable(s) {
		r.err = fmt.Errorf("a record holds text that is not UTF-8 or has a NUL: %w", authz.ErrInvalid)
	}
}

// storable says whether both engines can keep the text.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func (r *rowset) argument() (string, error) {
	return "[" + string(r.json) + "]", r.err
}

// optional is nil, SQL's NULL, for an empty string.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}
