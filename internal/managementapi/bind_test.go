package managementapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/ijson"
	"github.com/postern-authz/postern/internal/pap"
)

// everyForm has one member of each type that a request may have.
type everyForm struct {
	pap.Profile
	Name   string            `json:"name"`
	Yes    bool              `json:"yes"`
	Count  int               `json:"count"`
	Seen   uint64            `json:"seen"`
	Maybe  *string           `json:"maybe"`
	List   []pap.ToolGrant   `json:"list"`
	Words  map[string]string `json:"words"`
	At     time.Time         `json:"at"`
	TTL    time.Duration     `json:"ttl"`
	Any    json.RawMessage   `json:"any"`
	Hidden string            `json:"-"`
	secret string
}

func TestABodyIsReadStrictly(t *testing.T) {
	maybe := "x"
	for name, tt := range map[string]struct {
		body   string
		want   everyForm
		faults []string // pointer and code
	}{
		"nothing":                     {`{}`, everyForm{}, nil},
		"every form":                  {`{"name":"n","yes":true,"count":-3,"seen":7,"maybe":"x","words":{"a":"b"}}`, everyForm{Name: "n", Yes: true, Count: -3, Seen: 7, Maybe: &maybe, Words: map[string]string{"a": "b"}}, nil},
		"members of an embedded type": {`{"given_name":"Dana","address":{"city":"Riga"}}`, everyForm{Profile: pap.Profile{GivenName: "Dana", Address: &pap.Address{City: "Riga"}}}, nil},
		"nested lists":                {`{"list":[{"id":"t","accounts":["a"]}]}`, everyForm{List: []pap.ToolGrant{{ID: "t", Accounts: []string{"a"}}}}, nil},
		"a time":                      {`{"at":"2027-01-31T02:00:00+02:00"}`, everyForm{At: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}, nil},
		"a duration":                  {`{"ttl":"90m"}`, everyForm{TTL: 90 * time.Minute}, nil},
		"JSON as it is":               {`{"any":{"b":null,"a":[1.50]}}`, everyForm{Any: json.RawMessage(`{"a":[1.50],"b":null}`)}, nil},
		"a number of another form":    {`{"count":1e2}`, everyForm{Count: 100}, nil},
		"an unknown member":           {`{"nmae":"x"}`, everyForm{}, []string{"/nmae unknown"}},
		"another case":                {`{"Name":"x","NAME":"y"}`, everyForm{}, []string{"/NAME unknown", "/Name unknown"}},
		"a member that is ours alone": {`{"Hidden":"x","secret":"y","-":"z"}`, everyForm{}, []string{"/- unknown", "/Hidden unknown", "/secret unknown"}},
		"an unknown nested member":    {`{"list":[{},{"x/y~z":1}]}`, everyForm{}, []string{"/list/1/x~1y~0z unknown"}},
		"V25 an array for an address": {`{"name":["a@x","b@x"]}`, everyForm{}, []string{"/name type"}},
		"null":                        {`{"name":null,"maybe":null,"list":[null]}`, everyForm{}, []string{"/name null", "/maybe null", "/list/0 null"}},
		"a string for a number":       {`{"count":"3","yes":"true"}`, everyForm{}, []string{"/yes type", "/count type"}},
		"a fraction":                  {`{"count":1.5}`, everyForm{}, []string{"/count value"}},
		"a number too large":          {`{"count":1e30}`, everyForm{}, []string{"/count value"}},
		"less than nothing":           {`{"seen":-1}`, everyForm{}, []string{"/seen value"}},
		"no time":                     {`{"at":"tomorrow"}`, everyForm{}, []string{"/at value"}},
		"no duration":                 {`{"ttl":"7 days"}`, everyForm{}, []string{"/ttl value"}},
		"no object":                   {`[]`, everyForm{}, []string{" type"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := ijson.Decode([]byte(tt.body), ijson.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var got everyForm
			var faults []string
			for _, f := range bind(v, &got) {
				faults = append(faults, f.Pointer+" "+f.Code)
			}
			if !slices.Equal(faults, tt.faults) {
				t.Errorf("got faults %q, want %q", faults, tt.faults)
			}
			if tt.faults == nil && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			_ = got.secret
		})
	}
}

// FuzzBind reads anything: what it takes is what encoding/json takes, and the
// rest has a fault that points into the body.
func FuzzBind(f *testing.F) {
	for _, seed := range []string{`{"name":"n","list":[{"id":"t","accounts":["a"]}],"at":"2027-01-31T00:00:00Z"}`, `{"nmae":1}`, `{"any":{"a":null}}`, `[]`, `{"count":1e2,"ttl":"1h"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ijson.Decode(body, ijson.Limits{})
		if err != nil {
			return
		}
		var got, other everyForm
		faults := bind(v, &got)
		for _, fault := range faults {
			if fault.Code == "" || fault.Detail == "" || fault.Pointer != "" && fault.Pointer[0] != '/' {
				t.Errorf("got %+v, want a pointer, a code and a detail", fault)
			}
		}
		if got.TTL != 0 { // encoding/json has no text for it
			return
		}
		if err := json.Unmarshal(body, &other); len(faults) == 0 && err == nil && (got.Name != other.Name || got.Yes != other.Yes || len(got.List) != len(other.List) || !got.At.Equal(other.At)) {
			t.Errorf("got %+v, want %+v", got, other)
		}
	})
}
