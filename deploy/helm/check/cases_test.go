package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// turned has every part of the chart, with every value turned from what it is; what
// is switched off has a case of its own.
const turned = `image: {repository: registry.example.com/postern, tag: "0.1.1", digest: "sha256:0123456789012345678901234567890123456789012345678901234567890123", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
management:
  replicas: 3
  settings: {POSTERN_LOG_LEVEL: debug}
  secret: {name: other, files: {POSTERN_DATABASE: db, POSTERN_SECRET: key}, revision: "2"}
  tls: other-tls
  resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}
  minAvailable: 2
  from: [{podSelector: {matchLabels: {app: admin}}}]
decisions:
  enabled: true
  replicas: 3
  directory: "https://a:8182,https://b:8182"
  settings: {POSTERN_LOG_LEVEL: debug}
  secret: {name: other, files: {POSTERN_DIRECTORY_TOKEN: t, POSTERN_SECRET: key}, revision: "2"}
  tls: other-tls
  resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}
  minAvailable: 2
  from: [{podSelector: {matchLabels: {app: portal}}}]
sidecar:
  enabled: true
  directory: "https://a:8182"
  settings: {POSTERN_LOG_LEVEL: debug}
  secret: {name: other, files: {POSTERN_DIRECTORY_TOKEN: t, POSTERN_SECRET: key}, revision: "2"}
  resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}
  application: {name: shop, image: "registry.example.com/shop:1", replicas: 3}
networkPolicy: {metricsFrom: [{namespaceSelector: {}}]}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
extraVolumes: [{name: overlay, configMap: {name: overlay}}]
extraVolumeMounts: [{name: overlay, mountPath: /etc/postern}]
nodeSelector: {disk: fast}
tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]`

// cases are values of a release. Between them they ask for all that there is.
func cases() []string {
	return []string{
		"", turned, manifests["sidecar.yaml"], manifests["decisions.yaml"],
		"management: {migrate: false}\nnetworkPolicy: {enabled: false}\nserviceMonitor: {enabled: true}",
	}
}

func TestEveryTemplateIsRendered(t *testing.T) {
	unused := map[string]bool{}
	for _, values := range cases() {
		files, err := Files(chart, values)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			before, met := unused[name]
			unused[name] = text == "" && (before || !met)
		}
	}
	for name, isUnused := range unused {
		if isUnused {
			t.Errorf("%s: got nothing from any case, so that nothing looks at it", name)
		}
	}
	if len(unused) < 5 {
		t.Errorf("got %v, want every template of the chart", unused)
	}
}

// A part that only a value turns on is looked at: some case turns it.
func TestEveryValueIsTurned(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	defaults := everyValue(t, string(text))
	for _, values := range cases() {
		for path, value := range everyValue(t, values) {
			if value != defaults[path] {
				given[path] = true
			}
		}
	}
	for path, value := range defaults {
		if !given[path] {
			t.Errorf("%s: got %s in every case", path, value)
		}
	}
}

// everyValue is what a text of values holds, as JSON, by path; objects are among
// them, and what is in them.
func everyValue(t *testing.T, text string) map[string]string {
	t.Helper()
	found, root := map[string]string{}, map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		value, _ := json.Marshal(v)
		found[path] = string(value)
		members, _ := v.(map[string]any)
		for name, member := range members {
			walk(path+"."+name, member)
		}
	}
	walk("", root)
	return found
}

// Prometheus finds every server of a release at a port that it has, and calls it
// as the rules and the dashboard do.
func TestTheWatchFindsTheServers(t *testing.T) {
	watch := parse[monitoring.ServiceMonitor](t, "ServiceMonitor")
	services := parse[core.Service](t, "Service")
	if len(watch) != 1 || len(services) != 2 {
		t.Fatalf("got %d watches of %d services, want one of two", len(watch), len(services))
	}
	selector, err := meta.LabelSelectorAsSelector(&watch[0].Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range services {
		at := func(p core.ServicePort) bool { return p.Name == watch[0].Spec.Endpoints[0].Port }
		if !selector.Matches(labels.Set(service.Labels)) || !slices.ContainsFunc(service.Spec.Ports, at) {
			t.Errorf("%s: got no match", service.Name)
		}
		if got := service.Labels[watch[0].Spec.JobLabel]; got != "postern" {
			t.Errorf("%s: got the job %q, want postern", service.Name, got)
		}
	}
}

// Prometheus finds the sidecar in the pod of an application.
func TestTheWatchFindsSidecars(t *testing.T) {
	watch := parse[monitoring.PodMonitor](t, "PodMonitor")
	if len(watch) != 1 {
		t.Fatalf("got %d watches, want one", len(watch))
	}
	selector, err := meta.LabelSelectorAsSelector(&watch[0].Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	watched := 0
	for _, d := range parse[apps.Deployment](t, "Deployment") {
		pod, endpoint := d.Spec.Template, watch[0].Spec.PodMetricsEndpoints[0]
		for _, c := range pod.Spec.InitContainers {
			at := func(p core.ContainerPort) bool { return endpoint.Port != nil && p.Name == *endpoint.Port }
			if c.Name != "postern" {
				continue
			}
			if watched++; !selector.Matches(labels.Set(pod.Labels)) || !slices.ContainsFunc(c.Ports, at) {
				t.Errorf("%s: got no match", d.Name)
			}
		}
		if len(pod.Spec.InitContainers) == 0 && selector.Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s: got a match, want the ServiceMonitor to be the only one", d.Name)
		}
	}
	if watched != 1 {
		t.Errorf("got %d sidecars, want one", watched)
	}
}

// parse reads every document of a kind.
func parse[T any](t *testing.T, kind string) (found []T) {
	t.Helper()
	for _, document := range Documents(render(t, turned)) {
		if !strings.Contains(document, "\nkind: "+kind+"\n") {
			continue
		}
		var object T
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		found = append(found, object)
	}
	return found
}
