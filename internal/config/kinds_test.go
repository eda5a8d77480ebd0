package config

import (
	"cmp"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// misfit has values that are of another kind than the variable's. What takes any
// text has none.
func misfit(v variable) []string {
	if v.field.Tag.Get("enum") != "" {
		return []string{"canary", "ALL", "none,"}
	}
	switch v.field.Type {
	case reflect.TypeFor[int]():
		return []string{"many", "1.5", "0x10", "1 ", "99999999999999999999"}
	case reflect.TypeFor[time.Duration]():
		return []string{"100", "5 s", "1d", "s", "9999999999h"}
	case reflect.TypeFor[Size]():
		return []string{"1MB", "-1", "1.5KiB", "KiB", "9999999999TiB", "1 KiB"}
	case reflect.TypeFor[bool]():
		return []string{"perhaps", "yes", "2"}
	case reflect.TypeFor[slog.Level]():
		return []string{"loud", "-"}
	case reflect.TypeFor[Address](), reflect.TypeFor[Switch]():
		return []string{"nowhere", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:65536", "http://127.0.0.1:1", "unix://relative", "fd://1", "tcp://x"}
	case reflect.TypeFor[DSN]():
		return []string{"mysql://db/x", "sqlite:", "postgres://%zz", "/srv/postern.db", "host=db"}
	case reflect.TypeFor[PublicURL]():
		return []string{"pdp.example.com", "https://", "http://pdp.example.com", "https://pdp.example.com/#x", "%zz"}
	case reflect.TypeFor[MailServer]():
		return []string{"mail.example.com", "smtp://", "smtp://u:p@h", "file://relative", "imap://h", "%zz"}
	case reflect.TypeFor[LogTarget]():
		return []string{"decisions.log", "/var/log/", "https://logs.example.com"}
	}
	return nil
}

// outside has the values next to the ends of the variable's range.
func outside(v variable) []string {
	low, high, ok := bounds(v.field)
	if !ok {
		return nil
	}
	write := func(n int64) string {
		if v.field.Type == reflect.TypeFor[time.Duration]() {
			return time.Duration(n).String()
		}
		return strconv.FormatInt(n, 10)
	}
	return []string{write(low - 1), write(high + 1)}
}

// unreadable has paths that no file of the variable's kind is at.
func unreadable(v variable, dir string) []string {
	none := filepath.Join(dir, "none")
	if v.Secret || v.Name == Prefix+"STATE" || !strings.Contains(v.Type, "path") && v.Name != Prefix+"OVERLAYS" || strings.Contains(v.Type, "of data") || v.Name == Prefix+"DATA_PATHS" {
		return nil
	}
	if v.Name == Prefix+"POLICIES" || v.Name == Prefix+"OVERLAYS" {
		return []string{none, filepath.Join(dir, "text")}
	}
	return []string{none, dir, filepath.Join(dir, "text", "below")}
}

// lists has what no list may hold.
func lists(v variable) []string {
	if v.field.Type != reflect.TypeFor[[]string]() {
		return nil
	}
	_, example, _ := strings.Cut(v.Example, "=")
	first, _, _ := strings.Cut(example, ",")
	return []string{first + ",", "," + first, first + ",," + first, first + "," + first}
}

// faulty is every wrong value of every variable that the type, the bounds and the
// help of the variable give away, by kind of fault.
func faulty(t *testing.T) map[string]map[string][]string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]string{}
	for _, v := range variables(&Config{}) {
		all[v.Name] = map[string][]string{"another type": misfit(v), "out of range": outside(v), "an unreadable file": unreadable(v, dir), "no list": lists(v)}
	}
	return all
}

// Every variable, with every kind of fault that it can have, next to what its
// example needs: the variable is named, and nothing else is at fault.
func TestEveryKindOfFaultNamesItsVariable(t *testing.T) {
	root, wrong, seen := examples(t), faulty(t), map[string]int{}
	for _, v := range Vars() {
		for kind, values := range wrong[v.Name] {
			for _, value := range values {
				environ := beside(v, root, map[string]string{"HOME": home})
				environ[v.Name] = v.Name + "=" + value
				delete(environ, v.Name+fileSuffix)
				_, err := Load(slices.Collect(maps.Values(environ)))
				if err == nil || !strings.HasPrefix(err.Error(), v.Name+" ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: %s=%s: got %v, want one fault, of it", kind, v.Name, value, err)
				}
				seen[kind]++
			}
		}
	}
	if len(seen) != 4 || seen["another type"] < 150 {
		t.Errorf("got %v, want faults of four kinds", seen)
	}
}

// However many settings are wrong, each is named, once, and no other is.
func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	wrong := faulty(t)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(wrong))), 1, 8, rapid.ID).Draw(t, "names")
		environ, want := []string{home}, []string{}
		for _, name := range names {
			if values := slices.Concat(wrong[name]["another type"], wrong[name]["out of range"]); len(values) > 0 {
				environ = append(environ, name+"="+rapid.SampledFrom(values).Draw(t, name))
				want = append(want, name)
			}
		}
		_, err := Load(environ)
		var got []string
		for _, line := range lines(err) {
			name, _, _ := strings.Cut(line, " ")
			got = append(got, name)
		}
		slices.Sort(want)
		slices.SortFunc(got, cmp.Compare)
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got the faults %v, want those of %v", environ, err, want)
		}
	})
}
