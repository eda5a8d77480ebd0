package grant

import (
	"fmt"
	"hash/maphash"
	"testing"

	"pgregory.net/rapid"
)

// TestIndexIsAMap compares an index with a map.
func TestIndexIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := index{seed: maphash.MakeSeed()}
		want := map[string]uint32{}
		for i, name := range rapid.SliceOf(rapid.StringN(0, 3, 8)).Draw(t, "names") {
			*x.at(name) = uint32(i)
			want[name] = uint32(i)
		}
		x.clip()
		for name, n := range want {
			if got, ok := x.find(name); !ok || got != n {
				t.Fatalf("find %q: got %d, %v, want %d", name, got, ok, n)
			}
		}
		absent := rapid.String().Draw(t, "absent")
		n, has := want[absent]
		if got, ok := x.find(absent); got != n || ok != has {
			t.Fatalf("find %q: got %d, %v, want %d, %v", absent, got, ok, n, has)
		}
	})
}

// TestIndexIsCompact keeps a holder of many accounts small.
func TestIndexIsCompact(t *testing.T) {
	const n = 100_000
	x := index{seed: maphash.MakeSeed()}
	text := 0
	for i := range n {
		name := fmt.Sprintf("account-%06d", i)
		text += len(name)
		x.at(name)
	}
	x.clip()
	if got := float64(x.bytes()-int64(text)) / n; got > 20 {
		t.Errorf("got %.1f bytes a name beside its text, want at most 20", got)
	}
}
