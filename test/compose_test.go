package test

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/postern-authz/postern/test/fleet"
)

// A composed is the fleet of deploy/compose.yaml as processes of this machine:
// the commands, settings and secrets are those of the file. Only names differ:
// what is a host there is an address here, and a volume is a directory.
type composed struct {
	t        *testing.T
	services types.Services
	binary   string
	volumes  map[string]string // directory by volume
	redis    *fleet.Redis
	at       map[string]string // host:port here by host:port there
}

// TestTheFleetOfTheComposeFile starts it, decides on both sidecars by what was
// changed at management, and has all of it scraped.
func TestTheFleetOfTheComposeFile(t *testing.T) {
	t.Parallel()
	c := compose(t)
	c.draw()
	c.startRedis()
	c.run("migrate")
	c.serve("management")
	c.run("token")
	c.run("share")
	c.run("token") // once more, as after a restart: what is there stays
	for _, name := range []string{"sidecar-1", "sidecar-2"} {
		c.serve(name)
	}
	token := c.populate()
	for _, name := range []string{"sidecar-1", "sidecar-2"} {
		if got := c.ask(name, token); !got.allows() {
			t.Errorf("%s: got %d %s, want an allow", name, got.status, got.body)
		}
	}
	if found, err := c.redis.Do("PING"); err != nil || found == "" {
		t.Errorf("Redis: got %q, %v", found, err)
	}
	c.scraped()
}

func compose(t *testing.T) *composed {
	t.Helper()
	const path = "../deploy/compose.yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "../deploy", ConfigFiles: []types.ConfigFile{{Filename: path, Content: text}}, Environment: types.Mapping{},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &composed{t: t, services: project.Services, binary: program(t), volumes: map[string]string{}, at: map[string]string{}}
	for volume := range project.Volumes {
		c.volumes[volume] = t.TempDir()
	}
	for _, there := range []string{"management:8182", "management:8183", "sidecar-1:8183", "sidecar-2:8183"} {
		c.at[there] = freeAddress(t)
	}
	return c
}

// freeAddress is one that nobody listens on just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// here makes what a service is told there true here.
func (c *composed) here(s types.ServiceConfig, text string) string {
	for _, v := range s.Volumes {
		text = strings.ReplaceAll(text, v.Target+"/", c.directory(s, v)+"/")
	}
	for _, there := range slices.Sorted(maps.Keys(c.at)) {
		text = strings.ReplaceAll(text, there, c.at[there])
	}
	return text
}

// directory is where a mount of a service is here.
func (c *composed) directory(s types.ServiceConfig, v types.ServiceVolumeConfig) string {
	if v.Type == types.VolumeTypeVolume {
		return c.volumes[v.Source]
	}
	name := s.Name + v.Target // of its own, and gone with the test
	if c.volumes[name] == "" {
		c.volumes[name] = c.t.TempDir()
	}
	return c.volumes[name]
}

// environment is what a service of Postern is started with. A listener listens
// on the address that is meant.
func (c *composed) environment(name string) []string {
	s := c.services[name]
	env := []string{"PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	for key, value := range s.Environment {
		text := *value
		if port, listens := strings.CutPrefix(text, ":"); listens {
			text = name + ":" + port
		}
		env = append(env, key+"="+c.here(s, text))
	}
	if s.Environment["POSTERN_STATE"] == nil { // the image has it
		for _, v := range s.Volumes {
			if v.Target == "/var/lib/postern" {
				env = append(env, "POSTERN_STATE="+c.directory(s, v))
			}
		}
	}
	return env
}

// draw draws the secrets as the file does. Who owns them is another matter here,
// and so is where PostgreSQL is.
func (c *composed) draw() {
	root, tools := c.t.TempDir(), c.t.TempDir()
	for _, v := range c.services["secrets"].Volumes {
		if v.Type == types.VolumeTypeVolume {
			if err := os.Symlink(c.volumes[v.Source], filepath.Join(root, filepath.Base(v.Target))); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(tools, "chown"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.CommandContext(c.t.Context(), "sh", "../deploy/compose/draw.sh", root)
	cmd.Env = []string{"PATH=" + tools + ":" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("draw.sh: %v\n%s", err, out)
	}
	database := filepath.Join(c.volumes["secrets-management"], "database")
	if err := os.Remove(database); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(database, []byte(postgres.DSN(c.t)), 0o400); err != nil {
		c.t.Fatal(err)
	}
}

// startRedis starts Redis by the options of the file, and its own address.
func (c *composed) startRedis() {
	s := c.services["redis"]
	var options []string
	for _, word := range s.Command[1:] {
		options = append(options, c.here(s, word))
	}
	redis, err := fleet.NewRedis(options...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(redis.Stop)
	c.redis, c.at["redis:6379"] = redis, redis.Addr()
}

// run runs a service that ends.
func (c *composed) run(name string) {
	c.t.Helper()
	s := c.services[name]
	var args []string
	for _, word := range s.Command {
		args = append(args, c.here(s, word))
	}
	cmd := exec.CommandContext(c.t.Context(), c.binary, args...)
	cmd.Env, cmd.Dir = c.environment(name), c.t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// serve starts a service and waits until its health check is content.
func (c *composed) serve(name string) {
	c.t.Helper()
	s, said := c.services[name], newRecord()
	cmd := exec.Command(c.binary, s.Command...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.environment(name), c.t.TempDir(), said, said
	running, err := fleet.Start(cmd, nil, syscall.SIGKILL)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := running.End(syscall.SIGTERM); err != nil {
			c.t.Errorf("%s: %v\n%s", name, err, said)
		}
	})
	for limit := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		check := exec.CommandContext(c.t.Context(), c.binary, s.HealthCheck.Test[2:]...)
		check.Env = cmd.Env
		out, err := check.CombinedOutput()
		switch {
		case err == nil:
			return
		case time.Now().After(limit):
			c.t.Fatalf("%s is not healthy: %v\n%s\n%s", name, err, out, said)
		}
	}
}

// populate makes a customer with one user who may see one account, and returns
// the consistency token of that.
func (c *composed) populate() string {
	c.t.Helper()
	key, err := os.ReadFile(filepath.Join(c.volumes["management"], "operator.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	written.secret(strings.TrimSpace(string(key)))
	at := dial(c.at["management:8182"])
	var made exchange
	for _, r := range [][3]string{
		{"POST", "/v1/organizations", `{"id":"acme","kind":"customer","name":"ACME"}`},
		{"PUT", "/v1/organizations/acme/companies/south", `{"name":"South"}`},
		{"PUT", "/v1/organizations/acme/accounts/a1", `{"company":"south","kind":"service","name":"Riga"}`},
		{"POST", "/v1/organizations/acme/members", `{"username":"rita","password":"correct horse battery","email":"rita@acme.example",
			"given_name":"Rita","family_name":"Roth","phone":"+371 20000000","country":"LV","role":"regular","grants":{"accounts":[{"id":"a1"}]}}`},
	} {
		made, err = at.send(r[0], r[1], r[2], "Authorization: Bearer "+strings.TrimSpace(string(key)))
		if err != nil || made.status/100 != 2 {
			c.t.Fatalf("%s %s: got %d %s, %v", r[0], r[1], made.status, made.body, err)
		}
	}
	return made.header.Get("Postern-Consistency-Token")
}

// ask asks a sidecar over its socket.
func (c *composed) ask(name, token string) exchange {
	c.t.Helper()
	s := c.services[name]
	socket := strings.TrimPrefix(c.here(s, *s.Environment["POSTERN_DECISIONS_LISTEN"]), "unix://")
	dialer := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DialContext: dialer}
	defer transport.CloseIdleConnections()
	at := endpoint{base: "http://postern", client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
	question := `{"subject":{"type":"login","id":"rita"},"action":{"name":"service.view"},"resource":{"type":"account","id":"a1"}}`
	for enough := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		got, err := at.send(http.MethodPost, "/access/v1/evaluation", question, "Postern-Consistency-Token: "+token)
		if err != nil {
			c.t.Fatalf("%s: %v", name, err)
		}
		// A machine that is busy does not always decide within 100 ms.
		if got.status != http.StatusServiceUnavailable || time.Now().After(enough) {
			return got
		}
	}
}

func (x exchange) allows() bool {
	var answer struct{ Decision bool }
	return x.status == http.StatusOK && json.Unmarshal([]byte(x.body), &answer) == nil && answer.Decision
}

// scraped starts Prometheus on the file's configuration and waits until all
// targets are up.
func (c *composed) scraped() {
	c.t.Helper()
	text, err := os.ReadFile("../deploy/prometheus/prometheus.yml")
	if err != nil {
		c.t.Fatal(err)
	}
	rules, err := filepath.Abs("../deploy/prometheus/postern.rules.yml")
	if err != nil {
		c.t.Fatal(err)
	}
	config := strings.NewReplacer("postern.rules.yml", rules, "_interval: 10s", "_interval: 1s").Replace(c.here(types.ServiceConfig{}, string(text)))
	p := newPrometheus(c.t, config)
	up := func(found []sample) bool { return len(found) == 1 && found[0].value == 3 }
	if found, err := p.await(`sum(up{job="postern"})`, up); err != nil {
		c.t.Fatalf("got %v targets up, %v, want 3\n%s", found, err, p.said)
	}
}
