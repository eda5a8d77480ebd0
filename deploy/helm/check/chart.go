// Package check reads the chart as Helm does, and what it renders as the API
// server of Kubernetes does. It is a module of its own, so that the libraries of
// both stay out of the product.
package check

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

// Render is what a release "postern" in the namespace "postern" would install:
// the documents of every template, in the order of the names of the templates.
// Values that values.schema.json does not allow are an error.
func Render(chart, values string) (string, error) {
	files, err := Files(chart, values)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if text := files[name]; text != "" && strings.HasSuffix(name, ".yaml") {
			out.WriteString("---\n" + text + "\n")
		}
	}
	return out.String(), nil
}

// Files is what each template becomes, by its name, with no space around it:
// nothing where the values do not ask for it. Files of helpers are not among them.
func Files(chart, values string) (map[string]string, error) {
	c, err := loader.Load(chart)
	if err != nil {
		return nil, err
	}
	given := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(values), &given); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "postern", Namespace: "postern", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return nil, err
	}
	trimmed := map[string]string{}
	for name, text := range files {
		if base := path.Base(name); !strings.HasPrefix(base, "_") {
			trimmed[base] = strings.TrimSpace(text)
		}
	}
	return trimmed, nil
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
