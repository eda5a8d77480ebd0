// Package bundles_test tries every overlay as a server would put it in force,
// and the settings that belong to it.
package bundles_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// overlays are the folders here.
func overlays(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestEachOverlayPassesTheGate is the engine's own: syntax, types, builtins,
// roots, what rules read, and the overlay's tests.
func TestEachOverlayPassesTheGate(t *testing.T) {
	for _, name := range overlays(t) {
		t.Run(name, func(t *testing.T) {
			e, err := policy.New(policy.Options{Core: policy.Embedded(policies.FS), Overlays: []policy.Source{policy.OverlayAt(name)}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Check(t.Context()); err != nil {
				t.Errorf("got %v, want an overlay that would be put in force", err)
			}
		})
	}
}

// TestTheSettingsOfEachPortalAreKnown reads organization.json as administration
// does: a member it does not know is a mistake.
func TestTheSettingsOfEachPortalAreKnown(t *testing.T) {
	for _, name := range overlays(t) {
		t.Run(name, func(t *testing.T) {
			var body struct{ Settings json.RawMessage }
			text := settings(t, name)
			if text == nil {
				return
			}
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(&body); err != nil {
				t.Fatal(err)
			}
			if _, err := pap.SettingsOf(directory.Organization{ID: name, Settings: body.Settings}); err != nil {
				t.Errorf("got %v, want settings that an organization may have", err)
			}
		})
	}
}

// TestEachPortalIsExplained wants a README that names each of the overlay's
// roles and rules, and none that it does not have.
func TestEachPortalIsExplained(t *testing.T) {
	for _, name := range overlays(t) {
		text := settings(t, name)
		if text == nil {
			continue // the example is explained in README.md
		}
		readme, err := os.ReadFile(filepath.Join(name, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, g := range generation(t, name) {
			if !strings.Contains(string(readme), "`"+g+"`") {
				t.Errorf("%s/README.md says nothing of `%s`", name, g)
			}
		}
	}
}

// generation are the roles and rules of an overlay's own.
func generation(t *testing.T, name string) (own []string) {
	t.Helper()
	load := func(o policy.Options) *policy.Generation {
		e, err := policy.New(o)
		if err != nil {
			t.Fatal(err)
		}
		g, err := e.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	core := load(policy.Options{Core: policy.Embedded(policies.FS)})
	with := load(policy.Options{Core: policy.Embedded(policies.FS), Overlays: []policy.Source{policy.OverlayAt(name)}})
	known := map[string]bool{}
	for _, id := range append(core.Roles(), core.Rules()...) {
		known[id] = true
	}
	for _, id := range append(with.Roles(), with.Rules()...) {
		if !known[id] {
			own = append(own, id)
		}
	}
	return own
}

// settings are the body that gives an organization the portal's settings; nil if
// it has none.
func settings(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(name, "organization.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}
