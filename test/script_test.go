package test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs every script of testdata, each a promise, on SQLite.
func TestScripts(t *testing.T) {
	testscript.Run(t, params(t, testscript.Params{Dir: "testdata"}))
}

// params makes the words of README.md known to scripts and gives each its own
// directory, ports and settings.
func params(t *testing.T, p testscript.Params) testscript.Params {
	bin := program(t)
	setup := p.Setup
	p.RequireUniqueNames = true
	p.Cmds = words()
	p.Setup = func(env *testscript.Env) error {
		s := &session{binary: bin, servers: map[string]*server{}, users: map[string]string{}, read: map[string]bool{}}
		env.Values[sessionKey{}] = s
		env.Defer(s.close)
		if err := settings(env); err != nil {
			return err
		}
		s.base = env.Vars
		if setup == nil {
			return nil
		}
		return setup(env)
	}
	return p
}

// settings are those of every script. $ACME is the directory that most scripts
// tell their story in.
func settings(env *testscript.Env) error {
	portal, err := filepath.Abs("acme.ndjson")
	if err != nil {
		return err
	}
	env.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
	bundles, err := filepath.Abs("../bundles")
	if err != nil {
		return err
	}
	env.Setenv("ACME", portal)
	env.Setenv("BUNDLES", bundles)
	env.Setenv("POSTERN_STATE", filepath.Join(env.WorkDir, ".state"))
	env.Setenv("POSTERN_DECISIONS_LISTEN", "127.0.0.1:0")
	env.Setenv("POSTERN_MANAGEMENT_LISTEN", "127.0.0.1:0")
	env.Setenv("POSTERN_OPS_LISTEN", "127.0.0.1:0")
	env.Setenv("POSTERN_PORTAL_URLS", "https://portal.example")
	env.Setenv("POSTERN_MAIL", "file://"+filepath.Join(env.WorkDir, ".mail"))
	env.Setenv("POSTERN_MAIL_FROM", "postern@portal.example")
	env.Vars = append(env.Vars, unhurried()...)
	return nil
}

// A session is what a script has running and last saw.
type session struct {
	binary  string
	base    []string // the environment that the script began with
	servers map[string]*server
	current *server
	key     string // the app key that requests carry, or empty
	token   string // the consistency token of the last change, or empty
	users   map[string]string
	read    map[string]bool // names of mails
	last    exchange
	fresh   bool // last has not been shown as stdout yet
	code    int  // exit code of the last postern
}

type sessionKey struct{}

func (s *session) close() {
	for _, running := range s.servers {
		_ = running.stop() // a script that cares says shutdown
	}
}

// server is the one that requests go to.
func (s *session) server() (*server, error) {
	if s.current == nil {
		return nil, errors.New("no server was started: serve")
	}
	return s.current, nil
}

// send asks the current server and remembers the exchange; its body is what
// stdout looks at. A path that begins with "ops/" is one of the ops listener, and
// one that begins with "management/" is the operator's of the management listener.
func (s script) send(method, path, body string, headers ...string) error {
	running, err := s.server()
	if err != nil {
		return err
	}
	at, listener := running.decisions, "decisions"
	if rest, ok := cutListener(path, "ops"); ok {
		at, path, listener = running.ops, rest, "ops"
	} else if rest, ok := cutListener(path, "management"); ok {
		at, path, listener = running.administration, rest, "management"
		headers = append(headers, "Authorization: Bearer "+s.operatorKey())
	}
	if s.key != "" {
		headers = append([]string{"Authorization: Bearer " + s.key}, headers...)
	}
	if s.last, err = at.send(method, path, body, headers...); err != nil {
		return err
	}
	s.fresh = true
	return conforms(listener, s.last)
}

// postern runs the program with the script's environment and remembers its exit
// code. It fails when the program does.
func (s script) postern(args ...string) error {
	err := s.Exec(s.binary, args...)
	exit := new(exec.ExitError)
	s.code = 0
	s.last = exchange{method: "postern", url: strings.Join(args, " "), body: s.ReadFile("stdout")}
	for _, secret := range secretsIn(s.last.body) {
		written.secret(secret)
	}
	if errors.As(err, &exit) {
		s.code = exit.ExitCode()
	}
	return err
}

// A script is one line of a script as its command sees it.
type script struct {
	*testscript.TestScript
	*session
	neg bool // the line begins with "!"
}

// A word is one command of scripts.
type word struct {
	run func(script, []string) error
	// not allows "!", which wants the command to fail. A check that cannot tell
	// "not so" from "could not look" does not allow it.
	not bool
}

// command makes a word known to testscript. What fails shows the last exchange.
func (w word) command(ts *testscript.TestScript, neg bool, args []string) {
	s := script{ts, ts.Value(sessionKey{}).(*session), neg}
	if neg && !w.not {
		ts.Fatalf("! has no meaning here")
	}
	err := w.run(s, args)
	if s.fresh {
		fmt.Fprint(ts.Stdout(), s.last.body)
		s.fresh = false
	}
	switch {
	case err != nil && !neg:
		ts.Fatalf("%v\n%s", err, s.last)
	case err == nil && neg:
		ts.Fatalf("want it to fail, and it did not\n%s", s.last)
	}
}
