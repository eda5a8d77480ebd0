package authzen

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/ijson"
)

const permitted = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"101"}}`

// with is the permitted request with one member more.
func with(name, value string) string {
	return strings.TrimSuffix(permitted, "}") + `,"` + name + `":` + value + "}"
}

// FuzzEvaluation says that no body makes the reader panic, that every refusal is
// of kind invalid, and that a request which is accepted reads the same when it
// is written again from what was understood.
func FuzzEvaluation(f *testing.F) {
	for _, body := range []string{permitted, `{}`, `[]`, with("context", `{"a":[1,null]}`), `{"subject":{"type":"user","id":"a","properties":{"é":"\ud83d\ude00"}},"action":{"name":"read"},"resource":{"type":"record","id":"101"}}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, err := decode(raw)
		if err == nil {
			var req authz.Request
			if req, err = ReadRequest(body); err == nil {
				if again := reread(t, written(req)); !reflect.DeepEqual(again, req) {
					t.Errorf("%q got %+v, and %+v when written again", raw, req, again)
				}
			}
		}
		if err != nil && !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("%q got %v, want kind invalid", raw, err)
		}
	})
}

// FuzzEvaluations says the same of batches, and that every item is a request or
// an error.
func FuzzEvaluations(f *testing.F) {
	for _, body := range []string{permitted, with("evaluations", `[{},{"subject":null},7]`), with("evaluations", `[{}],"options":{"evaluations_semantic":"deny_on_first_deny"}`)} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, err := decode(raw)
		if err != nil {
			return
		}
		batch, ok, err := ReadBatch(body, 100)
		switch {
		case err != nil && !errors.Is(err, authz.ErrInvalid):
			t.Fatalf("%q got %v, want kind invalid", raw, err)
		case err != nil || !ok:
			return
		}
		sent, _ := body["evaluations"].([]any)
		if len(batch.Items) != len(sent) {
			t.Fatalf("%q got %d items, want %d", raw, len(batch.Items), len(sent))
		}
		for i, item := range batch.Items {
			if item.Err != nil && !reflect.DeepEqual(item.Request, authz.Request{}) {
				t.Errorf("%q item %d has an error and a request", raw, i)
			}
			if item.Err == nil {
				if again := reread(t, written(item.Request)); !reflect.DeepEqual(again, item.Request) {
					t.Errorf("%q item %d got %+v, and %+v when written again", raw, i, item.Request, again)
				}
			}
		}
	})
}

// written is a request as AuthZEN writes it.
func written(r authz.Request) object {
	thing := func(typ, id string, properties authz.Properties) object {
		return withProperties(object{"type": typ, "id": id}, properties)
	}
	o := object{
		"subject":  thing(r.Subject.Type, r.Subject.ID, r.Subject.Properties),
		"action":   withProperties(object{"name": r.Action.Name}, r.Action.Properties),
		"resource": thing(r.Resource.Type, r.Resource.ID, r.Resource.Properties),
	}
	if r.Context != nil {
		o["context"] = r.Context
	}
	return o
}

func withProperties(o object, properties authz.Properties) object {
	if properties != nil {
		o["properties"] = properties
	}
	return o
}

func reread(t *testing.T, o object) authz.Request {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	body, err := decode(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	req, err := ReadRequest(body)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return req
}

func decode(raw []byte) (object, error) {
	v, err := ijson.Decode(raw, ijson.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, authz.ErrInvalid)
	}
	body, ok := v.(object)
	if !ok {
		return nil, invalidf("the body is %s: send an object", ijson.Kind(v))
	}
	return body, nil
}

// FuzzIs says that what is meant as a request is read as one, but for what may be
// left out of it.
func FuzzIs(f *testing.F) {
	for _, body := range []string{permitted, `{}`, `[]`, with("context", "7")} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, err := decode(raw)
		if err != nil {
			return
		}
		_, err = ReadRequest(body)
		if err == nil && !Is(body) {
			t.Errorf("%q is read as a request, and said to be none", raw)
		}
		if err != nil && Is(body) && !strings.Contains(err.Error(), "leave it out") {
			t.Errorf("%q is said to be a request, and not read: %v", raw, err)
		}
	})
}
