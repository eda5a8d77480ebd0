package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree is the files of a layer by path.
type tree map[string]string

func (t tree) with(name, content string) tree {
	more := tree{name: content}
	for k, v := range t {
		if k != name {
			more[k] = v
		}
	}
	return more
}

func (t tree) fs() fs.FS {
	m := fstest.MapFS{}
	for name, content := range t {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

// dir writes the files into a folder of its own.
func (t tree) dir(tb testing.TB, name string) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), name)
	t.write(tb, dir)
	return dir
}

// write replaces files by renames, as a careful editor does.
func (t tree) write(tb testing.TB, dir string) {
	tb.Helper()
	for name, content := range t {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path+"~", []byte(content), 0o644); err != nil {
			tb.Fatal(err)
		}
		if err := os.Rename(path+"~", path); err != nil {
			tb.Fatal(err)
		}
	}
}

// tarGz writes the files as a bundle archive.
func (t tree) tarGz(tb testing.TB, name string) string {
	tb.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for name, content := range t {
		if err := archive.WriteHeader(&tar.Header{Name: "/" + name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			tb.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

// house is a small core of one's own that knows nothing of portals: who holds
// the key of a room may enter it, and data says who.
func house() tree {
	return tree{
		"postern/access/access.rego": `package postern.access

import rego.v2

# METADATA
# title: Decision
# entrypoint: true
decision := {"decision": allow, "context": {"reasons": reasons}}

default allow := false

# METADATA
# title: Holds the key
# labels: {rule: house.key}
allow if {
	input.resource.id in data.house.keys[input.subject.id]
	not barred
}

# METADATA
# title: Barred
# labels: {rule: house.barred}
barred if {
	some _ in data.custom.forbids
}

reasons := [{"rule": "house.key", "role": "holder"}] if allow

reasons := [{"rule": "house.no_key"}] if not allow
`,
		"house/data.yaml": "keys:\n  ann: [attic, cellar]\n  bob: [cellar]\n",
		"postern/access/access_test.rego": `package postern.access_test

import rego.v2

import data.postern.access

test_ann_enters_the_attic if access.allow with input as {"subject": {"id": "ann"}, "resource": {"id": "attic"}}

test_bob_does_not if not access.allow with input as {"subject": {"id": "bob"}, "resource": {"id": "attic"}}
`,
	}
}

const decisionOf = "package postern.access\n\nimport rego.v2\n\ndecision := "

// core is a core that says one thing.
func core(rego string) tree { return tree{"access.rego": rego} }

func engine(tb testing.TB, o Options) *Engine {
	tb.Helper()
	o.Interval, o.Settle = time.Millisecond, time.Millisecond
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func loaded(tb testing.TB, o Options) *Engine {
	tb.Helper()
	e := engine(tb, o)
	if err := e.Load(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return e
}

// own is an engine with a core of one's own and overlays, all in folders.
func own(tb testing.TB, core tree, overlays ...tree) *Engine {
	tb.Helper()
	o := Options{Core: CoreAt(core.dir(tb, "core"))}
	for _, overlay := range overlays {
		o.Overlays = append(o.Overlays, OverlayAt(overlay.dir(tb, "custom")))
	}
	return loaded(tb, o)
}

func ask(subject, action, resource string) authz.Request {
	return authz.Request{
		Subject:  authz.Subject{Type: "user", ID: subject},
		Action:   authz.Action{Name: action},
		Resource: authz.Resource{Type: "room", ID: resource},
	}
}

func decide(tb testing.TB, e *Engine, req authz.Request) authz.Decision {
	tb.Helper()
	d, _, err := e.Live().DecideTraced(tb.Context(), req, nil)
	if err != nil {
		tb.Fatalf("decide %v: %v", req, err)
	}
	return d
}

func parse(tb testing.TB, json string) ast.Value {
	tb.Helper()
	v, err := ast.ValueFromReader(strings.NewReader(json))
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// watched runs an engine's Watch until the test ends.
func watched(tb testing.TB, e *Engine) {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	done := make(chan struct{})
	go func() { defer close(done); e.Watch(ctx) }()
	tb.Cleanup(func() { stop(); <-done })
}

// wait waits for something to become true.
func wait(tb testing.TB, what string, until func() bool) {
	tb.Helper()
	for !until() {
		select {
		case <-tb.Context().Done():
			tb.Fatalf("waited in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
