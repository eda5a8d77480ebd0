package policy

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/postern-authz/postern/policies"
)

// proving is an engine's Prove that notes the layers it was given, and says no
// if told to.
type proving struct {
	layers [][]string
	no     error
}

func (p *proving) prove(_ context.Context, layers []LayerFiles) error {
	var names []string
	for _, l := range layers {
		names = append(names, l.Name)
	}
	p.layers = append(p.layers, names)
	return p.no
}

func TestOnlyFilesNeedAProof(t *testing.T) {
	var p proving
	e := loaded(t, Options{Core: Embedded(policies.FS), Prove: p.prove})
	if len(p.layers) != 0 {
		t.Errorf("got %v to prove, want nothing of the embedded core alone", p.layers)
	}
	if err := e.Offer(t.Context(), OverlayAt(custom(`x := 1`).dir(t, "custom"))); err != nil {
		t.Fatal(err)
	}
	if len(p.layers) != 1 || !slices.Equal(p.layers[0], []string{Core, "custom"}) {
		t.Errorf("got %v to prove, want the overlay on the core", p.layers)
	}
}

func TestWhatIsNotProvedIsNotPutInForce(t *testing.T) {
	var p proving
	dir := room("false").dir(t, "core")
	e := loaded(t, Options{Core: CoreAt(dir), Prove: p.prove})
	good := e.Live()
	p.no = &Refusal{Layer: Core, Stage: StageLimit, Err: errors.New("took all memory")}
	room("true").write(t, dir)
	e.look(t.Context())
	e.look(t.Context())
	if e.Live() != good || len(p.layers) != 2 {
		t.Errorf("got %s after %d proofs, want the last good one, and the edit tried once", e.Live().Revision(), len(p.layers))
	}
	if err := e.Offer(t.Context(), CoreAt(dir)); !errors.Is(err, p.no) {
		t.Errorf("got %v, want %v", err, p.no)
	}
	if _, err := e.Check(t.Context()); !errors.Is(err, p.no) {
		t.Errorf("check: got %v, want %v", err, p.no)
	}
}

// Tests that a proof has run are not run again. All else is.
func TestAProofSparesTheTestsOnly(t *testing.T) {
	var p proving
	failing := room("true").with("no_test.rego", "package no_test\n\nimport rego.v2\n\ntest_no if false\n")
	loaded(t, Options{Core: CoreAt(failing.dir(t, "core")), Prove: p.prove})
	silent := core("package postern.access\n\nx := 1\n")
	var refusal *Refusal
	if err := engine(t, Options{Core: CoreAt(silent.dir(t, "core")), Prove: p.prove}).Load(t.Context()); !errors.As(err, &refusal) || refusal.Stage != StageEntrypoint {
		t.Errorf("got %v, want a refusal for want of a decision", err)
	}
}

// A proof says what an engine would: its refusals, and on the way what it does.
func TestAProofRunsTheTests(t *testing.T) {
	source := CoreAt(house().with("no_test.rego", "package no_test\n\nimport rego.v2\n\ntest_no if false\n").dir(t, "core"))
	found, err := source.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	err = Prove(t.Context(), []LayerFiles{found}, nil, func(layer, doing string) { did = append(did, layer+": "+doing) })
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Stage != StageTest {
		t.Errorf("got %v, want a refusal by the test", err)
	}
	if want := []string{"core: reading it", "core: compiling it", "core: running its tests"}; !slices.Equal(did, want) {
		t.Errorf("got %q, want %q", did, want)
	}
}
