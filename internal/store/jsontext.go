package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// A kept is a value that is kept as JSON. To write one, put the value in; to
// read one, a pointer to where it goes, which NULL leaves as it is.
type kept struct{ value any }

// Value says what to keep.
func (k kept) Value() (driver.Value, error) {
	text, err := json.Marshal(k.value)
	if err != nil {
		return nil, fmt.Errorf("keep a %T: %w", k.value, err)
	}
	return string(text), nil
}

// Scan reads what was kept.
func (k kept) Scan(from any) error {
	switch text := from.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(text), k.value)
	case []byte:
		return json.Unmarshal(text, k.value)
	}
	return fmt.Errorf("a %T is not JSON", from)
}

// verbatim is JSON to be kept as it is, byte by byte; none is NULL.
func verbatim(text json.RawMessage) any {
	if text == nil {
		return nil
	}
	return string(text)
}

// raw reads JSON as it is, byte by byte.
type raw struct{ into *json.RawMessage }

// Scan reads what was kept.
func (r raw) Scan(from any) error {
	switch text := from.(type) {
	case nil:
		*r.into = nil
	case string:
		*r.into = json.RawMessage(text)
	case []byte:
		*r.into = json.RawMessage(string(text))
	default:
		return fmt.Errorf("a %T is not JSON", from)
	}
	return nil
}
