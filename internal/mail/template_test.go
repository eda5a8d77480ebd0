package mail

import (
	"errors"
	"html"
	htmltemplate "html/template"
	"regexp"
	"strings"
	"testing"
	"text/template"
	"text/template/parse"
)

// Each mail is what the library would have written, whose escaping knows where a
// value stands.
func TestMailsAreWhatTheLibraryWouldWrite(t *testing.T) {
	r, err := newRenderer()
	if err != nil {
		t.Fatal(err)
	}
	text := template.Must(template.New("").ParseFS(files, "templates/*.txt"))
	rich := htmltemplate.Must(htmltemplate.New("").ParseFS(files, "templates/*.html"))
	hostile := `<b onclick="x()">O'Neil</b> & "{{.Link}}"`
	full := view{"Name": hostile, "Organization": hostile, "Inviter": hostile, "Member": hostile, "Role": hostile,
		"Link": "https://portal.example/accept?a=1&b=%22#t=pst_inv_x", "Expires": "1 January 2027, 10:00 UTC"}
	empty := view{"Name": "", "Organization": "", "Inviter": "", "Member": "", "Role": "", "Link": "", "Expires": ""}
	for kind := range subjects {
		for _, v := range []view{full, empty} {
			gotText, gotRich, err := r.render(kind, v)
			if err != nil {
				t.Fatal(err)
			}
			var wantText, wantRich strings.Builder
			if err := errors.Join(text.ExecuteTemplate(&wantText, kind+".txt", v), rich.ExecuteTemplate(&wantRich, kind+".html", v)); err != nil {
				t.Fatal(err)
			}
			if gotText != wantText.String() {
				t.Errorf("%s: got\n%s\nwant\n%s", kind, gotText, &wantText)
			}
			if got, want := html.UnescapeString(gotRich), html.UnescapeString(wantRich.String()); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", kind, got, want)
			}
			if strings.Count(gotRich, "<") != strings.Count(wantRich.String(), "<") || strings.Count(gotRich, `"`) != strings.Count(wantRich.String(), `"`) {
				t.Errorf("%s: got\n%s\nwant what is as safe as\n%s", kind, gotRich, &wantRich)
			}
		}
	}
}

// Values stand between tags and in attributes with quotes, where alone what is
// escaped is harmless.
func TestTemplatesPutValuesWhereTheyAreHarmless(t *testing.T) {
	r, err := newRenderer()
	if err != nil {
		t.Fatal(err)
	}
	inTag := regexp.MustCompile(`<[^<>]*\{\{[^<>]*>`)
	for name, tree := range r.trees {
		text := tree.Root.String()
		for _, tag := range inTag.FindAllString(text, -1) {
			if tag != `<a href="{{.Link}}">` {
				t.Errorf("%s: got a value in the tag %s", name, tag)
			}
		}
		for _, never := range []string{"<script", "<style", "javascript:"} {
			if strings.Contains(strings.ToLower(text), never) {
				t.Errorf("%s: got %s", name, never)
			}
		}
	}
}

func TestATemplateThatMailsDoNotKnowIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"{{.Nmae}}":                  "mails have no .Nmae",
		"{{with .Nmae}}{{end}}":      "mails have no .Nmae",
		"{{if .Name}}{{end}}":        "mails do not know {{if .Name}}",
		"{{.Name | .Role}}":          "mails do not know .Name | .Role",
		"{{42}}":                     "mails do not know 42",
		`{{template "nowhere"}}`:     "there is no such template",
		`{{with .Name}}{{7}}{{end}}`: "mails do not know 7",
	} {
		trees, err := parse.Parse("kind.txt", text, "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = (&renderer{trees}).render("kind", view{"Name": "Nina", "Role": "regular"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
