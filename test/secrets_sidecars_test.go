package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sidecars follow the server, with the right secrets and with wrong ones.
func (w *spillWork) sidecars(redis string) {
	token := w.office.replicate()
	w.hide(token)
	shared, err := os.ReadFile(filepath.Join(w.installation.dir, "shared"))
	if err != nil {
		w.t.Fatal(err)
	}
	log := filepath.Join(w.t.TempDir(), "decisions.ndjson")
	sidecar := install(w.t,
		w.set("POSTERN_SECRET", strings.TrimSpace(string(shared))), w.set("POSTERN_DIRECTORY_TOKEN", token), w.set("POSTERN_REDIS_PASSWORD", "%s"),
		"POSTERN_DIRECTORY_URL="+w.office.administration.base, "POSTERN_REDIS_ADDRS="+redis, "POSTERN_LOG_REQUESTS=true",
		"POSTERN_DECISION_LOG="+log, "POSTERN_DECISIONS_AUTH=none")
	s := sidecar.serve(w.t)
	w.everywhere(s, w.wrong())
	w.end(s)
	w.addFile("the decision log", log, `"result":{"decision":`)
	unknown := sidecar
	unknown.env = append(slices.Clone(sidecar.env), w.set("POSTERN_DIRECTORY_TOKEN", "st_%s"))
	if said := w.says(unknown, "serve", "--only=decisions"); !strings.Contains(said, "POSTERN_DIRECTORY_TOKEN is not known") {
		w.t.Errorf("got %s\nwant the token refused", said)
	}
	shut := sidecar
	shut.env = append(slices.Clone(sidecar.env), w.set("POSTERN_REDIS_PASSWORD", "%sx"),
		w.set("POSTERN_REDIS_SENTINEL_PASSWORD", "%s"), "POSTERN_REDIS_SENTINEL_USERNAME=postern", "POSTERN_REDIS_MASTER=postern")
	w.says(shut, "config")
	if said := w.says(shut, "serve", "--only=decisions"); !strings.Contains(said, "goroutine ") {
		w.t.Errorf("got %s\nwant a server that goes on without Redis", said)
	}
}

// addFile keeps what a file says, which has to say something.
func (p *spill) addFile(where, path, something string) {
	p.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), something) {
		p.t.Fatalf("%s has no %s: %v\n%s", where, something, err, text)
	}
	p.add(where, string(text))
}
