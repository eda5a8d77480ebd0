package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryPromiseIsCarried wants for each requirement that the product meets
// (R1 to R63, R77 to R88), for each way in which others were broken into (V1 to
// V37) and for each fault that a fleet lives through (F1 to F17, F24 to F26, F37) a
// test or a script that says its number: in the name of the test, above
// it, in the name of a case, in the sentence that it fails with, or in the
// comments of a script. Whether it tests that is for a reader.
func TestEveryPromiseIsCarried(t *testing.T) {
	carried := carriedPromises(t)
	for _, wanted := range []struct {
		letter      string
		first, last int
	}{{"R", 1, 63}, {"R", 77, 88}, {"V", 1, 37}, {"F", 1, 17}, {"F", 24, 26}, {"F", 37, 37}} {
		for n := wanted.first; n <= wanted.last; n++ {
			if name := fmt.Sprint(wanted.letter, n); carried[name] == "" {
				t.Errorf("%s is carried by no test: name one that tests it, or write one", name)
			}
		}
	}
}

func TestNumbersAreReadOutOfTests(t *testing.T) {
	for text, want := range map[string]string{
		"R6":                    "R6",
		"V20: no administrator": "V20",
		"as asked (R53-R55)":    "R53 R54 R55",
		"(R13, R14)":            "R13 R14",
		"TestV09OfFifty":        "V9",
		"TestR20ARole":          "R20",
		"R07_ACCOUNT_TEAM":      "R7",
		"F01 Redis is refused":  "F1",
		"TestVerifyR":           "",
		"RFC 7807 and R100":     "",
		"SERVER12, IPV4, R1x":   "",
	} {
		if got := strings.Join(numbers(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// carriedPromises are those of all tests.
func carriedPromises(t *testing.T) promises {
	t.Helper()
	carried := promises{}
	for _, find := range []struct {
		pattern string
		read    func(path string) ([]string, error)
	}{
		{`_test\.go$|/storetest/\w+\.go$`, saidByTests}, {`_test\.rego$`, saidByComments}, {`/testdata/\w+\.txtar$`, saidByComments},
	} {
		if err := carried.collect(regexp.MustCompile(find.pattern), find.read); err != nil {
			t.Fatal(err)
		}
	}
	return carried
}

// promises are the numbers that are carried, each with a file that does.
type promises map[string]string

func (p promises) collect(pattern *regexp.Regexp, read func(string) ([]string, error)) error {
	return filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		path = filepath.ToSlash(path)
		if err != nil || d.IsDir() || !pattern.MatchString(path) || strings.HasSuffix(path, "/coverage_test.go") {
			return err
		}
		said, err := read(path)
		for _, text := range said {
			for _, name := range numbers(text) {
				p[name] = path
			}
		}
		return err
	})
}

// numbers are those that a text names, ranges spelled out.
func numbers(text string) (names []string) {
	pattern := regexp.MustCompile(`(?:^|[^A-Za-z]|Test|Fuzz)([RVF])(\d{1,2})(?:-[RF](\d{1,2}))?(?:$|[^\da-z])`)
	for rest := text; ; {
		at := pattern.FindStringSubmatchIndex(rest)
		if at == nil {
			return names
		}
		part := func(i int) string {
			if at[2*i] < 0 {
				return ""
			}
			return rest[at[2*i]:at[2*i+1]]
		}
		first, _ := strconv.Atoi(part(2))
		last := first
		if part(3) != "" {
			last, _ = strconv.Atoi(part(3))
		}
		for n := first; n <= last; n++ {
			names = append(names, part(1)+strconv.Itoa(n))
		}
		rest = rest[max(at[5], at[7]):]
	}
}

// saidByComments are the comments of a script or a policy's tests, and the name
// of the file.
func saidByComments(path string) (said []string, err error) {
	text, err := os.ReadFile(path)
	said = []string{strings.ToUpper(filepath.Base(path))}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "-- ") {
			break
		}
		if strings.HasPrefix(line, "#") {
			said = append(said, line)
		}
	}
	return said, err
}

// saidByTests are the names of the tests of a file, what stands above them or
// beside their first line, and every text in them.
func saidByTests(path string) (said []string, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil || !isTest(fn.Name.Name) {
			continue
		}
		said = append(said, fn.Name.Name, fn.Doc.Text())
		for _, c := range file.Comments {
			if set.Position(c.Pos()).Line == set.Position(fn.Body.Lbrace).Line {
				said = append(said, c.Text())
			}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				said = append(said, text.Value)
			}
			return true
		})
	}
	return said, nil
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "test")
}
