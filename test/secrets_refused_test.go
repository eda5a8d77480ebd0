package test

import (
	"fmt"
	"os"
	"strings"

	"github.com/postern-authz/postern/internal/config"
)

// refused starts the program with a wrong value in every secret at once, and then
// with files that are no secrets.
func (p *spill) refused() {
	for _, form := range []string{"%s", "postgres://u:%s%zz@h/d", "postgres://u:%s@h/d", "postgres://u:%s@h:%s/d", "postgres://%s", "mysql://u:%s@h", "sqlite:/%s/", "https://u:%s@h/?%s#%s", "%s short", "{\"%s\":\"%s\\u00\"}", "%s\x01%s"} {
		var settings []string
		for _, v := range config.Vars() {
			if v.Secret {
				settings = append(settings, p.set(v.Name, form))
			}
		}
		p.refuses("a secret that is "+form, settings...)
	}
	if p.byFile { // for it is the same otherwise
		p.misplaced()
		p.badFiles()
		p.badKeys()
	}
}

// refuses wants a server that does not start with the settings, and says so.
func (p *spill) refuses(what string, settings ...string) {
	p.t.Helper()
	i := install(p.t, settings...)
	if said := p.says(i, "serve"); !strings.Contains(said, "the configuration is refused") {
		p.t.Errorf("%s is not refused: %s", what, said)
	}
	if said := p.says(i, "config", "--check"); !strings.Contains(said, "POSTERN_") {
		p.t.Errorf("%s: postern config --check says %q", what, said)
	}
}

// misplaced has a secret in each variable that is none: as it is, and as part of
// what the variable is about.
func (p *spill) misplaced() {
	for _, form := range []string{"%s", "%s:%s", "https://u:%s@h/", "smtp://u:%s@h", "redis://:%s@h:1", "1%s", "/%s", "unix:///%s%s%s%s"} {
		var settings []string
		for _, v := range config.Vars() {
			if !v.Secret {
				settings = append(settings, v.Name+"="+strings.ReplaceAll(form, "%s", p.marker("misplaced")))
			}
		}
		p.refuses(form+" in every variable", settings...)
		for _, v := range config.ClientVars() {
			p.says(install(p.t, v.Name+"="+strings.ReplaceAll(form, "%s", p.marker("misplaced"))), "org", "list")
		}
	}
	p.refuses("a secret in a name", "POSTERN_SECRET_"+"FILES=/"+p.marker("a name"))
}

// badFiles has the secrets in files that cannot be used: that others may read,
// that are too large or no text, and that are folders.
func (p *spill) badFiles() {
	large := strings.Repeat(p.marker("a large file"), 4000)
	open := p.file(p.marker("an open file"))
	if err := os.Chmod(open, 0o644); err != nil {
		p.t.Fatal(err)
	}
	for _, path := range []string{open, p.file(large), p.file("\n"), p.file(p.marker("bytes") + "\x00\xff"), p.t.TempDir(), "/none/" + p.marker("a path")} {
		var settings []string
		for _, v := range config.Vars() {
			if v.Secret {
				settings = append(settings, v.Name+"_FILE="+path)
			}
		}
		p.refuses("files such as "+path, settings...)
		p.says(install(p.t, "POSTERN_TOKEN_FILE="+path), "org", "list")
	}
}

// badKeys has files of certificates and keys that are none, or not each other's.
func (p *spill) badKeys() {
	ours := newAuthority(p.t, "ours")
	cert, key := ours.issue(p.t, "pdp")
	_, other := ours.issue(p.t, "other")
	p.hidePEM(key)
	p.hidePEM(other)
	broken := inPEM("PRIVATE KEY", []byte(p.marker("a key that is none")))
	p.hidePEM(broken)
	for _, pair := range [][2]string{{cert, other}, {key, cert}, {cert, broken}, {cert, key[:len(key)/2]}, {cert, p.marker("a key without PEM")}, {broken, broken}, {"", key}} {
		var settings []string
		for _, of := range []string{"DECISIONS_TLS_", "MANAGEMENT_TLS_", "REDIS_TLS_"} {
			settings = append(settings, fmt.Sprintf("POSTERN_%sCERT=%s", of, p.file(pair[0])), fmt.Sprintf("POSTERN_%sKEY=%s", of, p.file(pair[1])))
		}
		settings = append(settings, "POSTERN_DIRECTORY_CA="+p.file(pair[1]), "POSTERN_JWT_KEYS="+p.file(pair[1]))
		p.refuses("a certificate with a key that is not its own", settings...)
	}
}

// hidePEM keeps the lines of a key, which are what is secret of it.
func (p *spill) hidePEM(key string) {
	for line := range strings.Lines(key) {
		if !strings.HasPrefix(line, "-----") {
			p.hide(strings.TrimSpace(line))
		}
	}
}
