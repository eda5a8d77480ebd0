package ijson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want any
	}{
		"an object":                       {`{"a":{"b":[1,"x",true,false,null]}}`, map[string]any{"a": map[string]any{"b": []any{json.Number("1"), "x", true, false, nil}}}},
		"an empty object":                 {" {\t} \r\n", map[string]any{}},
		"an empty array":                  {"[ ]", []any{}},
		"names differ by case":            {`{"subject":1,"SUBJECT":2}`, map[string]any{"subject": json.Number("1"), "SUBJECT": json.Number("2")}},
		"names differ by a long s":        {`{"subject":1,"ſubject":2}`, map[string]any{"subject": json.Number("1"), "ſubject": json.Number("2")}},
		"an empty name":                   {`{"":0}`, map[string]any{"": json.Number("0")}},
		"every escape":                    {`"\"\\\/\b\f\n\r\té\u00E9"`, "\"\\/\b\f\n\r\téé"},
		"a surrogate pair":                {`"\ud83d\ude00"`, "😀"},
		"text after an escape":            {`"a\nbcdefghijklmnop"`, "a\nbcdefghijklmnop"},
		"another script":                  {`"日本語 and ascii"`, "日本語 and ascii"},
		"a quote after seven bytes":       {`"1234567"`, "1234567"},
		"a quote after eight bytes":       {`"12345678"`, "12345678"},
		"a delete character":              {"\"\x7f\"", "\x7f"},
		"a number keeps its text":         {"[1.0,-0,1E+2,9007199254740993,0.1000]", []any{json.Number("1.0"), json.Number("-0"), json.Number("1E+2"), json.Number("9007199254740993"), json.Number("0.1000")}},
		"the largest double":              {"1.7976931348623157e308", json.Number("1.7976931348623157e308")},
		"the smallest double":             {"5e-324", json.Number("5e-324")},
		"zero with any exponent":          {"0.00e-999999", json.Number("0.00e-999999")},
		"a replacement character as such": {`"\ufffd�"`, "��"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(tt.text), Limits{})
			if err != nil {
				t.Fatalf("Decode(%s): %v", tt.text, err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Decode(%s) got %#v, want %#v", tt.text, got, tt.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		offset  int
		pointer string
		reason  string
	}{
		"nothing":                              {"", 0, "", "is empty"},
		"only space":                           {" \n", 2, "", "is empty"},
		"a byte order mark":                    {"\xEF\xBB\xBF{}", 0, "", "byte order mark"},
		"a second value":                       {`{} {}`, 3, "", "something follows"},
		"a duplicate name":                     {`{"a":1,"a":2}`, 7, "/a", "twice"},
		"a duplicate name once unescaped":      {`{"id":"bob","\u0069d":"alice"}`, 12, "/id", "twice"},
		"a duplicate name deep inside":         {`{"x":[0,{"a":1,"a":2}]}`, 15, "/x/1/a", "twice"},
		"a pointer with its escapes":           {`{"a/b~c":tru}`, 9, "/a~1b~0c", "a value is missing"},
		"invalid UTF-8":                        {"\"a\xff\"", 2, "", "not UTF-8"},
		"an overlong form":                     {"\"\xc0\xaf\"", 1, "", "not UTF-8"},
		"a surrogate in UTF-8":                 {"\"\xed\xa0\x80\"", 1, "", "not UTF-8"},
		"a lone high surrogate":                {`"\ud800"`, 1, "", "surrogate"},
		"a lone low surrogate":                 {`"\udc00"`, 1, "", "surrogate"},
		"a high surrogate and a character":     {`"\ud800\u0041"`, 1, "", "surrogate"},
		"two high surrogates":                  {`"\ud800\ud800"`, 1, "", "surrogate"},
		"an escaped noncharacter":              {`"\uffff"`, 1, "", "no character"},
		"a noncharacter":                       {"\"\uFDD0\"", 1, "", "no character"},
		"a noncharacter of another plane":      {`"\ud83f\udfff"`, 1, "", "no character"},
		"an escaped U+0000":                    {`{"id":"a\u0000b"}`, 8, "/id", "no character"},
		"a control character":                  {"\"a\nb\"", 2, "", "control character"},
		"a control character after long text":  {"\"abcdefgh\x00\"", 9, "", "control character"},
		"an unknown escape":                    {`"\x41"`, 1, "", "unknown escape"},
		"a short escape":                       {`"\u12"`, 1, "", "hexadecimal"},
		"an escape cut short":                  {`"\`, 1, "", "ends in the middle"},
		"a string cut short":                   {`"abc`, 4, "", "ends in the middle"},
		"an object cut short":                  {`{"a":1`, 6, "", "ends in the middle"},
		"an object cut after a name":           {`{"a"`, 4, "/a", "ends in the middle"},
		"an object cut after a colon":          {`{"a":`, 5, "/a", "ends in the middle"},
		"an array cut short":                   {`[1,`, 3, "/1", "ends in the middle"},
		"a trailing comma in an object":        {`{"a":1,}`, 7, "", "member name"},
		"a trailing comma in an array":         {`[1,]`, 3, "/1", "a value is missing"},
		"a leading comma":                      {`[,1]`, 1, "/0", "a value is missing"},
		"no comma":                             {`[1 2]`, 3, "", "comma"},
		"no colon":                             {`{"a" 1}`, 5, "/a", "colon"},
		"a name without quotes":                {`{a:1}`, 1, "", "member name"},
		"single quotes":                        {`'a'`, 0, "", "a value is missing"},
		"NaN":                                  {`NaN`, 0, "", "a value is missing"},
		"Infinity":                             {`-Infinity`, 1, "", "Infinity"},
		"a leading zero":                       {`01`, 1, "", "goes on wrongly"},
		"a plus":                               {`+1`, 0, "", "a value is missing"},
		"a hexadecimal number":                 {`0x10`, 1, "", "goes on wrongly"},
		"a point without digits":               {`1.`, 2, "", "ends in the middle"},
		"a point and no digit":                 {`1.e5`, 2, "", "decimal point"},
		"an exponent without digits":           {`[1e]`, 3, "/0", "exponent"},
		"a number beyond a double":             {`{"n":1e400}`, 5, "/n", "outside the range"},
		"a long number beyond a double":        {strings.Repeat("9", 310), 0, "", "outside the range"},
		"a number too small for a double":      {`-1e-400`, 0, "", "outside the range"},
		"an exponent no computer can multiply": {`1e-1000000000`, 0, "", "outside the range"},
		"a number of 401 characters":           {"0." + strings.Repeat("1", 399), 0, "", "400 characters"},
		"a comment":                            {`{/**/}`, 1, "", "member name"},
		"a literal in capitals":                {`True`, 0, "", "a value is missing"},
		"a literal that goes on":               {`nullx`, 4, "", "something follows"},
		"YAML":                                 {"a: b", 0, "", "a value is missing"},
		"33 levels":                            {strings.Repeat("[", 33) + strings.Repeat("]", 33), 32, strings.Repeat("/0", 32), "too deeply"},
		"a vertical tab between tokens":        {"[\v1]", 1, "/0", "a value is missing"},
		"a no-break space between tokens":      {"\u00a0{}", 0, "", "a value is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := Decode([]byte(tt.text), Limits{})
			var got *SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("Decode(%.60s) got %#v, %v, want a *SyntaxError", tt.text, v, err)
			}
			if got.Offset != tt.offset || got.Pointer != tt.pointer || !strings.Contains(got.Error(), tt.reason) {
				t.Errorf("Decode(%.60s) got %q at %d in %q, want %q at %d in %q", tt.text, got.Reason, got.Offset, got.Pointer, tt.reason, tt.offset, tt.pointer)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		limits Limits
		ok     bool
	}{
		"32 levels":               {strings.Repeat("[", 32) + strings.Repeat("]", 32), Limits{}, true},
		"33 levels when allowed":  {strings.Repeat("[", 33) + strings.Repeat("]", 33), Limits{Depth: 33}, true},
		"siblings do not add up":  {"[" + strings.Repeat("[[]],", 100) + "[]]", Limits{Depth: 3}, true},
		"as many values as may":   {"[1,2,3]", Limits{Values: 4}, true},
		"one value too many":      {"[1,2,3]", Limits{Values: 3}, false},
		"the default of values":   {"[" + strings.Repeat("0,", DefaultValues-2) + "0]", Limits{}, true},
		"one above the default":   {"[" + strings.Repeat("0,", DefaultValues-1) + "0]", Limits{}, false},
		"a number of 400":         {"0." + strings.Repeat("1", 398), Limits{}, true},
		"a hundred thousand deep": {strings.Repeat(`{"a":`, 100_000), Limits{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode([]byte(tt.text), tt.limits); (err == nil) != tt.ok {
				t.Errorf("Decode got %v, want accepted %v", err, tt.ok)
			}
		})
	}
}

func TestNothingAliasesTheBody(t *testing.T) {
	text := []byte(`{"name":"value","long":"` + strings.Repeat("x", 300) + `","esc":"a\nb","n":12345}`)
	want, err := Decode(append([]byte(nil), text...), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(text, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] = '!'
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after the body was overwritten got %#v, want %#v", got, want)
	}
}

func TestAnErrorStaysShort(t *testing.T) {
	_, err := Decode([]byte(`{"`+strings.Repeat("é", 5000)+`":?}`), Limits{})
	if err == nil || len(err.Error()) > 500 || strings.ContainsRune(err.Error(), '\uFFFD') {
		t.Errorf("got %v, want a short error in whole characters", err)
	}
}
