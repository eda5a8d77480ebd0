// Package deploy holds what operators install; its tests keep that in step with
// the program.
package deploy

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

const (
	rules     = "prometheus/postern.rules.yml"
	dashboard = "grafana/postern.json"
)

func TestRulesHoldWhatTheyPromise(t *testing.T) {
	for _, args := range [][]string{{"check", "config", "prometheus/prometheus.yml"}, {"check", "rules", rules}, {"test", "rules", "prometheus/postern.rules_test.yml"}} {
		out, err := exec.Command("promtool", args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %s (Debian package prometheus): %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Each query of the dashboard is one that Prometheus takes.
func TestDashboardAsksWhatCanBeAnswered(t *testing.T) {
	var board struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, dashboard)), &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$job", "postern")
	var queries strings.Builder
	queries.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, panel := range board.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%s: got a panel without a query", panel.Title)
		}
		for j, target := range panel.Targets {
			fmt.Fprintf(&queries, "  - record: panel%d:%d\n    expr: %q\n", i, j, variables.Replace(target.Expr))
		}
	}
	path := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(path, []byte(queries.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestEveryAlertHasItsRunbookAndItsTest(t *testing.T) {
	text, tests, runbook := read(t, rules), read(t, "prometheus/postern.rules_test.yml"), read(t, "README.md")
	alerts := matches(text, `alert: (\w+)`)
	if len(alerts) == 0 {
		t.Fatal("got no alerts")
	}
	links := matches(text, `runbook_url: https://github.com/postern-authz/postern/blob/main/deploy/README.md#(\w+)`)
	for i, alert := range alerts {
		if i >= len(links) || links[i] != strings.ToLower(alert) {
			t.Errorf("%s: got no link to its runbook", alert)
		}
		if strings.Count(runbook, "\n### "+alert+"\n") != 1 {
			t.Errorf("%s: got no section in README.md", alert)
		}
		if !regexp.MustCompile(`alertname: ` + alert + `\s+exp_alerts:\n`).MatchString(tests) {
			t.Errorf("%s: got no test in which it fires", alert)
		}
		if !strings.Contains(tests, "alertname: "+alert+"\n        exp_alerts: []\n") {
			t.Errorf("%s: got no test in which it is silent", alert)
		}
	}
	for _, section := range matches(runbook, `(?m)^### (\w+)$`) {
		if !slices.Contains(alerts, section) {
			t.Errorf("README.md: got a section %s for no alert", section)
		}
	}
	for _, link := range matches(runbook, `\]\(#(\w+)\)`) {
		if !slices.ContainsFunc(alerts, func(a string) bool { return strings.ToLower(a) == link }) {
			t.Errorf("README.md: got a link to no section #%s", link)
		}
	}
}

// Every metric named here is one that the program registers.
func TestMetricsExist(t *testing.T) {
	registered := registeredMetrics(t)
	for _, file := range []string{rules, "prometheus/postern.rules_test.yml", "README.md", "../README.md", "docs/tour.md", "docs/upgrade.md", "docs/failures.md", "docs/comparison.md", dashboard} {
		for _, name := range matches(read(t, file), `\b(postern_[a-z_]+[a-z])\b`) {
			if !slices.Contains(registered, base(name)) && !isRecorded(t, name) {
				t.Errorf("%s: %s is no metric of the program", file, name)
			}
		}
	}
}

// registeredMetrics are the names of metrics in the sources of the program,
// where they are always written whole.
func registeredMetrics(t *testing.T) []string {
	t.Helper()
	names := []string{"postern_build_info"} // its collector is Prometheus' own
	err := filepath.WalkDir("../internal", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		names = append(names, matches(read(t, path), `"(postern_[a-z_]+)"`)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// base is the metric that a series of a histogram belongs to.
func base(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// isRecorded tells whether the name is a part of that of a recording rule.
func isRecorded(t *testing.T, name string) bool {
	t.Helper()
	return strings.Contains(read(t, rules), "record: job:"+name+":")
}

// Every setting named here is one that the program reads.
func TestSettingsExist(t *testing.T) {
	known := map[string]bool{}
	for _, v := range append(config.Vars(), config.ClientVars()...) {
		known[v.Name] = true
		known[v.Name+"_FILE"] = v.Secret
	}
	files, err := filepath.Glob("helm/postern/templates/*")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../Dockerfile", "README.md", "../README.md", "docs/tour.md", "docs/upgrade.md", "docs/failures.md", "docs/comparison.md",
		"compose.yaml", "helm/postern/values.yaml", "k8s/management.yaml", "k8s/decisions.yaml", "k8s/sidecar.yaml",
		"systemd/postern.service", "systemd/postern-sidecar.service", "systemd/postgres.conf")
	for _, file := range files {
		for _, name := range matches(read(t, file), `\b(POSTERN_[A-Z_]+[A-Z])\b`) {
			if !known[name] {
				t.Errorf("%s: %s is no setting", file, name)
			}
		}
	}
}

// Every container of the manifests is one that the program takes, with the files
// that are mounted.
func TestManifestsAreAcceptedByTheProgram(t *testing.T) {
	for name, right := range map[string]func(*config.Config) bool{
		"management": func(c *config.Config) bool { return !c.Directory.Remote() && c.Management.TLSCert != "" },
		"decisions":  func(c *config.Config) bool { return c.Directory.Remote() && c.Decisions.AuthMode() == config.AuthKey },
		"sidecar":    func(c *config.Config) bool { return c.Directory.Remote() && c.Redis.On() && c.DrainDelay == 0 },
	} {
		text := strings.NewReplacer("/run/tls/postern", mounted(t), "/run/secrets/postern", mounted(t)).Replace(read(t, "k8s/"+name+".yaml"))
		container, _, _ := strings.Cut(text[strings.Index(text, "kind: Deployment"):], "          ports:")
		environ := []string{"HOME=/", "POSTERN_ONLY=" + strings.Replace(name, "sidecar", "decisions", 1)} // as --only says
		for _, pair := range regexp.MustCompile(`- name: (POSTERN_\w+)\n +value: "([^"]*)"`).FindAllStringSubmatch(container, -1) {
			environ = append(environ, pair[1]+"="+pair[2])
		}
		if c, err := config.Load(environ); err != nil || !right(c) {
			t.Errorf("%s: %q: got %+v, %v", name, environ, c, err)
		}
	}
}

// mounted is a directory with every file that Secrets of manifests have.
func mounted(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"database": "postgres://postern:pw@db.example.com/postern?sslmode=verify-full",
		"secret":   strings.Repeat("s", 32), "token": strings.Repeat("t", 32),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	certificate(t, dir)
	return dir
}

// certificate writes one for nobody, its key, and its authority.
func certificate(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-subj", "/CN=postern", "-keyout", filepath.Join(dir, "tls.key"), "-out", filepath.Join(dir, "tls.crt"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(read(t, filepath.Join(dir, "tls.crt"))), 0o400); err != nil {
		t.Fatal(err)
	}
}

func TestImageHoldsNothingButTheProgram(t *testing.T) {
	final := read(t, "../Dockerfile")
	final = final[strings.LastIndex(final, "\nFROM "):]
	for _, want := range []string{"\nFROM scratch\n", "\nUSER 65532:65532\n", `CMD ["/postern", "healthcheck"]`, `ENTRYPOINT ["/postern"]`, "ca-certificates.crt"} {
		if !strings.Contains(final, want) {
			t.Errorf("got no %q in the last stage", want)
		}
	}
	if strings.Contains(final, "\nRUN ") {
		t.Error("got a RUN in an image without a shell")
	}
}

func matches(text, pattern string) []string {
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
