package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// badPolicies are edits of house that the gate must refuse, each with what the
// refusal has to say.
func badPolicies() map[string]struct {
	edit  tree
	stage Stage
	says  []string
} {
	add := func(name, content string) tree { return house().with(name, content) }
	type bad = struct {
		edit  tree
		stage Stage
		says  []string
	}
	without := house()
	delete(without, "postern/access/access.rego")
	delete(without, "postern/access/access_test.rego")
	noData := house()
	delete(noData, "house/data.yaml")
	return map[string]bad{
		"broken syntax": {add("x.rego", "package x\n\nallow if {\n"), StageRead, []string{"x.rego:4", "rego_parse_error"}},
		"no entrypoint": {without.with("x.rego", "package x\n\ny := data.house.keys\n"), StageEntrypoint,
			[]string{"no rule data.postern.access.decision", "package postern.access"}},
		"a typo in the entrypoint": {core(strings.Replace(decisionOf+`{"decision": true}`, "decision :=", "decison :=", 1)),
			StageEntrypoint, []string{"no rule data.postern.access.decision"}},
		"a failing test": {add("postern/access/more_test.rego", "package postern.access_test\n\nimport rego.v2\n\ntest_no if false\n"),
			StageTest, []string{"more_test.rego:5", "test_no", "1 of 3"}},
		"a failing case of a table test": {add("more_test.rego", "package more_test\n\nimport rego.v2\n\ntest_table[name] if { some name, x in {\"one\": 1, \"two\": 2}; x == 1 }\n"),
			StageTest, []string{"test_table[two]"}},
		"the network": {add("x.rego", "package x\n\ny := http.send({\"url\": \"http://localhost\", \"method\": \"get\"})\n"), StageCompile,
			[]string{"x.rego:3", "http.send is withheld"}},
		"a builtin of the operator": {add("x.rego", "package x\n\ny := io.jwt.decode(input.context.token)\n"), StageCompile,
			[]string{"x.rego:3", "POSTERN_POLICY_BUILTINS=io.jwt.decode"}},
		"a type error":            {add("x.rego", "package x\n\ny := 1 + \"a\"\n"), StageCompile, []string{"x.rego:3", "rego_type_error"}},
		"an unused variable":      {add("x.rego", "package x\n\ny if {\n\tz := 1\n}\n"), StageCompile, []string{"x.rego:4", "unused"}},
		"data that nobody brings": {noData, StageData, []string{"access.rego:16", "data.house", "data.json or data.yaml"}},
		"a table that nobody brings": {add("postern/access/x.rego", "package postern.access\n\ny := data.postern.access.table[input.x]\n"),
			StageData, []string{"x.rego:3", "data.postern.access.table"}},
		"a package outside the roots": {add(".manifest", `{"roots": ["house", "postern/manage"]}`), StageRead,
			[]string{"access.rego:1", "do not permit", ".manifest"}},
		"data that is no YAML":    {add("x/data.yaml", "a: [1\n"), StageRead, []string{"x/data.yaml"}},
		"a delta bundle":          {add("patch.json", `{"data": []}`), StageRead, []string{"patch.json", "delta"}},
		"a compiled policy":       {add("policy.wasm", "\x00asm"), StageRead, []string{"policy.wasm"}},
		"a revision with a space": {add(".manifest", `{"revision": "a b", "roots": ["house", "postern"]}`), StageRead, []string{".manifest:1", `"a b"`}},
		"a broken schema":         {add("schemas/access.json", `{"type": `), StageRead, []string{"schemas/access.json"}},
		"a misspelt member of the schema": {
			add("schemas/access.json", `{"type": "object", "additionalProperties": false, "properties": {"subject": {"type": "object", "properties": {"id": {"type": "string"}}, "additionalProperties": false}}}`).
				with("x.rego", "# METADATA\n# schemas:\n#   - input: schema.access\npackage x\n\ny := input.subject.idd\n"),
			StageCompile, []string{"x.rego:6", "input.subject.idd"}},
		"too large a file": {add("x/data.json", `"`+strings.Repeat("x", maxBytes)+`"`), StageRead, []string{"x/data.json", "16 MiB"}},
		"nothing":          {tree{"README.md": "none"}, StageRead, []string{"no Rego"}},
	}
}

func TestABadPolicyIsRefusedAndTheLastGoodStays(t *testing.T) {
	for name, bad := range badPolicies() {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			e := loaded(t, Options{Core: CoreAt(house().dir(t, "core")), Registerer: registry})
			was := e.Live()
			path := bad.edit.dir(t, "edited")
			err := e.Offer(t.Context(), CoreAt(path))
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Stage != bad.stage || refusal.Layer != Core {
				t.Fatalf("got %v, want a refusal of core at stage %s", err, bad.stage)
			}
			for _, want := range bad.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			if e.Live() != was || !decide(t, e, ask("ann", "enter", "attic")).Allow {
				t.Errorf("got %s, want the last good one", e.Live().Revision())
			}
			if n := testutil.ToFloat64(e.metrics.activations.WithLabelValues(Core, string(bad.stage))); n != 1 {
				t.Errorf("got %v refusals counted, want 1", n)
			}
		})
	}
}

func TestTooManyFilesAreRefused(t *testing.T) {
	f, total := files{}, 0
	for i := range maxFiles {
		if err := f.put(strings.Repeat("x", i+1), nil, &total); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.put("one more", nil, &total); err == nil {
		t.Errorf("got no error, want one at %d files", maxFiles+1)
	}
}

func TestTheOperatorMayAllowSomeBuiltins(t *testing.T) {
	jwt := core(decisionOf + `{"decision": io.jwt.decode(input.subject.id)[1].ok}`)
	loaded(t, Options{Core: CoreAt(jwt.dir(t, "core")), Builtins: []string{"io.jwt.*"}})
	for _, name := range []string{"http.send", "*", "io.jwt.nothing", "opa.runtime"} {
		if _, err := New(Options{Core: Embedded(house().fs()), Builtins: []string{name}}); err == nil {
			t.Errorf("%s was allowed, want an error", name)
		}
	}
}

func TestEveryForbiddenBuiltinIsGone(t *testing.T) {
	c, err := capabilities(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range forbidden() {
		if !anyBuiltin(pattern) {
			t.Errorf("%s is no builtin, want every forbidden name to exist", pattern)
		}
		for _, b := range c.Builtins {
			if matches([]string{pattern}, b.Name) {
				t.Errorf("%s is still there", b.Name)
			}
		}
	}
	if c.AllowNet == nil || len(c.AllowNet) != 0 {
		t.Errorf("got network %v, want none", c.AllowNet)
	}
}

func custom(rego string) tree {
	return tree{".manifest": `{"revision": "r1", "roots": ["custom", "custom_test"]}`, "custom/custom.rego": "package custom\n\nimport rego.v2\n\n" + rego}
}

func TestAnOverlayLiesOnACoreOfOnesOwn(t *testing.T) {
	e := own(t, house(), custom(`forbids contains "night" if input.context.hour > 22`))
	req := ask("ann", "enter", "attic")
	if !decide(t, e, req).Allow {
		t.Error("got deny, want allow by day")
	}
	req.Context = map[string]any{"hour": 23}
	if d := decide(t, e, req); d.Allow || strings.Join(d.Rules, " ") != "house.barred" {
		t.Errorf("got %v %v, want deny by house.barred at night", d.Allow, d.Rules)
	}
}

func TestAnOverlayKeepsToItsRoots(t *testing.T) {
	tests := map[string]tree{
		"a package of the core":            {"x.rego": "package postern.access\n\nallow := true\n"},
		"a root of its own":                {"x.rego": "package other\n\nx := 1\n"},
		"data of the core":                 {"house/data.json": `{"keys": {"eve": ["attic"]}}`},
		"a manifest that claims the core":  {".manifest": `{"roots": ["postern"]}`, "x.rego": "package postern.more\n\nx := 1\n"},
		"a package outside its manifest":   custom(`x := 1`).with("x.rego", "package postern.access\n\nallow := true\n"),
		"a manifest that claims all of it": {".manifest": `{"roots": [""]}`, "x.rego": "package postern.access\n\nallow := true\n"},
	}
	for name, overlay := range tests {
		t.Run(name, func(t *testing.T) {
			e := own(t, house())
			err := e.Offer(t.Context(), OverlayAt(overlay.dir(t, "rogue")))
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Layer != "rogue" || refusal.Hint == "" {
				t.Fatalf("got %v, want a refusal of rogue with a hint", err)
			}
			if decide(t, e, ask("eve", "enter", "attic")).Allow {
				t.Error("got allow for eve, want the core as it was")
			}
		})
	}
}

func TestTwoOverlaysDoNotOverlap(t *testing.T) {
	e := own(t, house(), custom(`x := 1`))
	if err := e.Offer(t.Context(), OverlayAt(custom(`y := 2`).dir(t, "second"))); err == nil || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("got %v, want a refusal that speaks of the overlap", err)
	}
}

func TestALayersTestsRunOnItAndTheLayersBelow(t *testing.T) {
	bars := custom(`forbids contains "all"`).with("custom/custom_test.rego", `package custom_test

import rego.v2

test_ann_is_barred if not data.postern.access.allow with input as {"subject": {"id": "ann"}, "resource": {"id": "attic"}}
`)
	e := own(t, house(), bars) // the core's own test wants ann to enter: it runs without the overlay
	if decide(t, e, ask("ann", "enter", "attic")).Allow {
		t.Error("got allow, want the overlay to forbid")
	}
	report, err := e.Test(t.Context(), true)
	if err != nil || !report.Passed() || len(report.Tests) != 3 {
		t.Fatalf("got %+v, %v, want three tests passed", report.Tests, err)
	}
	last := report.Tests[2]
	if last.Layer != "custom" || last.Package != "data.custom_test" || last.Name != "test_ann_is_barred" || !strings.HasSuffix(last.Location, "custom/custom_test.rego:5") {
		t.Errorf("got %+v, want the overlay's test with its place", last)
	}
	if report.Coverage == nil || report.Coverage.Coverage != 70 {
		t.Errorf("got coverage %+v, want seven of ten lines", report.Coverage)
	}
	for file := range report.Coverage.Files {
		if strings.HasSuffix(file, "_test.rego") {
			t.Errorf("%s counts, want policies only", file)
		}
	}
}

func TestAnOverlayWhoseTestFailsIsRefused(t *testing.T) {
	e := own(t, house(), custom(`forbids := set()`))
	was := e.Live()
	failing := custom(`forbids contains "all"`).with("custom/custom_test.rego", `package custom_test

import rego.v2

test_ann_still_enters if data.postern.access.allow with input as {"subject": {"id": "ann"}, "resource": {"id": "attic"}}
`)
	err := e.Offer(t.Context(), OverlayAt(failing.dir(t, "custom")))
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Layer != "custom" || refusal.Stage != StageTest || !strings.Contains(err.Error(), "custom_test.rego:5") {
		t.Errorf("got %v, want a refusal of custom by its test at line 5", err)
	}
	if e.Live() != was {
		t.Error("the overlay is in force, want what was before")
	}
}

func TestTestTellsWhatFailed(t *testing.T) {
	failing := house().with("postern/access/more_test.rego", "package postern.access_test\n\nimport rego.v2\n\ntest_no if false\n\ntodo_test_later if false\n")
	e := engine(t, Options{Core: CoreAt(failing.dir(t, "core"))})
	report, err := e.Test(t.Context(), false)
	if err != nil || report.Passed() || len(report.Tests) != 4 {
		t.Fatalf("got %+v, %v, want four tests of which one failed", report, err)
	}
	bad := 0
	for _, test := range report.Tests {
		if test.bad() {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("got %d bad tests, want 1: %v", bad, report.Tests)
	}
	if _, err := e.Check(t.Context()); err == nil {
		t.Error("Check passed, want the failing test to refuse it")
	}
	if e.Live() != nil {
		t.Error("Check put something in force")
	}
}

func TestACoreMayBeAnArchive(t *testing.T) {
	path := house().with(".manifest", `{"revision": "v1.2", "roots": ["house", "postern"]}`).tarGz(t, "house.tar.gz")
	e := loaded(t, Options{Core: CoreAt(path)})
	if !decide(t, e, ask("ann", "enter", "attic")).Allow || e.Live().Revision() != "core@v1.2" {
		t.Errorf("got %s, want core@v1.2 to decide", e.Live().Revision())
	}
}

func TestAHostileArchiveIsRefused(t *testing.T) {
	tests := map[string][]tar.Header{
		"a symbolic link":               {{Name: "x.rego", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}},
		"a hard link":                   {{Name: "x.rego", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
		"a device":                      {{Name: "x.rego", Typeflag: tar.TypeChar}},
		"a path that leads out":         {{Name: "../x.rego", Typeflag: tar.TypeReg}},
		"a file that is there twice":    {{Name: "x.rego", Typeflag: tar.TypeReg}, {Name: "/x.rego", Typeflag: tar.TypeReg}},
		"a size that is not kept to":    {{Name: "x.rego", Typeflag: tar.TypeReg, Size: 1 << 40}},
		"an archive that holds nothing": {},
	}
	for name, headers := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			zipped := gzip.NewWriter(&out)
			archive := tar.NewWriter(zipped)
			for _, h := range headers {
				if err := archive.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			_ = archive.Flush()
			if err := zipped.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "x.tar.gz")
			if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			err := engine(t, Options{Core: CoreAt(path)}).Load(t.Context())
			if r := (*Refusal)(nil); !errors.As(err, &r) || r.Stage != StageRead {
				t.Errorf("got %v, want a refusal to read it", err)
			}
		})
	}
}

// A folder may be a mounted volume, whose files are links within it. Links that
// lead out of it are refused.
func TestLinksStayInTheFolder(t *testing.T) {
	dir := house().dir(t, "..data")
	mounted := filepath.Dir(dir)
	for name := range house() {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(mounted, strings.ReplaceAll(name, "/", "_"))); err != nil {
			t.Fatal(err)
		}
	}
	// a link cannot stand in a data file's folder here, so the house's data is its own
	if err := os.Remove(filepath.Join(mounted, "house_data.yaml")); err != nil {
		t.Fatal(err)
	}
	tree{"house/data.yaml": house()["house/data.yaml"]}.write(t, mounted)
	e := loaded(t, Options{Core: CoreAt(mounted)})
	if !decide(t, e, ask("ann", "enter", "attic")).Allow {
		t.Error("got deny, want the linked policy to allow")
	}
	outside := tree{"x.rego": "package x\n"}.dir(t, "outside")
	if err := os.Symlink(filepath.Join(outside, "x.rego"), filepath.Join(mounted, "x.rego")); err != nil {
		t.Fatal(err)
	}
	if err := e.Offer(t.Context(), CoreAt(mounted)); err == nil || !strings.Contains(err.Error(), "x.rego") {
		t.Errorf("got %v, want a refusal of x.rego", err)
	}
}

func TestEditorDroppingsAreLeftAlone(t *testing.T) {
	with := house().with(".git/x.rego", "no Rego").with(".#x.rego", "no Rego").with("x.rego~", "no Rego").with("README.md", "# House").with("plan.json", "no JSON")
	own(t, with)
}

// A gate that does not end is left at its limit; what was in force stays.
func TestTheGateHasALimit(t *testing.T) {
	e := own(t, house())
	e.options.Limit = time.Nanosecond
	err := e.Offer(t.Context(), CoreAt(house().with("x.rego", "package x\n").dir(t, "core")))
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Stage != StageLimit || !decide(t, e, ask("ann", "enter", "attic")).Allow {
		t.Errorf("got %v, want a refusal at the limit", err)
	}
}
