package test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A spill is what the programs of one fleet wrote, and what they must not.
type spill struct {
	*outlets
	t       *testing.T
	byFile  bool
	planted map[string]bool // variables that had a marker
	count   int
}

func newSpill(t *testing.T, byFile bool) *spill {
	return &spill{t: t, byFile: byFile, planted: map[string]bool{}, outlets: &outlets{secrets: map[string]bool{}}}
}

// marker is a secret that stands nowhere by chance, in whatever form; the same
// for the same name.
func (p *spill) marker(of string) string {
	sum := sha256.Sum256([]byte(p.t.Name() + of))
	m := "canary" + hex.EncodeToString(sum[:16])
	p.hide(m)
	return m
}

// next counts what there is more than one of.
func (p *spill) next() int {
	p.count++
	return p.count
}

// file writes a file that nobody else may read, and returns its path.
func (p *spill) file(text string) string {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// set is the setting, with the marker in place of every %s.
func (p *spill) set(name, form string) string {
	p.planted[name] = true
	value := strings.ReplaceAll(form, "%s", p.marker(name))
	if value == form {
		p.hide(value)
	}
	if !p.byFile {
		return name + "=" + value
	}
	return name + "_FILE=" + p.file(value+"\n")
}

// says runs the program and keeps what it says, whatever becomes of it. It is
// ended when it does not end: soon, for a server that has started never does.
func (p *spill) says(i installation, args ...string) string {
	p.t.Helper()
	said := p.tells(i, args...)
	p.add("postern "+strings.Join(args, " "), said)
	return said
}

// tells is says for what is meant to show a secret, which is secret from then on.
func (p *spill) tells(i installation, args ...string) string {
	p.t.Helper()
	enough := patience
	if args[0] == "serve" {
		enough = 6 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), enough)
	defer cancel()
	cmd := i.command(args...)
	said := newRecord()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	_ = cmd.Wait() // it may fail, as it should
	for _, s := range secretsIn(said.String()) {
		p.hide(s)
	}
	return said.String()
}

// asks sends a request and keeps the answer. Secrets that are sent, or answered,
// are secret from then on.
func (p *spill) asks(e endpoint, method, path, body string, headers ...string) exchange {
	p.t.Helper()
	x := p.makes(e, method, path, body, headers...)
	p.add("the body of "+x.url, x.body)
	return x
}

// makes is asks for what makes a secret, and is meant to show it once. The rest
// of the answer is kept.
func (p *spill) makes(e endpoint, method, path, body string, headers ...string) exchange {
	p.t.Helper()
	x, err := e.send(method, path, body, headers...)
	if err != nil {
		p.t.Error(err)
	}
	rest := x.body
	for _, s := range secretsIn(x.body) {
		p.hide(s)
		rest = strings.ReplaceAll(rest, s, "")
	}
	for _, s := range secretsIn(body) {
		p.hide(s)
	}
	p.add("the answer to "+method+" "+path, fmt.Sprint(x.status, x.header, rest))
	return x
}
