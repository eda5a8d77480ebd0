package config

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A setting without one that it needs is refused by a sentence that begins with
// one of the two and names the other.
func TestEveryMissingPartnerIsNamed(t *testing.T) {
	root := examples(t)
	for _, v := range Vars() {
		for _, need := range v.Needs {
			environ := beside(v, root, map[string]string{"HOME": home})
			delete(environ, need)
			_, err := Load(slices.Collect(maps.Values(environ)))
			said := slices.ContainsFunc(lines(err), func(line string) bool {
				name, _, _ := strings.Cut(line, " ")
				return strings.HasPrefix(name, Prefix) && strings.Contains(line, need) && (name == v.Name || slices.Contains(v.Needs, name))
			})
			if !said {
				t.Errorf("%s without %s: got %v, want a fault that names both", v.Name, need, err)
			}
		}
	}
}

// The other way round: what a sentence says that a setting needs is what its
// manual says.
func TestEveryExampleNeedsNothingElse(t *testing.T) {
	root := examples(t)
	for _, v := range Vars() {
		_, err := Load([]string{home, there(v.Example, root)})
		if (err != nil) != (len(v.Needs) > 0) {
			t.Errorf("%s alone: got %v, want a fault only because it needs %q", v.Name, err, v.Needs)
		}
	}
}

// Every name that is nearly one of a setting is refused, and the setting that may
// be meant is named.
func TestEveryMisspeltNameIsRefused(t *testing.T) {
	known := regexp.MustCompile(`; did you mean POSTERN_[A-Z_]+\?$`)
	names := map[string]bool{}
	for _, v := range append(Vars(), ClientVars()...) {
		names[v.Name], names[v.Name+fileSuffix] = true, v.Secret
	}
	for _, v := range Vars() {
		for _, name := range []string{v.Name[:len(v.Name)-1], v.Name + "S", v.Name + "_", strings.Replace(v.Name, "POSTERN_", "POSTERN__", 1), v.Name[:len(Prefix)+1] + v.Name[len(Prefix)+2:]} {
			if names[name] {
				continue
			}
			_, err := Load([]string{home, name + "=canary"})
			if err == nil || !strings.HasPrefix(err.Error(), name+" is not a setting") || !known.MatchString(err.Error()) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: got %v, want it refused and a setting named", name, err)
			}
		}
		if _, err := Load([]string{home, v.Name + fileSuffix + "=/none"}); err == nil || !strings.HasPrefix(err.Error(), v.Name+fileSuffix+" ") {
			t.Errorf("%s%s: got %v, want it named", v.Name, fileSuffix, err)
		}
	}
}

// Every secret that is given twice, or is in a file that cannot be used, is named.
func TestEveryFileOfASecretThatCannotBeUsedIsNamed(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("canary", maxSecret)
	folder := dir + "/folder"
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	good := writeFile(t, dir, "good", strings.Repeat("canary", 6), 0o600)
	for path, sentence := range map[string]string{
		dir + "/none": "names a file that cannot be read: no such file or directory",
		folder:        "names a file that cannot be read: is a directory",
		writeFile(t, dir, "open", "canary", 0o644): "names a file that others may read: chmod 600 it",
		writeFile(t, dir, "empty", "\n", 0o600):    "names a file that is empty",
		writeFile(t, dir, "long", long, 0o600):     "names a file that is larger than any secret",
	} {
		for _, v := range append(Vars(), ClientVars()...) {
			if !v.Secret {
				continue
			}
			for environ, want := range map[string]string{v.Name + fileSuffix + "=" + path: v.Name + fileSuffix + " " + sentence, v.Name + fileSuffix + "=" + good + " " + v.Name + "=canary": v.Name + " and " + v.Name + fileSuffix + " are both set: keep one"} {
				_, err := Load(append(strings.Fields(environ), home))
				if strings.HasPrefix(v.Name, clientToken) {
					_, err = LoadClient(append(strings.Fields(environ), home))
				}
				if err == nil || err.Error() != want {
					t.Errorf("%s: got %v, want %s", environ, err, want)
				}
			}
		}
	}
}
