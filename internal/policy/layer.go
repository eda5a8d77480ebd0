package policy

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// A layer is a bundle read from files: policies and data, the tests that gate
// them, and the schemas they are checked against. It never changes.
type layer struct {
	files    LayerFiles // what it was made of
	name     string
	revision string // of the manifest, or the digest of the contents
	core     bool
	embedded bool
	digest   string
	policy   *bundle.Bundle // without its tests
	tests    map[string]*ast.Module
	schemas  map[string]any // by name: access for schemas/access.json
}

// parse makes a layer of files, with its tests or without them. What is no Rego,
// no data, or not within its roots is refused.
func (f LayerFiles) parse(capabilities *ast.Capabilities, tests bool) (*layer, error) {
	found := files(f.Files)
	if err := snapshot(found); err != nil {
		return nil, refuse(f.Name, StageRead, err, "policies come as Rego, whole")
	}
	wanted := found
	if !tests {
		wanted = found.withoutTests()
	}
	b, err := bundle.NewCustomReader(wanted.loader()).
		WithBaseDir(f.Path).
		WithCapabilities(capabilities).
		WithProcessAnnotations(true).
		WithLazyLoadingMode(false).
		WithSkipBundleVerification(true).
		WithSizeLimitBytes(maxBytes).
		Read()
	if err != nil {
		return nil, f.malformed(err)
	}
	l := &layer{files: f, name: f.Name, core: f.Name == Core, embedded: f.embedded(), digest: found.digest()}
	if l.revision, err = f.revision(b.Manifest.Revision, l.digest); err != nil {
		return nil, refuse(f.Name, StageRead, err, "change the revision in .manifest")
	}
	if err := l.settleRoots(&b); err != nil {
		return nil, err
	}
	if l.schemas, err = schemas(found); err != nil {
		return nil, refuse(f.Name, StageRead, err, "schemas are JSON Schema, one file each")
	}
	l.policy, l.tests = split(&b)
	return l, nil
}

// snapshot refuses what would bypass the gate: patches and compiled policies.
func snapshot(found files) error {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		switch path.Base(name) {
		case "patch.json":
			return fmt.Errorf("%s: delta bundles cannot be verified", name)
		case "policy.wasm":
			return fmt.Errorf("%s: compiled policies cannot be verified", name)
		}
	}
	if len(found) == 0 {
		return errors.New("there is no Rego and no data")
	}
	return nil
}

// revision tells one state of a layer from every other. A directory is being
// edited, whatever its manifest says, so its contents are part of its revision.
func (f LayerFiles) revision(manifest, digest string) (string, error) {
	if i := strings.IndexFunc(manifest, func(r rune) bool { return !strings.ContainsRune(revisionRunes, r) }); i >= 0 || len(manifest) > 128 {
		return "", fmt.Errorf(".manifest:1: revision %.140q is not at most 128 letters, digits and . _ - +", manifest)
	}
	if manifest == "" {
		return digest, nil
	}
	if f.Directory {
		return manifest + "+" + digest, nil
	}
	return manifest, nil
}

// settleRoots gives a bundle that claims everything the roots it fills, so that
// others can lie beside it, and keeps overlays to theirs.
func (l *layer) settleRoots(b *bundle.Bundle) error {
	if roots := *b.Manifest.Roots; len(roots) == 1 && roots[0] == "" {
		filled := fills(b)
		b.Manifest.Roots = &filled
	}
	if len(*b.Manifest.Roots) == 0 {
		return refuse(l.name, StageRead, errors.New("there is no Rego and no data"), "data files are named data.json, data.yaml or data.yml")
	}
	if l.core {
		return nil
	}
	for _, root := range *b.Manifest.Roots {
		if top, _, _ := strings.Cut(root, "/"); top != "custom" && top != "custom_test" {
			return refuse(l.name, StageRead, fmt.Errorf("%s: an overlay may not have the root %q", locate(b, root), root),
				"keep its packages and data under custom, its tests under custom_test")
		}
	}
	return nil
}

// fills lists the top-level names that a bundle's packages and data use.
func fills(b *bundle.Bundle) []string {
	tops := map[string]bool{}
	for _, m := range b.Modules {
		tops[top(m.Parsed.Package.Path)] = true
	}
	for name := range b.Data {
		tops[name] = true
	}
	return slices.Sorted(maps.Keys(tops))
}

// top is the first name of a path below data.
func top(r ast.Ref) string {
	name, _ := r[1].Value.(ast.String)
	return string(name)
}

// locate says where a root comes from: the first package in it, or the manifest.
func locate(b *bundle.Bundle, root string) string {
	for _, m := range b.Modules {
		if bundle.RootPathsContain([]string{root}, strings.Join(segments(m.Parsed.Package.Path), "/")) {
			return m.Parsed.Package.Location.String()
		}
	}
	return ".manifest:1"
}

func segments(r ast.Ref) []string {
	names := make([]string, 0, len(r))
	for _, term := range r[1:] {
		name, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		names = append(names, string(name))
	}
	return names
}

// malformed gives an error of the bundle reader a place, where it has none.
func (f LayerFiles) malformed(err error) error {
	var syntax ast.Errors
	if errors.As(err, &syntax) {
		return refuse(f.Name, StageRead, err, "mend the syntax: `postern policy check` tells when it is right")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Files)) {
		if !strings.HasSuffix(name, bundle.RegoExt) || !strings.Contains(err.Error(), "'"+path.Join(f.Path, name)+"'") {
			continue
		}
		if m, parseErr := ast.ParseModule(path.Join(f.Path, name), string(f.Files[name])); parseErr == nil {
			err = fmt.Errorf("%v: %w", m.Package.Location, err)
		}
	}
	return refuse(f.Name, StageRead, err, "see the roots in .manifest, and that data files are well-formed")
}

// schemas are the files of the folder schemas, by name.
func schemas(found files) (map[string]any, error) {
	parsed := map[string]any{}
	for name, text := range found {
		name, ok := strings.CutPrefix(name, "schemas/")
		if base, isJSON := strings.CutSuffix(name, ".json"); ok && isJSON {
			var schema any
			if err := util.UnmarshalJSON(text, &schema); err != nil {
				return nil, fmt.Errorf("schemas/%s: %w", name, err)
			}
			parsed[base] = schema
		}
	}
	return parsed, nil
}

// split parts a bundle from its tests: they gate it, they do not decide.
func split(b *bundle.Bundle) (*bundle.Bundle, map[string]*ast.Module) {
	policy, tests := *b, map[string]*ast.Module{}
	policy.Modules = nil
	for _, m := range b.Modules {
		if isTest(m.Path) {
			tests[m.Path] = m.Parsed
		} else {
			policy.Modules = append(policy.Modules, m)
		}
	}
	return &policy, tests
}
