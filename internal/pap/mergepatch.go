package pap

import (
	"bytes"
	"encoding/json"

	"github.com/postern-authz/postern/internal/ijson"
)

// mergePatch changes a JSON object as a JSON Merge Patch says (RFC 7396): null
// takes a member away, an object is merged, anything else replaces. No object
// at all counts as an empty one; pointer is where in the request the patch
// stands.
func mergePatch(object, patch json.RawMessage, pointer string) (json.RawMessage, error) {
	change, err := ijson.Decode(patch, ijson.Limits{})
	if err != nil {
		return nil, invalid(pointer, "syntax", "%v", err)
	}
	members, ok := change.(map[string]any)
	if !ok {
		return nil, invalid(pointer, "type", "send a JSON object with the members to change, null for those to take away")
	}
	var before any
	if len(object) > 0 {
		if before, err = ijson.Decode(object, ijson.Limits{}); err != nil {
			return nil, err
		}
	}
	return compactJSON(merged(before, members))
}

func merged(target any, patch map[string]any) map[string]any {
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(object, name)
		case map[string]any:
			object[name] = merged(object[name], value)
		default:
			object[name] = value
		}
	}
	return object
}

// compactJSON writes a value with its names sorted and nothing escaped that
// need not be.
func compactJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
