// Package check reads the chart as Helm does, and what it renders as the API
// server of Kubernetes does. It is a module of its own, so that the libraries of
// both stay out of the product.
package check

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

// Render is what a release "postern" in the namespace "postern" would install:
// the documents of every template, by the names of the templates. Values that
// values.schema.json does not allow are an error.
func Render(chart, values string) (string, error) {
	c, err := loader.Load(chart)
	if err != nil {
		return "", err
	}
	given := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(values), &given); err != nil {
		return "", err
	}
	release := chartutil.ReleaseOptions{Name: "postern", Namespace: "postern", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if text := strings.TrimSpace(files[name]); text != "" && strings.HasSuffix(name, ".yaml") {
			out.WriteString("---\n" + text + "\n")
		}
	}
	return out.String(), nil
}

// Documents are the parts of a manifest, each with a kind.
func Documents(manifest string) []string {
	var found []string
	for _, part := range bytes.Split([]byte("\n"+manifest), []byte("\n---")) {
		if bytes.Contains(part, []byte("\nkind: ")) {
			found = append(found, string(part))
		}
	}
	return found
}
