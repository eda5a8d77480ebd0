package directory

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/ijson"
)

// members are those of one record, taken out one by one: what is left when a
// record is complete has no meaning. The first fault is kept.
type members struct {
	values map[string]any
	cells  bool     // from CSV: every value is a string
	names  []string // that were asked for
	err    error
}

func (m *members) take(name string) (any, bool) {
	m.names = append(m.names, name)
	value, ok := m.values[name]
	delete(m.values, name)
	return value, ok
}

func (m *members) fail(name string, value any, want string) {
	if m.err == nil {
		m.err = invalid("%s is %s, want %s", name, kindOf(value), want)
	}
}

func (m *members) text(name string) string {
	value, ok := m.take(name)
	if !ok {
		return ""
	}
	text, ok := value.(string)
	switch {
	case !ok:
		m.fail(name, value, "a string")
	case text == "":
		m.fail(name, value, "a string that is not empty; leave it out instead")
	}
	return text
}

// textOr is text with a default for what the record leaves out.
func (m *members) textOr(name, absent string) string { return or(m.text(name), absent) }

func (m *members) flag(name string) bool {
	value, ok := m.take(name)
	if !ok {
		return false
	}
	switch {
	case value == true, m.cells && value == "true":
		return true
	case value == false, m.cells && value == "false":
		return false
	}
	m.fail(name, value, "true or false")
	return false
}

func (m *members) number(name string) int {
	value, ok := m.take(name)
	if !ok {
		return 0
	}
	text, ok := value.(json.Number)
	if cell, isText := value.(string); m.cells && isText {
		text, ok = json.Number(cell), true
	}
	number, err := strconv.ParseInt(string(text), 10, 32)
	if !ok || err != nil {
		m.fail(name, value, "a whole number")
	}
	return int(number)
}

// time reads a time of RFC 3339 and keeps it to the millisecond, as the store
// does; what is finer is cut off.
func (m *members) time(name string) time.Time {
	value, ok := m.take(name)
	if !ok {
		return time.Time{}
	}
	text, _ := value.(string)
	var at time.Time
	if err := at.UnmarshalText([]byte(text)); err != nil || at.Unix() <= 0 {
		m.fail(name, value, "a time of RFC 3339 after 1970, such as 2027-01-31T18:00:00Z")
		return time.Time{}
	}
	return at.UTC().Truncate(time.Millisecond)
}

// list reads an array of strings, or a cell separated by semicolons. An empty
// one is as good as none.
func (m *members) list(name string) []string {
	value, ok := m.take(name)
	if !ok {
		return nil
	}
	if cell, isText := value.(string); m.cells && isText {
		return strings.Split(cell, ";")
	}
	values, ok := value.([]any)
	if !ok {
		m.fail(name, value, "an array of strings")
	}
	if len(values) == 0 {
		return nil
	}
	list := make([]string, len(values))
	for i, value := range values {
		if list[i], ok = value.(string); !ok {
			m.fail(name, value, "an array of strings only")
		}
	}
	return list
}

// object reads an object; an empty one is as good as none.
func (m *members) object(name string) json.RawMessage {
	value, ok := m.take(name)
	if !ok {
		return nil
	}
	if cell, isText := value.(string); m.cells && isText {
		decoded, err := ijson.Decode([]byte(cell), ijson.Limits{})
		if err != nil {
			m.fail(name, value, "a JSON object")
			return nil
		}
		value = decoded
	}
	object, ok := value.(map[string]any)
	if !ok {
		m.fail(name, value, "an object")
	}
	if len(object) == 0 {
		return nil
	}
	return encode(object)
}

// done is the first fault: a value of the wrong type, or a member that no
// record of this type has.
func (m *members) done() error {
	if m.err != nil || len(m.values) == 0 {
		return m.err
	}
	unknown := slices.Min(slices.Collect(maps.Keys(m.values)))
	return invalid("unknown member %.60q%s", unknown, suggest(unknown, m.names))
}

func kindOf(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		return fmt.Sprintf("the number %.30s", string(value))
	case string:
		return fmt.Sprintf("the string %.60q", value)
	case []any:
		return "an array"
	}
	return "an object"
}
