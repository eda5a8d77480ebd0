package test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/config"
)

// TestNoSecretIsPrinted gives a fleet a marker in each of its secrets, by variables
// and by files, lets it start, work and fail in every way that has to do with
// them, and looks for them in all that it prints, answers and writes.
func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	for name, byFile := range map[string]bool{"in variables": false, "in files": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newSpill(t, byFile)
			p.refused()
			p.fleet()
			p.judge()
		})
	}
}

// judge looks for secrets in all that was kept, and for those of the settings in
// leaks of its own, too: where it does not find these, it would find no others.
func (p *spill) judge() {
	missing := map[string]bool{}
	for _, v := range append(config.Vars(), config.ClientVars()...) {
		if !v.Secret {
			continue
		}
		if !p.planted[v.Name] {
			p.t.Errorf("%s is secret, and this test plants nothing in it", v.Name)
		}
		leak := "a planted leak of " + v.Name
		p.add(leak, "it is "+base64.StdEncoding.EncodeToString([]byte(p.marker(v.Name))))
		missing[leak] = true
	}
	const enough = 20 // the rest is likely more of the same
	for n, leak := range p.leaks() {
		where, _, _ := strings.Cut(leak, " has ")
		if !missing[where] && n < enough {
			p.t.Error(leak)
		}
		delete(missing, where)
	}
	for leak := range missing {
		p.t.Errorf("%s is not found", leak)
	}
}
