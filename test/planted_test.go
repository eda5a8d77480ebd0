package test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A planted bug is a change of the product's source that makes it lie.
type planted struct {
	name   string
	file   string
	is     string // stands in the file once
	become string
	near   []string // the faults under which it is likely met
}

// planted bugs are what caches like this one have got wrong.
func plantedBugs() []planted {
	return []planted{
		{
			name: "a token is not waited for", file: "internal/grant/grant.go",
			is: "case l.head < atLeast:", become: "case l.head < atLeast && p.loadTimeout == 0:",
			near: []string{"F10 one sidecar", "F11 the directory"},
		},
		{
			name: "what Redis says is not proved", file: "internal/grant/tier.go",
			is:     "proved := p.changes.passed(k.AsOf) && p.keepEntry(e)",
			become: "proved := true\n\tp.cache.put(e)",
			near:   []string{"F06", "F26 a sidecar is killed", "F07"},
		},
		{
			name: "a look that failed counts as one", file: "internal/grant/follow.go",
			is:     "	if err != nil {\n		p.metrics.pollErrors.Inc()",
			become: "	if err != nil {\n		p.seen = p.now()\n		p.metrics.pollErrors.Inc()",
			near:   []string{"F10 one sidecar"},
		},
		{
			name: "a change that was heard of drops nothing", file: "internal/grant/follow.go",
			is:     "	for _, c := range changes {\n",
			become: "	for _, c := range changes {\n		if c.Revision%4 == 0 {\n			continue\n		}\n",
			near:   []string{"F05"},
		},
		{
			name: "what was read before a change is kept after it", file: "internal/grant/load.go",
			is:     "e.asOf > p.head.Revision || p.changes.changed(e.key, e.asOf)",
			become: "e.asOf > p.head.Revision",
			near:   []string{"F11 the directory", "F06", "F26 a sidecar is killed"},
		},
	}
}

var (
	plantedCount = flag.Int("planted", 1, "how many bugs TestHistoriesFindPlantedBugs plants")
	plantedTries = flag.Int("planted-histories", 8, "how many histories may pass before a planted bug must have been found")
)

// TestHistoriesFindPlantedBugs builds Postern with each bug in it and wants
// histories to find it.
func TestHistoriesFindPlantedBugs(t *testing.T) {
	for _, b := range plantedBugs()[:min(*plantedCount, len(plantedBugs()))] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			binary := b.build(t)
			near := slices.DeleteFunc(faults(), func(f fault) bool {
				return !slices.ContainsFunc(b.near, func(start string) bool { return strings.HasPrefix(f.name, start) })
			})
			for n := range *plantedTries {
				violations, _ := observe(t, binary, uint64(n), 4*time.Second, near)
				if len(violations) > 0 {
					t.Logf("found in history %d, %d times: %s", n+1, len(violations), violations[0])
					return
				}
			}
			t.Errorf("not found in %d histories", *plantedTries)
		})
	}
}

// build builds Postern with the bug and returns its binary. It fails when the
// source is no longer as the bug knows it.
func (b planted) build(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", b.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), b.is); n != 1 {
		t.Fatalf("%s has this %d times, want once; plant the bug %q elsewhere:\n%s", b.file, n, b.name, b.is)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	changed := write("changed.go", strings.Replace(string(source), b.is, b.become, 1))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "postern")
	out, err := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", binary, module+"cmd/postern").CombinedOutput()
	if err != nil {
		t.Fatalf("postern does not build with the bug: %v\n%s", err, out)
	}
	return binary
}
