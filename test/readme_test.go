package test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// TestPagesAreTrue does what the README and other pages say, from top to bottom:
// each fenced block of sh is run, a block that begins with a path is that file, and
// a block of json or text after one of sh is what it must print.
func TestPagesAreTrue(t *testing.T) {
	for _, page := range []string{"README.md", "deploy/docs/fleet.md", "deploy/docs/tour.md", "deploy/docs/upgrade.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			r := reader{installation: install(t), page: page}
			t.Cleanup(r.leave)
			r.follow(t)
		})
	}
}

func (r *reader) follow(t *testing.T) {
	t.Helper()
	for _, b := range blocks(t, "../"+r.page) {
		switch {
		case b.file != "":
			r.write(t, b)
		case b.language == "sh":
			r.do(t, b)
		case b.language == "json":
			r.compareJSON(t, b)
		case b.language == "text":
			r.compareText(t, b)
		default:
			t.Errorf("%s:%d: a block of %q is not an example that can be run", r.page, b.line, b.language)
		}
	}
}

// TestReadmeBeginsWithADecision keeps the first question and its answer on the
// first screen.
func TestReadmeBeginsWithADecision(t *testing.T) {
	for _, b := range blocks(t, "../README.md") {
		if b.language == "json" {
			if end := b.line + strings.Count(b.text, "\n"); end >= 25 {
				t.Errorf("the first answer ends at line %d, want it before line 25", end)
			}
			return
		}
	}
	t.Error("the README shows no answer")
}

// A block is one fenced example.
type block struct {
	line           int // of its fence
	language, file string
	text           string
}

// blocks reads the fenced blocks of a page: the fence's first word is the
// language, its second a path.
func blocks(t *testing.T, page string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for n, line := range strings.Split(string(text), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			language, file, _ := strings.Cut(info, " ")
			open = &block{line: n + 1, language: language, file: file}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block does not end", page, open.line)
	}
	return all
}

// A reader follows a page in a directory of its own.
type reader struct {
	installation
	page    string
	dsns    map[string]string // databases that the page names, and those that stand for them
	servers []named
	redis   *fleet.Redis // what stands for the page's
	said    string       // what the last commands printed
}

// A named server is one that a page has by other addresses.
type named struct {
	*server
	at map[string]string // by the setting: POSTERN_OPS_LISTEN
}

func (r *reader) leave() {
	for _, s := range r.servers {
		_ = s.stop() // it has done its part
	}
	if r.redis != nil {
		r.redis.Stop()
	}
}

func (r *reader) write(t *testing.T, b block) {
	t.Helper()
	path := filepath.Join(r.dir, b.file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serving finds a block that starts a server: settings, and flags after serve.
var serving = regexp.MustCompile(`^((?:[A-Z_]+=\S+ )*)postern serve((?: --\S+)*)\n$`)

// continued joins the lines of one command.
var continued = regexp.MustCompile(`\s*\\\n\s*`)

// aRedis is what a page starts and finds Redis by.
const aRedis, startingRedis = "127.0.0.1:6379", "redis-server --port 6379 --save ''\n"

// exporting finds a block that sets a variable for all that follow.
var exporting = regexp.MustCompile(`^export ([A-Z_]+=\S+)\n$`)

// do runs a block. One that serves goes on in the background, in place of a
// server whose metrics were where its are.
func (r *reader) do(t *testing.T, b block) {
	t.Helper()
	text := r.here(t, b.text)
	if text == startingRedis {
		r.cache(t)
		return
	}
	if found := exporting.FindStringSubmatch(text); found != nil {
		r.env = append(r.env, found[1])
		return
	}
	if found := serving.FindStringSubmatch(continued.ReplaceAllString(text, " ")); found != nil {
		r.serve(t, strings.Fields(found[1]), strings.Fields(found[2]))
		return
	}
	within, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(within, "bash", "-euo", "pipefail", "-c", text)
	cmd.WaitDelay = time.Second
	cmd.Dir = r.dir
	cmd.Env = append(r.env, "PATH="+filepath.Dir(r.binary)+":"+os.Getenv("PATH"))
	for _, s := range r.servers {
		if s.administration.base != "" {
			cmd.Env = append(cmd.Env, "POSTERN_SERVER="+s.administration.base)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s:%d: %v\n%s%s", r.page, b.line, err, text, out)
	}
	r.said = string(out)
}

// operatorKey finds the key that the demo prints.
var operatorKey = regexp.MustCompile(`ok_[A-Za-z0-9_-]+`)

// aDatabase finds the databases that pages name.
var aDatabase = regexp.MustCompile(`postgres://postern@db\.example\.com/\S+`)

// here makes what a page says of a fresh clone, of the usual ports, and of a
// database, true of this one.
func (r *reader) here(t *testing.T, text string) string {
	t.Helper()
	text = strings.ReplaceAll(text, "go run ./cmd/postern", "postern")
	text = aDatabase.ReplaceAllStringFunc(text, func(named string) string {
		if r.dsns == nil {
			r.dsns = map[string]string{}
		}
		if r.dsns[named] == "" {
			r.dsns[named] = postgres.DSN(t)
		}
		return r.dsns[named]
	})
	if r.redis != nil {
		text = strings.ReplaceAll(text, aRedis, r.redis.Addr())
	}
	for _, s := range r.servers {
		for setting, real := range s.bases() {
			text = strings.ReplaceAll(text, "http://"+s.at[setting], real)
		}
		text = strings.ReplaceAll(text, "ok_...", operatorKey.FindString(s.stdout.String()))
	}
	return text
}

// bases are the listeners of a server that serve, by the setting of their address.
func (s named) bases() map[string]string {
	all := map[string]string{
		"POSTERN_DECISIONS_LISTEN": s.decisions.base, "POSTERN_MANAGEMENT_LISTEN": s.administration.base, "POSTERN_OPS_LISTEN": s.ops.base,
	}
	maps.DeleteFunc(all, func(_, base string) bool { return base == "" })
	return all
}

func (r *reader) cache(t *testing.T) {
	t.Helper()
	var err error
	if r.redis, err = fleet.NewRedis(); err != nil {
		t.Fatal(err)
	}
}

// serve starts a server on free ports instead of those that the page names.
func (r *reader) serve(t *testing.T, settings, flags []string) {
	t.Helper()
	s := named{at: map[string]string{
		"POSTERN_DECISIONS_LISTEN": "127.0.0.1:8181", "POSTERN_MANAGEMENT_LISTEN": "127.0.0.1:8182", "POSTERN_OPS_LISTEN": "127.0.0.1:8183",
	}}
	for n, setting := range settings {
		if name, address, _ := strings.Cut(setting, "="); s.at[name] != "" {
			s.at[name], settings[n] = address, name+"=127.0.0.1:0"
		}
	}
	r.servers = slices.DeleteFunc(r.servers, func(had named) bool {
		gives := had.at["POSTERN_OPS_LISTEN"] == s.at["POSTERN_OPS_LISTEN"] // each has one
		if gives {
			_ = had.stop() // it has done its part
		}
		return gives
	})
	var err error
	if s.server, err = start(r.binary, r.dir, append(slices.Clone(r.env), settings...), flags...); err != nil {
		t.Fatal(err)
	}
	r.servers = append(r.servers, s)
}

// compareJSON wants the last output to be this JSON, whatever its spaces.
func (r *reader) compareJSON(t *testing.T, b block) {
	t.Helper()
	var got, want any
	if err := json.Unmarshal([]byte(b.text), &want); err != nil {
		t.Fatalf("%s:%d: %v", r.page, b.line, err)
	}
	if err := json.Unmarshal([]byte(r.said), &got); err != nil || !includes(got, want) || !includes(want, got) {
		t.Errorf("%s:%d: got %s, want %s", r.page, b.line, r.said, b.text)
	}
}

// compareText wants the last output to be this text. Three dots stand for what
// differs from run to run, or for any lines.
func (r *reader) compareText(t *testing.T, b block) {
	t.Helper()
	pattern := regexp.QuoteMeta(strings.TrimSpace(b.text))
	pattern = "(?s)^" + strings.ReplaceAll(pattern, regexp.QuoteMeta("..."), ".*?") + "$"
	if got := strings.TrimSpace(r.said); !regexp.MustCompile(pattern).MatchString(got) {
		t.Errorf("%s:%d: got\n%s\nwant\n%s", r.page, b.line, got, b.text)
	}
}
