package pap

import (
	"bytes"
	"encoding/json"
)

// noteChange is note with the members of before and after that differ, as they
// stand in JSON. A nil before is of what is new, a nil after of what is gone.
// The revision says nothing about what changed and is left out.
func (w *work) noteChange(kind, organization, target string, before, after any) error {
	was, err := membersOf(before)
	if err != nil {
		return err
	}
	is, err := membersOf(after)
	if err != nil {
		return err
	}
	for name, value := range was {
		if bytes.Equal(value, is[name]) {
			delete(was, name)
			delete(is, name)
		}
	}
	return w.note(kind, organization, target, orNil(was), orNil(is))
}

func membersOf(v any) (members map[string]json.RawMessage, err error) {
	text, err := raw(v)
	if text == nil || err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	delete(members, "revision")
	return members, nil
}

func orNil(members map[string]json.RawMessage) any {
	if len(members) == 0 {
		return nil
	}
	return members
}
