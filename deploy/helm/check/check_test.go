package check

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the manifests of deploy/k8s anew")

const chart = "../postern"

// manifests are the files of deploy/k8s with the values that they are rendered from.
var manifests = map[string]string{
	"management.yaml": `management: {settings: {POSTERN_PORTAL_URLS: "https://portal.example.com"}}`,
	"decisions.yaml":  "management: {enabled: false}\ndecisions: {enabled: true, settings: {POSTERN_DIRECTORY_CA: /run/tls/postern/ca.crt}}",
	"sidecar.yaml": `management: {enabled: false}
sidecar:
  enabled: true
  directory: https://postern.example.com:8182
  settings: {POSTERN_REDIS_ADDRS: "redis.example.com:6379", POSTERN_REDIS_TLS: "true"}`,
}

func render(t *testing.T, values string) string {
	t.Helper()
	text, err := Render(chart, values)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheManifestsAreWhatTheChartRenders(t *testing.T) {
	for name, values := range manifests {
		path := filepath.Join("../../k8s", name)
		want := "# Rendered from deploy/helm/postern; deploy/README.md says what it needs.\n" + render(t, values)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the chart renders, %v: go test -C deploy/helm/check -update writes it", name, err)
		}
	}
}

func TestKubernetesTakesWhatTheChartRenders(t *testing.T) {
	types, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range cases() {
		documents := Documents(render(t, values))
		if len(documents) == 0 {
			t.Errorf("%s: got nothing", values)
		}
		for _, document := range documents {
			for _, wrong := range types.Check(document) {
				t.Error(wrong)
			}
		}
	}
}

// What is checked is found when it is wrong.
func TestWhatKubernetesWouldRefuseIsFound(t *testing.T) {
	types, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	text := render(t, turned)
	for name, change := range map[string][2]string{
		"a misspelt member":            {"readOnlyRootFilesystem:", "readOnlyRootFileSystem:"},
		"a misspelt member of a probe": {"failureThreshold:", "failureTreshold:"},
		"a member that is elsewhere":   {"  replicas: 3", "  minAvailable: 3"},
		"a misspelt word":              {"restartPolicy: Always", "restartPolicy: Alwyas"},
		"a misspelt kind":              {"kind: NetworkPolicy", "kind: NetworkPolice"},
		"a misspelt version":           {"apiVersion: apps/v1", "apiVersion: apps/v1beta9"},
		"a misspelt profile":           {"type: RuntimeDefault", "type: DefaultRuntime"},
		"a misspelt effect":            {"effect: NoSchedule", "effect: NoShedule"},
		"a text for a number":          {"replicas: 3", `replicas: "3"`},
		"a fraction for a number":      {"replicas: 3", "replicas: 2.5"},
		"a number for a text":          {`value: ":8183"`, "value: 8183"},
		"a text for a truth":           {"allowPrivilegeEscalation: false", `allowPrivilegeEscalation: "false"`},
		"a quantity that is none":      {"sizeLimit: 1Mi", "sizeLimit: 1MB"},
		"an object for a list":         {"drop:\n                - ALL", "drop:\n                all: true"},
		"a member twice":               {"      port: ops\n", "      port: ops\n      port: ops\n"},
		"a misspelt member of a watch": {"jobLabel:", "joblabel:"},
		"a duration that is none":      {"interval: 15s", "interval: 15sec"},
		"a watch of nothing":           {"  endpoints:\n    - port: ops\n      path: /metrics\n      interval: 15s", ""},
		"a version of a watch":         {"monitoring.coreos.com/v1", "monitoring.coreos.com/v2"},
	} {
		broken := strings.Replace(text, change[0], change[1], 1)
		if broken == text {
			t.Errorf("%s: got nothing to break", name)
		}
		var wrong []string
		for _, document := range Documents(broken) {
			wrong = append(wrong, types.Check(document)...)
		}
		if len(wrong) == 0 {
			t.Errorf("%s: got no complaint", name)
		}
	}
}

func TestTheChartRefusesWrongValues(t *testing.T) {
	for name, values := range map[string]string{
		"a misspelt value":                    "managment: {enabled: true}",
		"a number for a text":                 "management: {settings: {POSTERN_MAX_STALENESS: 5}}",
		"a setting of another program":        "management: {settings: {PATH: /}}",
		"no limit of memory":                  "management: {resources: {limits: {memory: null}}}",
		"a word that is not one":              "image: {pullPolicy: Sometimes}",
		"no replica":                          "management: {replicas: 0}",
		"a sidecar that follows nobody":       "sidecar: {enabled: true}",
		"a secret in the values of a release": "management: {secret: {value: s3cr3t}}",
	} {
		if _, err := Render(chart, values); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
}

// A setting that changes starts the pods anew, and so does a secret.
func TestAChangeRollsThePods(t *testing.T) {
	before := render(t, "")
	for _, values := range []string{`management: {settings: {POSTERN_LOG_LEVEL: debug}}`, `management: {secret: {revision: "2"}}`} {
		pods := func(text string) string { _, text, _ = strings.Cut(text, "\n  template:"); return text }
		if pods(render(t, values)) == pods(before) {
			t.Errorf("%s: got the same pods", values)
		}
	}
}

// Every container is held to the least that it needs.
func TestContainersMayDoLittle(t *testing.T) {
	text := render(t, turned)
	containers := strings.Count(text, "imagePullPolicy:") + strings.Count(text, "image: registry.example.com/shop")
	for _, want := range []string{"readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "- ALL"} {
		if got := strings.Count(text, want); got != containers {
			t.Errorf("got %d times %s, want %d: once in each container", got, want, containers)
		}
	}
	pods := strings.Count(text, "automountServiceAccountToken: false")
	for _, want := range []string{"type: RuntimeDefault", "fsGroup: 65532", "enableServiceLinks: false"} {
		if got := strings.Count(text, want); got != pods {
			t.Errorf("got %d times %s, want %d: once in each pod", got, want, pods)
		}
	}
	if strings.Contains(text, "kind: Secret\n") {
		t.Error("got a Secret: it would be in the history of releases")
	}
}
