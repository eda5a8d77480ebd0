package mail

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestV31NamesAreNoPhishing: a name may be anything that somebody typed, and a
// mail from us says it to a stranger.
func TestV31NamesAreNoPhishing(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"a name", "Dana Roy", "Dana Roy"},
		{"names of all sorts", "Zoë O’Neill-Smith, J.R. (Jr.) & Søren 王小明 محمد", "Zoë O’Neill-Smith, J.R. (Jr.) & Søren 王小明 محمد"},
		{"an invitation to a prize", "Win $$ http://evil", "Win"},
		{"a URL with a path", "click https://evil.example/x?y=z now", "click now"},
		{"a URL without a scheme", "www.evil.example", ""},
		{"a bare domain", "evil.example", "evil example"},
		{"a domain behind a full-width dot", "evil．example", "evil example"},
		{"a domain behind an ideographic full stop", "evil。example", "evil example"},
		{"a domain with a zero-width space", "evil.\u200bexample", "evil. example"},
		{"an address", "eve@evil.example", "eve evil example"},
		{"a script", "javascript:alert(1)", ""},
		{"markup", `<a href="https://evil.example">Dana</a>`, "Dana"},
		{"half of a tag", "Dana <b", "Dana b"},
		{"Markdown", "[click](evil.example)", "click (evil example)"},
		{"a header", "Dana\r\nBcc: eve@evil.example", "Dana Bcc eve evil example"},
		{"text that runs backwards", "Dana \u202eyoR", "Dana yoR"},
		{"a bell and a null", "Da\x07na\x00", "Da na"},
		{"no UTF-8", "Da\xffna", "Da na"},
		{"a template", "{{.Link}}", "Link"},
		{"a long name", strings.Repeat("a", 100), strings.Repeat("a", 64)},
		{"nothing but signs", "$$$ !!! ***", ""},
	} {
		if got := clean(test.in); got != test.want {
			t.Errorf("%s: %q: got %q, want %q", test.name, test.in, got, test.want)
		}
	}
}

func TestAMemberMayBeToldByAddress(t *testing.T) {
	for in, want := range map[string]string{
		"dana.roy+x@acme.example": "dana.roy+x@acme.example",
		"Dana Roy":                "Dana Roy",
		"a@b@evil.example":        "a b evil example",
		"<i>@evil.example":        "evil example",
		"x@evil.example/path":     "x evil example path",
	} {
		if got := cleanMember(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzNamesBecomeNoLink(f *testing.F) {
	for _, seed := range []string{"Dana Roy", "Win $$ http://evil", "J.R. Smith", "a.b.c", "www.x", "<b>x</b>", "x\r\ny", "evil.example", "\u202e", "mailto:x", "wwwwww.www.", "a.\u0301b", strings.Repeat("a.", 80)} {
		f.Add(seed)
	}
	// What programs that show mail make links of, though nobody marked it up.
	link := regexp.MustCompile(`(?i)://|www\.|[/@:<>]|[\p{L}\p{N}]\.[\p{L}\p{N}]{2,}`)
	f.Fuzz(func(t *testing.T, name string) {
		got := clean(name)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxName {
			t.Errorf("%q: got %q, want valid text of up to %d", name, got, maxName)
		}
		if link.MatchString(got) {
			t.Errorf("%q: got %q, which has a link", name, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) }) {
			t.Errorf("%q: got %q, which has a control character", name, got)
		}
		if again := clean(got); again != got {
			t.Errorf("%q: got %q and then %q", name, got, again)
		}
	})
}
