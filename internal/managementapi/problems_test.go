package managementapi

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryReasonHasAPage looks for reasons in the source of the packages that
// refuse.
func TestEveryReasonHasAPage(t *testing.T) {
	reasons := []*regexp.Regexp{
		regexp.MustCompile(`\brefuse\([^,"]+, "([^"]*)"`),
		regexp.MustCompile(`\bconflict\("([^"]*)"`),
		regexp.MustCompile(`\bReason:\s+"([^"]*)"`),
		regexp.MustCompile(`\{"manage\.[a-z_]+", "([^"]*)"`),
	}
	found := 0
	for _, pkg := range []string{"../pap", "../bearer", "."} {
		files, err := filepath.Glob(pkg + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, pattern := range reasons {
				for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
					found++
					if _, known := problems[match[1]]; !known && !strings.HasSuffix(match[1], "-") { // not- and a state
						t.Errorf("%s refuses with the reason %q, which has no page in problems.go", file, match[1])
					}
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d reasons in the source, want 20 or more: do the patterns still fit?", found)
	}
}

func TestEveryPageSaysWhatToDo(t *testing.T) {
	slug := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for reason, p := range problems {
		if !slug.MatchString(reason) || p[0] == "" || !strings.HasSuffix(p[1], ".") || !strings.HasSuffix(p[2], ".") {
			t.Errorf("%s: %q is not a title and two sentences", reason, p)
		}
	}
}
