package policy

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func room(allow string) tree {
	return core(decisionOf + fmt.Sprintf(`{"decision": %s, "context": {"reasons": [{"rule": "says.%s"}]}}`, allow, allow))
}

func TestAnEditedFolderIsSwappedIn(t *testing.T) {
	dir := room("false").dir(t, "core")
	e := loaded(t, Options{Core: CoreAt(dir)})
	watched(t, e)
	was := e.Live().Revision()
	room("true").write(t, dir)
	wait(t, "a new revision", func() bool { return e.Live().Revision() != was })
	if !decide(t, e, ask("u", "a", "r")).Allow {
		t.Error("got deny, want the edited policy to allow")
	}
	room("false").write(t, dir)
	wait(t, "the first revision again", func() bool { return e.Live().Revision() == was })
}

func TestABrokenEditIsToldOnceAndMendedLater(t *testing.T) {
	var log lockedBuffer
	dir := room("false").dir(t, "core")
	e := loaded(t, Options{Core: CoreAt(dir), Log: slog.New(slog.NewTextHandler(&log, nil)), Registerer: prometheus.NewRegistry()})
	watched(t, e)
	good := e.Live()
	tree{"access.rego": "package postern.access\n\nif"}.write(t, dir)
	refusals := func() float64 {
		return testutil.ToFloat64(e.metrics.activations.WithLabelValues(Core, string(StageRead)))
	}
	wait(t, "a refusal", func() bool { return refusals() > 0 })
	for range 20 { // looks
		e.look(t.Context())
	}
	if n := refusals(); n != 1 || e.Live() != good || strings.Count(log.String(), "policy refused") != 1 {
		t.Errorf("got %v refusals, %s, want one and the last good one\n%s", n, e.Live().Revision(), log.String())
	}
	room("true").write(t, dir)
	wait(t, "the mended policy", func() bool { return e.Live() != good })
}

func TestATouchedFileIsNoNewPolicy(t *testing.T) {
	dir := room("true").dir(t, "core")
	e := loaded(t, Options{Core: CoreAt(dir)})
	e.look(t.Context())
	good := e.Live()
	room("true").write(t, dir) // the same bytes in a new file
	e.look(t.Context())
	if e.Live() != good {
		t.Error("got another generation, want none for the same contents")
	}
}

func TestAFolderThatVanishesChangesNothing(t *testing.T) {
	dir := room("true").dir(t, "core")
	e := loaded(t, Options{Core: CoreAt(dir), Registerer: prometheus.NewRegistry()})
	good := e.Live()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	e.look(t.Context())
	e.look(t.Context())
	if n := testutil.ToFloat64(e.metrics.activations.WithLabelValues(Core, string(StageRead))); n != 1 || e.Live() != good {
		t.Errorf("got %v refusals, want one and the last good one", n)
	}
}

func TestAnArchiveThatIsReplacedIsSwappedIn(t *testing.T) {
	path := room("false").tarGz(t, "core.tar.gz")
	e := loaded(t, Options{Core: CoreAt(path)})
	watched(t, e)
	was := e.Live()
	if err := os.Rename(room("true").tarGz(t, "core.tar.gz"), path); err != nil {
		t.Fatal(err)
	}
	wait(t, "the new archive", func() bool { return e.Live() != was })
	if !decide(t, e, ask("u", "a", "r")).Allow {
		t.Error("got deny, want the new archive to allow")
	}
}

// What moves while it is read is read again, so what goes live is one state of it.
func TestFilesThatMoveAreReadAgain(t *testing.T) {
	moves := 2
	stamp := func() (string, error) { return fmt.Sprint(moves), nil }
	load := func() (files, error) {
		if moves--; moves >= 0 {
			return files{"half": nil}, errors.New("half written")
		}
		moves = 0
		return files{"whole": nil}, nil
	}
	found, err := still(t.Context(), stamp, load)
	if err != nil || len(found) != 1 || found["whole"] != nil {
		t.Fatalf("got %v, %v, want the whole", found, err)
	}
	if _, half := found["half"]; half {
		t.Error("got what was read while it moved")
	}
	n := 0
	always := func() (string, error) { n++; return fmt.Sprint(n), nil }
	if _, err := still(t.Context(), always, load); !errors.Is(err, errMoving) {
		t.Errorf("got %v, want %v", err, errMoving)
	}
}

// Whatever is done to a file shows in the stamp.
func TestTheStampTellsEveryChange(t *testing.T) {
	dir := tree{"a.rego": "package a\n", "b.rego": "package b\n"}.dir(t, "core")
	s := CoreAt(dir)
	before, err := s.stamp()
	if err != nil {
		t.Fatal(err)
	}
	for name, move := range map[string]func(){
		"written":  func() { tree{"a.rego": "package a\n\nx := 1\n"}.write(t, dir) },
		"replaced": func() { tree{"b.rego": "package b\n"}.write(t, dir) },
		"added":    func() { tree{"c.rego": "package c\n"}.write(t, dir) },
		"removed":  func() { _ = os.Remove(filepath.Join(dir, "a.rego")) },
		"hidden":   func() { _ = os.Chmod(filepath.Join(dir, "b.rego"), 0o200) },
	} {
		move()
		after, err := s.stamp()
		if err != nil || after == before {
			t.Errorf("a file was %s and the stamp is what it was (%v)", name, err)
		}
		before = after
	}
}

// One layer that is refused does not keep another back.
func TestALayerIsNotKeptBackByAnother(t *testing.T) {
	coreDir, overlayDir := house().dir(t, "core"), custom(`forbids := set()`).dir(t, "custom")
	e := loaded(t, Options{Core: CoreAt(coreDir), Overlays: []Source{OverlayAt(overlayDir)}})
	e.look(t.Context())
	custom(`forbids contains`).write(t, overlayDir)
	e.look(t.Context())
	custom(`forbids contains 1 + "a"`).write(t, overlayDir)
	e.look(t.Context())
	overlay := e.good[1].digest
	tree{"house/data.yaml": "keys: {ann: [attic], bob: [], eve: [attic]}\n"}.write(t, coreDir)
	e.look(t.Context())
	if !decide(t, e, ask("eve", "enter", "attic")).Allow || e.good[1].digest != overlay {
		t.Error("got deny for eve, want the core's edit in force on the last good overlay")
	}
}

func TestEachEditHasARevisionOfItsOwn(t *testing.T) {
	tests := []struct {
		name   string
		source Source
		want   string // with # for twelve hexadecimal digits
	}{
		{"a folder without a manifest", CoreAt(room("true").dir(t, "core")), "core@#"},
		{"a folder with one", CoreAt(room("true").with(".manifest", `{"revision": "v1"}`).dir(t, "core")), "core@v1+#"},
		{"an archive without one", CoreAt(room("true").tarGz(t, "x.tar.gz")), "core@#"},
		{"an archive with one", CoreAt(room("true").with(".manifest", `{"revision": "v1"}`).tarGz(t, "x.tar.gz")), "core@v1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := loaded(t, Options{Core: tt.source})
			want := strings.ReplaceAll(tt.want, "#", e.good[0].digest)
			if got := e.Live().Revision(); got != want || len(e.good[0].digest) != 12 {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestNamesOfOverlaysFitAHeader(t *testing.T) {
	tests := map[string]string{
		"/etc/postern/acme.tar.gz": "acme", "acme/": "acme", "a b\n": "a_b_", "core": "overlay_core", "ünï": "_n_",
	}
	for path, want := range tests {
		if got := OverlayAt(path).Name; got != want {
			t.Errorf("overlay %q: got %q, want %q", path, got, want)
		}
	}
	named := apart([]Source{CoreAt("x"), OverlayAt("a/custom"), OverlayAt("b/custom")})
	if named[1].Name != "custom" || named[2].Name != "custom_2" {
		t.Errorf("got %v, want names apart", named)
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
