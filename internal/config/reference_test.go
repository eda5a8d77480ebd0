package config

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/docs/configuration.md anew")

// TestTheReferenceIsOfThisProgram compares the page that operators read with the
// tags that the program reads.
func TestTheReferenceIsOfThisProgram(t *testing.T) {
	const page = "../../deploy/docs/configuration.md"
	want := reference()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, page) != want {
		t.Errorf("%s is out of date: go test ./internal/config -run Reference -update writes it anew", page)
	}
}

func reference() string {
	var b strings.Builder
	b.WriteString("<!-- Written by go test ./internal/config -run Reference -update. -->\n\n# Configuration\n\n")
	b.WriteString(Introduction + " What is a secret is read from the file that the variable with `_FILE` behind its name names, too; only its owner may read that file.\n")
	group := ""
	for _, v := range append(Vars(), ClientVars()...) {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", v.Name, v.Help)
		v.writeFacts(&b)
	}
	return b.String()
}

// writeFacts writes what can be looked up about a variable, one row each.
func (v Var) writeFacts(b *strings.Builder) {
	b.WriteString("| | |\n|---|---|\n")
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "| %s | %s |\n", name, text)
		}
	}
	row("type", strings.ReplaceAll(v.Type, " | ", ", "))
	row("bounds", strings.Replace(v.Range, "..", " to ", 1))
	if v.Default != "" {
		row("default", "`"+v.Default+"`")
	}
	row("example", "`"+v.Example+"`")
	var others []string
	for _, name := range v.Needs {
		others = append(others, fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name)))
	}
	row("needs", strings.Join(others, ", "))
}

// Every example is one that the program takes, together with the examples of
// what it needs.
func TestEveryExampleSetsItsVariable(t *testing.T) {
	root := examples(t)
	for _, v := range variables(&Config{}) {
		t.Run(v.Name, func(t *testing.T) {
			c, err := Load(slices.Collect(maps.Values(beside(v.Var, root, map[string]string{"HOME": home}))))
			if err != nil {
				t.Fatalf("got %v, want no fault", err)
			}
			_, want, _ := strings.Cut(v.Example, "=")
			want = there(want, root)
			if v.Secret && strings.HasPrefix(v.Example, v.Name+fileSuffix) {
				want = read(t, want)
			}
			if got := value(c, v.Name); got != want || got == v.Default {
				t.Errorf("got %q, want %q, and not what it is without", got, want)
			}
		})
	}
}

func TestEveryDefaultIsWhatNothingSets(t *testing.T) {
	bare, err := Load([]string{home})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range Vars() {
		if v.Default == "" {
			continue
		}
		c, err := Load([]string{home, v.Name + "=" + v.Default})
		if err != nil || value(c, v.Name) != value(bare, v.Name) || value(c, v.Name) != v.Default {
			t.Errorf("%s=%s: got %v, want no fault and what it is without", v.Name, v.Default, err)
		}
	}
}

// beside is an environment with the example of a variable, and those of what
// that needs.
func beside(v Var, root string, environ map[string]string) map[string]string {
	environ[v.Name] = there(v.Example, root)
	for _, other := range Vars() {
		if _, ok := environ[other.Name]; !ok && slices.Contains(v.Needs, other.Name) {
			beside(other, root, environ)
		}
	}
	return environ
}

// there is an example with its files where this test keeps them.
func there(example, root string) string {
	return strings.ReplaceAll(example, "/etc/postern/", root+"/")
}

// value is what a variable was set to, secret or not.
func value(c *Config, name string) string {
	for _, v := range variables(c) {
		if v.Name == name && v.Secret {
			return v.value.String()
		}
		if v.Name == name {
			return show(v.value)
		}
	}
	return ""
}

// examples makes what examples name under /etc/postern: certificates and their
// keys, files with a secret, and directories of policies.
func examples(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	cert, key := writeCertificate(t, root, "of-all")
	for _, v := range Vars() {
		name, value, _ := strings.Cut(v.Example, "=")
		for path := range strings.SplitSeq(value, ",") {
			name := strings.TrimSuffix(name, fileSuffix)
			switch file, ours := strings.CutPrefix(path, "/etc/postern/"); {
			case !ours:
			case filepath.Ext(file) == ".crt":
				writeFile(t, root, file, read(t, cert), 0o644)
			case filepath.Ext(file) == ".key":
				writeFile(t, root, file, read(t, key), 0o600)
			case v.Secret:
				writeFile(t, root, file, name+strings.Repeat(".", minSecret), 0o600)
			default:
				if err := os.MkdirAll(filepath.Join(root, file), 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return root
}
