package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/postern-authz/postern/internal/config"
)

const compose = "compose.yaml"

// load reads a compose file strictly: what the specification does not know is
// refused.
func load(t *testing.T, text string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: ".", ConfigFiles: []types.ConfigFile{{Filename: compose, Content: []byte(text)}}, Environment: types.Mapping{},
	})
}

func fleet(t *testing.T) types.Services {
	t.Helper()
	project, err := load(t, read(t, compose))
	if err != nil {
		t.Fatal(err)
	}
	return project.Services
}

func TestComposeIsReadStrictly(t *testing.T) {
	text := read(t, compose)
	for name, broken := range map[string]string{
		"a key that is not known":         strings.Replace(text, "depends_on:", "depend_on:", 1),
		"a network that is not there":     strings.Replace(text, "networks: [cache]", "networks: [cash]", 1),
		"a volume that is not there":      strings.Replace(text, "\n  prometheus: {}", "", 1),
		"a service that is not there":     strings.Replace(text, "postgres: {condition", "postgre: {condition", 1),
		"a condition that is not one":     strings.Replace(text, "condition: service_healthy", "condition: healthy", 1),
		"a circle of who waits for whom":  strings.Replace(text, "cap_add: [CHOWN]", "depends_on: [token]", 1),
		"a duration that is none":         strings.Replace(text, "interval: 5s", "interval: 5", 1),
		"a memory limit that is no bytes": strings.Replace(text, "mem_limit: 512m", "mem_limit: much", 1),
	} {
		if broken == text {
			t.Errorf("%s: got nothing to break", name)
		}
		if _, err := load(t, broken); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
}

func TestComposeStartsTheFleet(t *testing.T) {
	var names []string
	for name := range fleet(t) {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"grafana", "management", "migrate", "postgres", "prometheus", "redis", "secrets", "share", "sidecar-1", "sidecar-2", "token"}
	if !slices.Equal(names, want) {
		t.Errorf("got the services %v, want %v", names, want)
	}
	for name, only := range map[string]string{"management": "management", "sidecar-1": "decisions", "sidecar-2": "decisions"} {
		s := fleet(t)[name]
		if got := *s.Environment["POSTERN_ONLY"]; !slices.Equal(s.Command, []string{"serve"}) || got != only {
			t.Errorf("%s: got %v of %s, want serve of %s", name, s.Command, got, only)
		}
	}
}

// What runs may do nothing that it need not do, and can be reached from nowhere
// but this machine.
func TestComposeContainsWhatItStarts(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$`)
	for name, s := range fleet(t) {
		once := s.Restart == "no"
		draws := name == "secrets" // it gives files away
		for what, well := range map[string]bool{
			"an image of an exact version, or built here": pinned.MatchString(s.Image) || s.Build != nil && s.Image == "postern",
			"a root filesystem that is not written":       s.ReadOnly,
			"no capabilities":                             slices.Equal(s.CapDrop, []string{"ALL"}) && (len(s.CapAdd) == 0 || draws),
			"no new privileges":                           slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) && !s.Privileged,
			"a user who is not root":                      s.User != "" && (!strings.HasPrefix(s.User, "0") || draws),
			"a limit of memory and of processes":          s.MemLimit > 0 && s.PidsLimit > 0,
			"a health check":                              s.HealthCheck != nil || once,
			"networks of its own choice":                  len(s.Networks) > 0 && !slices.Contains(s.NetworksByPriority(), "default") || s.NetworkMode == "none",
			"ports on this machine":                       !slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return p.HostIP != "127.0.0.1" }),
		} {
			if !well {
				t.Errorf("%s: want %s", name, what)
			}
		}
	}
}

func TestComposeMountsWhatIsThere(t *testing.T) {
	for name, s := range fleet(t) {
		for _, v := range s.Volumes {
			if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if v.Type == types.VolumeTypeTmpfs && v.Tmpfs.Mode != 0 && v.Tmpfs.Mode != 0o1777 {
				t.Errorf("%s: got %s of mode %o, want 1777", name, v.Target, v.Tmpfs.Mode)
			}
		}
	}
}

// Only management knows the way to the database.
func TestComposeGivesSidecarsNoDatabase(t *testing.T) {
	for _, name := range []string{"sidecar-1", "sidecar-2"} {
		s := fleet(t)[name]
		if _, on := s.Networks["data"]; on {
			t.Errorf("%s: got the database's network", name)
		}
		for _, v := range s.Volumes {
			if v.Source == "secrets-management" || v.Source == "secrets-postgres" || v.Source == "management" {
				t.Errorf("%s: got the volume %s", name, v.Source)
			}
		}
	}
}

// Every setting is one that the program takes, with the secrets that are drawn.
func TestComposeIsAcceptedByTheProgram(t *testing.T) {
	drawn := draw(t)
	for name, s := range fleet(t) {
		if s.Image != "postern" {
			continue
		}
		places := strings.NewReplacer("/run/secrets", filepath.Join(drawn, secretsOf(t, s)), "/var/lib/postern", filepath.Join(drawn, "management"))
		environ := []string{"HOME=/"}
		for key, value := range s.Environment {
			environ = append(environ, key+"="+places.Replace(*value))
		}
		_, err := config.Load(environ)
		if err == nil && name == "token" {
			_, err = config.LoadClient(environ)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// secretsOf is whose secrets a service reads: its volume, without "secrets-".
func secretsOf(t *testing.T, s types.ServiceConfig) string {
	t.Helper()
	for _, v := range s.Volumes {
		if v.Target == "/run/secrets" {
			return strings.TrimPrefix(v.Source, "secrets-")
		}
	}
	t.Fatalf("%s: got no secrets", s.Name)
	return ""
}

// draw draws the secrets of the fleet, for whoever runs the test, and puts the
// credentials beside them that Postern makes.
func draw(t *testing.T) (dir string) {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	for _, reader := range []string{"management", "sidecar", "redis", "postgres"} {
		if err := os.Mkdir(filepath.Join(dir, reader), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Only root may give files away.
	if err := os.WriteFile(filepath.Join(bin, "chown"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "compose/draw.sh", dir)
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, made := range []string{"sidecar/token", "sidecar/secret", "management/operator.key"} {
		if err := os.WriteFile(filepath.Join(dir, made), []byte("made by Postern, and long enough\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPrometheusAcceptsItsConfiguration(t *testing.T) {
	if out, err := exec.Command("promtool", "check", "config", "prometheus/prometheus.yml").CombinedOutput(); err != nil {
		t.Errorf("got %v\n%s", err, out)
	}
	targets := matches(read(t, "prometheus/prometheus.yml"), `"([a-z0-9-]+):8183"`)
	if slices.Sort(targets); !slices.Equal(targets, []string{"management", "sidecar-1", "sidecar-2"}) {
		t.Errorf("got the targets %v, want every server of %s", targets, compose)
	}
}

// Grafana is told of the Prometheus that is there, and where the dashboard lies.
func TestGrafanaFindsPrometheusAndTheDashboard(t *testing.T) {
	var datasource struct{ Datasources []struct{ Type, URL string } }
	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	decode(t, "grafana/provisioning/datasource.yaml", &datasource)
	decode(t, "grafana/provisioning/dashboards.yaml", &dashboards)
	if all := datasource.Datasources; len(all) != 1 || all[0].Type != "prometheus" || all[0].URL != "http://prometheus:9090" {
		t.Errorf("got %+v, want the service prometheus of %s", all, compose)
	}
	s := fleet(t)["grafana"]
	path := dashboards.Providers[0].Options.Path
	if !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == path+"/postern.json" }) {
		t.Errorf("got no dashboard in %s", path)
	}
	if home := *s.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]; home != path+"/postern.json" {
		t.Errorf("got the home dashboard %s, want that of %s", home, path)
	}
}

// decode reads a file of YAML, whose members may be any.
func decode(t *testing.T, path string, into any) {
	t.Helper()
	if err := util.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
