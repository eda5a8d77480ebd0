package directory

import (
	"os"
	"strings"
	"testing"
)

func TestTheReadmeNamesEveryMember(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "|---|---|\n")
	rows := strings.SplitN(table, "\n", len(recordTypes())+1)
	for i, kind := range recordTypes() {
		if !strings.HasPrefix(rows[i], "| `"+kind.name+"` |") {
			t.Errorf("row %d is not about %s", i+1, kind.name)
		}
		for _, member := range columns(kind) {
			if !strings.Contains(rows[i], "`"+member+"`") {
				t.Errorf("the row of %s does not name %s", kind.name, member)
			}
		}
	}
}

func TestSuggest(t *testing.T) {
	tests := []struct{ word, want string }{
		{"organisation", `; did you mean "organization"?`},
		{"User", `; did you mean "user"?`},
		{"xyz", "; there are organization, user"},
		{strings.Repeat("user", 100), "; there are organization, user"},
	}
	for _, tt := range tests {
		if got := suggest(tt.word, []string{"organization", "user"}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.word, got, tt.want)
		}
	}
}
