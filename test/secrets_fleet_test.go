package test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/postern-authz/postern/internal/mail/mailtest"
	"github.com/postern-authz/postern/test/fleet"
)

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
	taking := mailtest.Behaviour{Offers: []string{"PLAIN"}, Password: p.marker("POSTERN_MAIL_PASSWORD")}
	w := &spillWork{spill: p, mail: mailtest.Start(p.t, taking), hooks: receive(p.t), idp: issuer{p.t, newKey(p.t)}}
	w.installation = w.management(proxy.Addr(), database, redis.Addr())
	w.commands()
	w.installation.run(p.t, "migrate")
	w.office = administered(p.t, w.installation)
	p.hide(w.office.key)
	w.work()
	w.strangers()
	w.look()
	w.sidecars(redis.Addr())
	w.backup()
	p.end(w.office.server)
	w.parrots()
	proxy.Refuse()
	w.fails()
}

// management is an installation with every secret that a server with a database
// has.
func (w *spillWork) management(proxy, database, redis string) installation {
	dsn, err := url.Parse(database)
	if err != nil {
		w.t.Fatal(err)
	}
	return install(w.t,
		w.set("POSTERN_DATABASE", "postgres://postgres:%s@"+proxy+dsn.Path+"?sslmode=disable"),
		w.set("POSTERN_SECRET", "%s"),
		w.set("POSTERN_REDIS_PASSWORD", "%s"),
		w.set("POSTERN_MAIL_PASSWORD", "%s"),
		"POSTERN_REDIS_ADDRS="+redis,
		"POSTERN_MAIL=smtp://postern@"+w.mail.Address, "POSTERN_MAIL_FROM=postern@portal.example", "POSTERN_MAIL_RETRY=1s",
		"POSTERN_PORTAL_URLS=https://portal.example", "POSTERN_WEBHOOK_ALLOW=127.0.0.1/32",
		"POSTERN_JWT_ISSUER=https://id.example", "POSTERN_JWT_AUDIENCE=postern", "POSTERN_JWT_USER_CLAIM=preferred_username",
		"POSTERN_JWT_KEYS="+w.file(w.idp.keys()),
		"POSTERN_OVERLAYS="+w.overlay(), "POSTERN_TRUSTED_PROXIES=127.0.0.0/8", "POSTERN_PROXY_SUBJECT_HEADER=Remote-User",
		"POSTERN_LOG_LEVEL=debug", "POSTERN_DECISION_LOG=stdout", "POSTERN_OPS_PPROF=true", "POSTERN_DECISIONS_AUTH=key")
}

// overlay is one with what proxies ask for and with lists.
func (p *spill) overlay() string {
	p.t.Helper()
	dir := p.t.TempDir()
	for from, to := range map[string]string{"proxy": ".", "example/custom/lists": "custom/lists"} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(filepath.Join("..", "bundles", from))); err != nil {
			p.t.Fatal(err)
		}
	}
	return dir
}

// fails asks for what needs the database, which is away, and goes there as
// somebody whom it does not know.
func (w *spillWork) fails() {
	for _, args := range [][]string{{"serve"}, {"migrate"}, {"export"}, {"verify"}, {"key", "list"}, {"backup", "-"}} {
		w.says(w.installation, args...)
	}
	stranger := w.installation
	for _, form := range []string{"postgres://stranger:%s@/x?host=" + url.QueryEscape(filepath.Dir(postgres.Socket())), "postgres://stranger:%s@127.0.0.1:1/x?password=%s&sslpassword=%s"} {
		stranger.env = append(slices.Clone(w.installation.env), w.set("POSTERN_DATABASE", form))
		w.says(stranger, "key", "list")
	}
}

// end makes a server show its stacks, as a crash does, and keeps its logs.
func (p *spill) end(s *server) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.cmd.Process.Pid))
	if err != nil {
		p.t.Error(err)
	}
	p.add("the command line", string(line))
	p.asks(s.ops, http.MethodGet, "/metrics", "", "Accept: application/openmetrics-text")
	_ = s.end(syscall.SIGQUIT)
	p.add("the log", s.stderr.String())
	p.add("the decision log on stdout", s.stdout.String())
	if !strings.Contains(s.stderr.String(), "goroutine ") {
		p.t.Error("the server shows no stacks when it ends")
	}
}
