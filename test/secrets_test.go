package test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/mail/mailtest"
	"github.com/postern-authz/postern/test/fleet"
)

// TestNoSecretIsPrinted gives a fleet a marker in each of its secrets, by variables
// and by files, lets it start, work and fail in every way that has to do with
// them, and looks for them in all that it prints, answers and writes.
func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	for name, byFile := range map[string]bool{"in variables": false, "in files": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &spill{t: t, byFile: byFile, planted: map[string]bool{}, outlets: &outlets{secrets: map[string]bool{}}}
			p.refused()
			p.fleet()
			for _, v := range append(config.Vars(), config.ClientVars()...) {
				if v.Secret && !p.planted[v.Name] {
					t.Errorf("%s is secret, and this test plants nothing in it", v.Name)
				}
			}
			for _, leak := range p.leaks() {
				t.Error(leak)
			}
		})
	}
}

// A spill is what the programs of one fleet wrote, and what they must not.
type spill struct {
	*outlets
	t       *testing.T
	byFile  bool
	planted map[string]bool // variables that had a marker
}

// marker is a secret that stands nowhere by chance, in whatever form.
func (p *spill) marker(of string) string {
	sum := sha256.Sum256([]byte(p.t.Name() + of))
	m := "canary" + hex.EncodeToString(sum[:16])
	p.secret(m)
	p.secret(hex.EncodeToString([]byte(m)))
	for before := range 3 { // as Basic has it, whatever stands before
		encoded := base64.RawStdEncoding.EncodeToString([]byte("xxx"[:before] + m))
		p.secret(encoded[4 : len(encoded)-4])
	}
	return m
}

// set is the setting, with the marker in place of every %s.
func (p *spill) set(name, form string) string {
	p.planted[name] = true
	value := strings.ReplaceAll(form, "%s", p.marker(name))
	p.secret(value)
	if !p.byFile {
		return name + "=" + value
	}
	path := filepath.Join(p.t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return name + "_FILE=" + path
}

// says runs the program and keeps what it says, whatever becomes of it. It is
// ended when it does not end.
func (p *spill) says(i installation, args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	cmd := i.command(args...)
	said := newRecord()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	_ = cmd.Wait() // it may fail, as it should
	p.add("postern "+strings.Join(args, " "), said.String())
	return said.String()
}

// refused starts the program with a wrong value in every secret at once.
func (p *spill) refused() {
	for _, form := range []string{"%s", "postgres://u:%s%zz@h/d", "postgres://u:%s@h/d", "mysql://u:%s@h", "sqlite:/%s/", "https://u:%s@h/?%s#%s", "%s short"} {
		i := install(p.t)
		for _, v := range config.Vars() {
			if v.Secret {
				i.env = append(i.env, p.set(v.Name, form))
			}
		}
		if said := p.says(i, "serve"); !strings.Contains(said, "the configuration is refused") {
			p.t.Errorf("%s in every secret is not refused: %s", form, said)
		}
	}
}

// fleet runs a server with a database, those that follow it, and those that
// cannot.
func (p *spill) fleet() {
	redis, err := fleet.NewRedis()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(redis.Stop)
	if said, err := redis.Do("CONFIG", "SET", "requirepass", p.marker("POSTERN_REDIS_PASSWORD")); err != nil {
		p.t.Fatal(said, err)
	}
	database := postgres.DSN(p.t)
	proxy, err := fleet.NewProxy(postgres.Socket(), 1)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(proxy.Close)
	i := p.management(proxy.Addr(), database, redis.Addr())
	p.commands(i)
	i.run(p.t, "migrate")
	o := administered(p.t, i)
	p.work(i, o)
	p.sidecars(i, o, redis.Addr())
	p.backup(i)
	proxy.Refuse()
	p.fails(i)
	p.end(o.server)
}

// management is an installation with every secret that a server with a database
// has.
func (p *spill) management(proxy, database, redis string) installation {
	mail := mailtest.Start(p.t, mailtest.Behaviour{}) // asks for no password, and so gets none
	dsn, err := url.Parse(database)
	if err != nil {
		p.t.Fatal(err)
	}
	return install(p.t,
		p.set("POSTERN_DATABASE", "postgres://postgres:%s@"+proxy+dsn.Path+"?sslmode=disable"),
		p.set("POSTERN_SECRET", "%s"),
		p.set("POSTERN_REDIS_PASSWORD", "%s"),
		p.set("POSTERN_MAIL_PASSWORD", "%s"),
		"POSTERN_REDIS_ADDRS="+redis,
		"POSTERN_MAIL=smtp://postern@"+mail.Address, "POSTERN_MAIL_FROM=postern@portal.example", "POSTERN_PORTAL_URLS=https://portal.example",
		"POSTERN_LOG_LEVEL=debug", "POSTERN_DECISION_LOG=stdout", "POSTERN_OPS_PPROF=true", "POSTERN_DECISIONS_AUTH=key")
}

// commands says what it can about the settings.
func (p *spill) commands(i installation) {
	for _, args := range [][]string{{"config"}, {"config", "--check"}, {"help", "configuration"}, {"help"}, {"version"}, {"secret", "derive", "--out", filepath.Join(i.dir, "shared")}} {
		p.says(i, args...)
	}
	if said := p.says(i, "config"); !strings.Contains(said, "POSTERN_SECRET=[redacted]") {
		p.t.Errorf("the settings are not the planted ones:\n%s", said)
	}
}

// asks sends a request and keeps the answer. Secrets in it that are shown once
// are secret from then on.
func (p *spill) asks(e endpoint, method, path, body string, headers ...string) exchange {
	x, err := e.send(method, path, body, headers...)
	if err != nil {
		p.t.Error(err)
	}
	shown := secretsIn(x.body)
	if x.status != http.StatusCreated || len(shown) == 0 {
		p.add(method+" "+path, x.body+fmt.Sprint(x.header))
	}
	for _, s := range append(shown, secretsIn(body)...) {
		p.secret(s)
	}
	return x
}

// work makes everything that is secret, uses it, and shows what is wrong.
func (p *spill) work(i installation, o office) {
	p.secret(o.key)
	key := strings.TrimSpace(i.run(p.t, "key", "create", "portal"))
	p.secret(key)
	operator, password := "Authorization: Bearer "+o.key, p.marker("the password of a user")
	invitation := p.asks(o.administration, http.MethodPost, "/v1/organizations/acme/invitations", `{"email":"dana@acme.example","role":"regular","grants":{"accounts":[{"id":"a-1001"}]},"deliver":"return_link"}`, operator)
	link := secretsIn(invitation.body)
	p.asks(o.administration, http.MethodPost, "/v1/organizations/acme/invitations", `{"email":"mia@acme.example","role":"regular","grants":{"accounts":[{"id":"a-1001"}]}}`, operator)
	p.asks(o.administration, http.MethodPost, "/v1/organizations/acme/webhooks", `{"url":"https://hooks.example/postern"}`, operator)
	p.asks(o.administration, http.MethodPost, "/v1/service-tokens", `{"name":"portal","scopes":["act"]}`, operator)
	if len(link) == 0 {
		p.t.Fatalf("got no link in\n%s", invitation)
	}
	accepts := func(token, password string) exchange {
		return p.asks(o.administration, http.MethodPost, "/v1/invitations/accept", fmt.Sprintf(`{"token":%q,"username":"dana","password":%q,"given_name":"Dana","family_name":"Roy"}`, token, password))
	}
	accepts(link[0]+"x", password)
	accepts(link[0], "short")
	if x := accepts(link[0], password); x.status != http.StatusOK {
		p.t.Errorf("the link is not accepted: %s", x)
	}
	accepts(link[0], password)
	p.strangers(o, key)
	q, _ := ask([]string{"login:rosa", "service.view", "account:a-1001"})
	p.asks(o.decisions, http.MethodPost, evaluation, q.json(), "Authorization: Bearer "+key)
	p.look(i, o)
}

// strangers show what is nearly right, and what is right in the wrong place.
func (p *spill) strangers(o office, key string) {
	jwt := issuer{p.t, newKey(p.t)}.token("rosa", nil, nil)
	p.secret(jwt)
	basic := base64.StdEncoding.EncodeToString([]byte("postern:" + p.marker("Basic")))
	wrong := o.key[:len(o.key)-43] + (p.marker("a wrong key") + strings.Repeat("A", 43))[:43]
	p.secret(wrong)
	for _, credential := range []string{"Bearer " + p.marker("Bearer"), "Basic " + basic, "Bearer " + jwt, "Bearer " + wrong, "Bearer " + o.key + "x", "Bearer " + key + "x", p.marker("nothing")} {
		header := "Authorization: " + credential
		p.asks(o.administration, http.MethodGet, "/v1/organizations", "", header)
		p.asks(o.decisions, http.MethodPost, evaluation, `{}`, header)
		p.asks(o.ops, http.MethodGet, "/readyz?verbose", "", header)
	}
	p.asks(o.administration, http.MethodGet, "/v1/organizations", "", "Authorization: Bearer "+key)
	p.asks(o.decisions, http.MethodPost, evaluation, `{}`, "Authorization: Bearer "+o.key)
}

// look reads all that may be read.
func (p *spill) look(i installation, o office) {
	for _, path := range []string{"/metrics", "/readyz?verbose", "/startupz?verbose", "/version", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/"} {
		if x := p.asks(o.ops, http.MethodGet, path, ""); x.status != http.StatusOK {
			p.t.Errorf("got %s", x)
		}
	}
	for _, path := range []string{"/v1/service-tokens", "/v1/organizations/acme/webhooks", "/v1/organizations/acme/invitations", "/v1/organizations/acme/members", "/v1/organizations/acme/audit-events", "/v1/audit-events"} {
		if x := p.asks(o.administration, http.MethodGet, path, "", "Authorization: Bearer "+o.key); x.status != http.StatusOK {
			p.t.Errorf("got %s", x)
		}
	}
	client := i
	client.env = append(slices.Clone(i.env), "POSTERN_SERVER="+o.administration.base)
	for _, args := range [][]string{{"audit", "list", "acme"}, {"member", "list", "acme"}, {"invite", "list", "acme"}, {"token", "list"}, {"key", "list"}, {"export"}, {"verify"}} {
		p.says(client, args...)
	}
	for _, server := range []string{o.administration.base, "http://127.0.0.1:1", "http://postern:" + p.marker("a URL") + "@127.0.0.1:1"} {
		client.env = append(slices.Clone(i.env), "POSTERN_SERVER="+server, p.set("POSTERN_TOKEN", "st_%s"))
		p.says(client, "org", "list")
	}
}

// sidecars follow the server, with the right secrets and with wrong ones.
func (p *spill) sidecars(i installation, o office, redis string) {
	token := p.asks(o.administration, http.MethodPost, "/v1/service-tokens", fmt.Sprintf(`{"name":"sidecar","scopes":["replicate"],"expires_at":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), "Authorization: Bearer "+o.key).read("secret")
	shared, err := os.ReadFile(filepath.Join(i.dir, "shared"))
	if err != nil {
		p.t.Fatal(err)
	}
	sidecar := install(p.t,
		p.set("POSTERN_SECRET", strings.TrimSpace(string(shared))), p.set("POSTERN_DIRECTORY_TOKEN", token), p.set("POSTERN_REDIS_PASSWORD", "%s"),
		"POSTERN_DIRECTORY_URL="+o.administration.base, "POSTERN_REDIS_ADDRS="+redis, "POSTERN_LOG_LEVEL=debug", "POSTERN_DECISION_LOG=stdout")
	p.end(sidecar.serve(p.t))
	unknown := sidecar
	unknown.env = append(slices.Clone(sidecar.env), p.set("POSTERN_DIRECTORY_TOKEN", "st_%s"))
	if said := p.says(unknown, "serve", "--only=decisions"); !strings.Contains(said, "POSTERN_DIRECTORY_TOKEN is not known") {
		p.t.Errorf("got %s\nwant the token refused", said)
	}
	shut := sidecar
	shut.env = append(slices.Clone(sidecar.env), p.set("POSTERN_REDIS_PASSWORD", "%sx"),
		p.set("POSTERN_REDIS_SENTINEL_PASSWORD", "%s"), "POSTERN_REDIS_SENTINEL_USERNAME=postern", "POSTERN_REDIS_MASTER=postern")
	p.says(shut, "config")
	if said := p.says(shut, "serve", "--only=decisions"); !strings.Contains(said, "goroutine ") {
		p.t.Errorf("got %s\nwant a server that goes on without Redis", said)
	}
}

// backup has hashes in it and nothing that they are of.
func (p *spill) backup(i installation) {
	p.says(i, "backup", "whole.backup")
	text, err := os.ReadFile(filepath.Join(i.dir, "whole.backup"))
	if err != nil || !strings.Contains(string(text), "$argon2id$") {
		p.t.Fatalf("got no backup with the hash of a password: %v", err)
	}
	p.add("the backup", string(text))
}

// fails asks for what needs the database, which is away, and goes there as
// somebody whom it does not know.
func (p *spill) fails(i installation) {
	for _, args := range [][]string{{"serve"}, {"migrate"}, {"export"}, {"verify"}, {"key", "list"}, {"backup", "-"}} {
		p.says(i, args...)
	}
	stranger := i
	stranger.env = append(slices.Clone(i.env), p.set("POSTERN_DATABASE", "postgres://stranger:%s@/x?host="+url.QueryEscape(filepath.Dir(postgres.Socket()))))
	p.says(stranger, "key", "list")
}

// end makes a server show its stacks, as a crash does, and keeps its logs.
func (p *spill) end(s *server) {
	_ = s.end(syscall.SIGQUIT)
	p.add("the log", s.stderr.String())
	p.add("the decision log", s.stdout.String())
	if !strings.Contains(s.stderr.String(), "goroutine ") {
		p.t.Error("the server shows no stacks when it ends")
	}
}
