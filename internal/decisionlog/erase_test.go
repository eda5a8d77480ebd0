package decisionlog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestPersonalDataIsErased(t *testing.T) {
	cases := []struct {
		name, input, want string
		erased            []string
	}{
		{"an e-mail address of the subject", `{"subject":{"id":"u","properties":{"email":"a@b.c","role":"x"}}}`,
			`{"subject":{"id":"u","properties":{"role":"x"}}}`, []string{"/input/subject/properties/email"}},
		{"the last of several members", `{"resource":{"properties":{"account":"a1","phone":"+32"}}}`,
			`{"resource":{"properties":{"account":"a1"}}}`, []string{"/input/resource/properties/phone"}},
		{"one between others", `{"context":{"a":1,"Contact_Email":"x","b":2}}`,
			`{"context":{"a":1,"b":2}}`, []string{"/input/context/Contact_Email"}},
		{"the only member", `{"action":{"properties":{"msisdn":32}}}`, `{"action":{"properties":{}}}`, []string{"/input/action/properties/msisdn"}},
		{"deep below, in lists", `{"context":{"people":[{"n":1},{"homePhone":"+32"}]}}`,
			`{"context":{"people":[{"n":1},{}]}}`, []string{"/input/context/people/1/homePhone"}},
		{"a whole object, named once", `{"context":{"e-mails":{"work_email":"x","home":"y"}}}`, `{"context":{}}`, []string{"/input/context/e-mails"}},
		{"a name that is escaped", `{"context":{"\u0065mail":"x","a~b/c":{"fax":1}}}`, `{"context":{"a~b/c":{}}}`, []string{"/input/context/email", "/input/context/a~0b~1c/fax"}},
		{"several addresses", `{"context":{"email_addresses":["x"],"phoneNumbers":["y"],"mail":"z","mailbox":true}}`,
			`{"context":{"mailbox":true}}`, []string{"/input/context/email_addresses", "/input/context/phoneNumbers", "/input/context/mail"}},
		{"rather too much than too little", `{"context":{"voicemail":true,"headphones":1}}`, `{"context":{}}`, []string{"/input/context/voicemail", "/input/context/headphones"}},
		{"not what identifies", `{"subject":{"type":"login","id":"ann@example.com"}}`, `{"subject":{"type":"login","id":"ann@example.com"}}`, nil},
		{"not facts", `{"facts":{"user":{"email":"kept"}}}`, `{"facts":{"user":{"email":"kept"}}}`, nil},
		{"a credential, wherever it is", `{"token":"t","user":{"Password":"p","n":1},"request":{"headers":{"authorization":["Bearer x"],"x-api-key":"k"}}}`,
			`{"user":{"n":1},"request":{"headers":{}}}`, []string{"/input/token", "/input/user/Password", "/input/request/headers/authorization", "/input/request/headers/x-api-key"}},
		{"no credential of a fact", `{"facts":{"tools":{"otp":["kept"]}},"tokenizer":1}`, `{"facts":{"tools":{"otp":["kept"]}},"tokenizer":1}`, nil},
		{"not a member called properties elsewhere", `{"other":{"properties":{"email":"kept"}}}`, `{"other":{"properties":{"email":"kept"}}}`, nil},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, erased, ok := appendErased(nil, []byte(tc.input))
			if !ok || string(got) != tc.want || !slices.Equal(erased, tc.erased) {
				t.Errorf("got %s without %q (%v), want %s without %q", got, erased, ok, tc.want, tc.erased)
			}
		})
	}
}

func TestBrokenTextIsNotCopied(t *testing.T) {
	for _, text := range []string{"", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[1 2]`, `"a`, `"\`, `"\x"`, "\"a\nb\"", `tru`, `1.`, `{} {}`, `{"a":1 "b":2}`, `{,}`, strings.Repeat("[", 1000) + strings.Repeat("]", 1000)} {
		if got, ok := appendCompact(nil, []byte(text)); ok {
			t.Errorf("%.40q: got %s, want it refused", text, got)
		}
	}
}

// What is JSON stays the same JSON, and nothing else becomes a line.
func FuzzCopyIsCompact(f *testing.F) {
	for _, seed := range []string{`{"a" : [1, 2.5e-3, true,null, "\u00e9\n"], "b":{}}`, `[]`, `"x"`, `{"context":{"email":{"a":[]}}}`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := appendCompact(nil, text)
		deep := bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxDepth
		if want := json.Valid(text); ok != want && !deep {
			t.Fatalf("got %v, want %v for %q", ok, want, text)
		}
		if !ok {
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, text); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("got %q, want %q (%v)", got, want.Bytes(), err)
		}
		if erased, _, ok := appendErased(nil, text); !ok || !json.Valid(erased) || bytes.IndexByte(erased, '\n') >= 0 {
			t.Fatalf("got %q (%v), want one line of JSON", erased, ok)
		}
	})
}
