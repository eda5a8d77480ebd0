package test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// words are the commands of scripts beside testscript's own; README.md explains
// them.
func words() map[string]func(*testscript.TestScript, bool, []string) {
	commands := map[string]func(*testscript.TestScript, bool, []string){}
	for name, w := range map[string]word{
		"serve":       {run: serve, not: true},
		"on":          {run: on},
		"shutdown":    {run: shutdown},
		"crash":       {run: crash},
		"postern":     {run: script.run, not: true},
		"import":      {run: importFiles, not: true},
		"exits":       {run: exits},
		"post":        {run: post},
		"get":         {run: get},
		"key":         {run: key},
		"status":      {run: status},
		"decision":    {run: decision},
		"reason":      {run: reason, not: true},
		"header":      {run: header, not: true},
		"body":        {run: body},
		"ask":         {run: asks},
		"as":          {run: as},
		"save":        {run: save},
		"etag":        {run: etag},
		"mail":        {run: mails, not: true},
		"audit":       {run: audit, not: true},
		"await":       {run: await},
		"log":         {run: inLog, not: true},
		"decisionlog": {run: inDecisionLog, not: true},
		"metric":      {run: metric},
	} {
		commands[name] = w.command
	}
	return commands
}

// serve [NAME] [--FLAG...] [K=V...] starts a server that later lines talk to.
// With "!" it must end by itself instead; what it said is stderr.
func serve(s script, args []string) error {
	name, flags := "main", []string{}
	env, err := s.environment()
	if err != nil {
		return err
	}
	for _, arg := range args {
		switch {
		case strings.HasPrefix(arg, "--"):
			flags = append(flags, arg)
		case strings.Contains(arg, "="):
			env = append(env, arg)
		default:
			name = arg
		}
	}
	if s.servers[name] != nil {
		return fmt.Errorf("server %s runs already", name)
	}
	started, err := start(s.binary, s.MkAbs("."), env, flags...)
	if err != nil {
		return s.refused(started, err)
	}
	s.servers[name], s.current = started, started
	s.Setenv("DECISIONS", strings.TrimPrefix(started.decisions.base, "http://"))
	s.Setenv("MANAGEMENT", strings.TrimPrefix(started.administration.base, "http://"))
	s.Setenv("OPS", strings.TrimPrefix(started.ops.base, "http://"))
	return nil
}

// refused keeps what a server said that did not start.
func (s script) refused(ended *server, err error) error {
	if ended != nil {
		s.code = ended.cmd.ProcessState.ExitCode()
		fmt.Fprint(s.Stdout(), ended.stdout)
		fmt.Fprint(s.Stderr(), ended.stderr)
	}
	return err
}

// environment is that of the script, with the settings as the lines before have
// left them. They are in the script's log then, which helps to read a failure.
func (s script) environment() ([]string, error) {
	if err := s.Exec("sh", "-c", "env | grep ^POSTERN_ | sort"); err != nil {
		return nil, err
	}
	return append(slices.Clone(s.base), strings.Split(strings.TrimSpace(s.ReadFile("stdout")), "\n")...), nil
}

// on NAME makes later lines talk to another server.
func on(s script, args []string) error {
	running, err := s.named(args)
	s.current = running
	return err
}

// shutdown [NAME] ends a server as an operator does; it must end well.
func shutdown(s script, args []string) error {
	running, err := s.named(args)
	if err != nil {
		return err
	}
	s.forget(running)
	return running.stop()
}

// crash [NAME] ends a server as a power cut does.
func crash(s script, args []string) error {
	running, err := s.named(args)
	if err != nil {
		return err
	}
	s.forget(running)
	_ = running.kill() // "signal: killed" is what was wanted
	return nil
}

// named is the server of that name, or the one that was started without one.
func (s script) named(args []string) (*server, error) {
	name := "main"
	if len(args) > 0 {
		name = args[0]
	}
	if s.servers[name] == nil {
		return nil, fmt.Errorf("no server %s was started", name)
	}
	return s.servers[name], nil
}

func (s script) forget(ended *server) {
	for name, running := range s.servers {
		if running == ended {
			delete(s.servers, name)
		}
	}
	if s.current == ended {
		s.current = nil
	}
}

// postern ARGS... runs the program.
func (s script) run(args []string) error { return s.postern(args...) }

// import FILE... imports into the script's directory.
func importFiles(s script, args []string) error {
	return s.postern(append([]string{"import"}, args...)...)
}

// exits N wants the exit code of the last program or server that ended.
func exits(s script, args []string) error {
	if want := args[0]; strconv.Itoa(s.code) != want {
		return fmt.Errorf("exit code: got %d, want %s\n%s", s.code, want, s.ReadFile("stderr"))
	}
	return nil
}

// post PATH FILE [HEADER...] sends the file. HEADER is 'Name: value'.
func post(s script, args []string) error {
	if len(args) < 2 {
		return errors.New("want post PATH FILE [HEADER...]")
	}
	return s.send(http.MethodPost, args[0], s.ReadFile(args[1]), args[2:]...)
}

// get PATH [HEADER...]
func get(s script, args []string) error {
	return s.send(http.MethodGet, args[0], "", args[1:]...)
}

// cutListener finds out whether a path is one of another listener, by its first word.
func cutListener(path, listener string) (string, bool) {
	rest, ok := strings.CutPrefix(path, listener+"/")
	return "/" + rest, ok
}

// key [FILE] makes later requests carry the app key in FILE ("stdout" for one
// just created), or none.
func key(s script, args []string) error {
	s.session.key = ""
	if len(args) == 0 {
		return nil
	}
	text := s.ReadFile(args[0])
	found := regexp.MustCompile(`\bpk_([a-z0-9-]+)_[A-Za-z0-9_-]{43}`).FindStringSubmatch(text)
	if found == nil {
		return fmt.Errorf("%s holds no key: %s", args[0], text)
	}
	s.session.key = found[0]
	s.Setenv("KEY", found[0])
	s.Setenv("KEYID", found[1])
	return nil
}

// status N wants the status code of the last response.
func status(s script, args []string) error {
	if strconv.Itoa(s.last.status) != args[0] {
		return fmt.Errorf("status: got %d, want %s", s.last.status, args[0])
	}
	return nil
}

// decision allow|deny wants that answer, and nothing else that is no answer.
func decision(s script, args []string) error {
	got, err := s.last.decision()
	if err != nil {
		return err
	}
	if got.String() != args[0] {
		return fmt.Errorf("decision: got %s, want %s", got, args[0])
	}
	return nil
}

// reason RULE... wants the last decision to give each of these rules.
func reason(s script, args []string) error {
	got, err := s.last.decision()
	if err != nil {
		return err
	}
	for _, want := range args {
		if !slices.Contains(got.rules(), want) {
			return fmt.Errorf("reasons: got %q, want %s among them", got.rules(), want)
		}
	}
	return nil
}

// header NAME PATTERN wants a header of the last response to match.
func header(s script, args []string) error {
	return matches(args[1], strings.Join(s.last.header.Values(args[0]), ", "))
}

func matches(pattern, text string) error {
	re, err := regexp.Compile(`(?m)` + pattern)
	if err != nil {
		return err
	}
	if !re.MatchString(text) {
		return fmt.Errorf("got %q, want a match of %s", text, pattern)
	}
	return nil
}

// body FILE wants the last body to be JSON that has everything FILE has.
func body(s script, args []string) error {
	got, err := decode(s.last.body)
	if err != nil {
		return err
	}
	want, err := decode(s.ReadFile(args[0]))
	if err != nil {
		return err
	}
	if !includes(got, want) {
		return fmt.Errorf("the body lacks something of %s", args[0])
	}
	return nil
}

// ask SUBJECT ACTION RESOURCE [K=V...] -> allow|deny [RULE...] asks for one
// decision and wants that answer, with these rules among its reasons.
func asks(s script, args []string) error {
	arrow := slices.Index(args, "->")
	if arrow < 0 || arrow+1 == len(args) {
		return errors.New("want ask SUBJECT ACTION RESOURCE [K=V...] -> allow|deny [RULE...]")
	}
	q, err := ask(args[:arrow])
	if err != nil {
		return err
	}
	var headers []string
	if s.token != "" {
		headers = []string{"Postern-Consistency-Token: " + s.token}
	}
	if err := s.send(http.MethodPost, evaluation, q.json(), headers...); err != nil {
		return err
	}
	if err := decision(s, args[arrow+1:]); err != nil {
		return err
	}
	return reason(s, args[arrow+2:])
}

// await COMMAND ARGS... repeats a command until it succeeds. COMMAND is ask, metric,
// or status N get|post.
func await(s script, args []string) error {
	repeat := map[string]func(script, []string) error{"ask": asks, "metric": metric, "status": statusOf}[args[0]]
	if repeat == nil {
		return fmt.Errorf("%s cannot be awaited", args[0])
	}
	enough := time.Now().Add(patience)
	for {
		err := repeat(s, args[1:])
		if err == nil || time.Now().After(enough) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// statusOf sends a request and wants a status code: N get|post ARGS...
func statusOf(s script, args []string) error {
	request := map[string]func(script, []string) error{"get": get, "post": post}[args[1]]
	if request == nil {
		return fmt.Errorf("%s is not a request", args[1])
	}
	if err := request(s, args[2:]); err != nil {
		return err
	}
	return status(s, args)
}

// log PATTERN wants the current server to log a line that matches. With "!" it
// looks at once, and otherwise it waits for it.
func inLog(s script, args []string) error {
	return s.recorded(args[0], func(r *server) *record { return r.stderr })
}

// decisionlog PATTERN is log for the decision log.
func inDecisionLog(s script, args []string) error {
	return s.recorded(args[0], func(r *server) *record { return r.stdout })
}

func (s script) recorded(pattern string, of func(*server) *record) error {
	running, err := s.server()
	if err != nil {
		return err
	}
	re, err := regexp.Compile(`(?m)` + pattern)
	if err != nil {
		return err
	}
	found := re.MatchString
	if s.neg && found(of(running).String()) || !s.neg && of(running).await(running.done, found) {
		return nil
	}
	return fmt.Errorf("no line matches %s in\n%s", pattern, of(running))
}

// metric SERIES OP VALUE compares the sum of all series with that name and at
// least those labels, such as 'postern_decisions_total{decision="allow"}'.
func metric(s script, args []string) error {
	running, err := s.server()
	if err != nil {
		return err
	}
	page, err := running.ops.send(http.MethodGet, "/metrics", "")
	if err != nil {
		return err
	}
	want, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	got := sum(page.body, args[0])
	holds := map[string]bool{"==": got == want, "!=": got != want, "<": got < want, "<=": got <= want, ">": got > want, ">=": got >= want}
	if ok, known := holds[args[1]]; !known || !ok {
		return fmt.Errorf("%s: got %v, want %s %v", args[0], got, args[1], want)
	}
	return nil
}

// sum adds up the series of a metrics page.
func sum(page, series string) float64 {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	total := 0.0
	for line := range strings.Lines(page) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if !strings.Contains(line, "} ") {
			key, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		has, labelled, _ := strings.Cut(key, "{")
		if n, err := strconv.ParseFloat(value, 64); err == nil && has == name && labelledWith(labelled, labels) {
			total += n
		}
	}
	return total
}

func labelledWith(labelled, labels string) bool {
	for _, want := range strings.Split(labels, ",") {
		if want != "" && !slices.Contains(strings.Split(labelled, ","), want) {
			return false
		}
	}
	return true
}
