package test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// exampleUsers are the ids that the example applications know their users by.
const (
	memberRosa = "mem_01920000-0000-7000-8000-000000000007"
	userPaula  = "usr_01920000-0000-7000-8000-000000000005"
)

// TestExamples runs the applications of deploy/examples as their READMEs say,
// before a server of the demo that they ask over a socket, or over TCP through
// something that can be in the way.
func TestExamples(t *testing.T) {
	t.Parallel()
	demo := demoOnSocket(t)
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, module+"deploy/examples/go/nethttp", module+"deploy/examples/go/fiber").CombinedOutput(); err != nil {
		t.Fatalf("the examples in Go do not build: %v\n%s", err, out)
	}
	for name, e := range map[string]struct {
		account string // that is taken from rosa in this one
		command func(*testing.T) []string
	}{
		"net/http":   {"a-1002", func(*testing.T) []string { return []string{filepath.Join(bin, "nethttp")} }},
		"Fiber":      {"a-1003", func(*testing.T) []string { return []string{filepath.Join(bin, "fiber")} }},
		"TypeScript": {"a-1004", buildTypeScript},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := e.command(t)
			t.Run("over a socket", func(t *testing.T) {
				app := runApplication(t, command, demo.environment("unix://"+demo.socket))
				app.letsThroughWhoMay(t)
			})
			front := newFront(t, demo.socket)
			app := runApplication(t, command, demo.environment(front.server.URL))
			app.letsThroughWhoMay(t)
			app.passesOnWhatItWasSent(t, front)
			app.showsTheButtons(t, front)
			app.seesItsOwnChange(t, demo, front, e.account)
			app.asksOnceMore(t, front)
			app.failsClosed(t, front)
		})
	}
}

// TestExampleCurl wants the walk to print what its README shows.
func TestExampleCurl(t *testing.T) {
	t.Parallel()
	i := install(t)
	s, err := start(i.binary, i.dir, i.env, "--demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	cmd := exec.Command("../deploy/examples/curl/walk.sh")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "POSTERN_URL=" + s.decisions.base, "POSTERN_SERVER=" + s.administration.base,
		"POSTERN_TOKEN=" + operatorKey.FindString(s.stdout.String())}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("walk.sh: %v\n%s", err, out)
	}
	const page = "../deploy/examples/curl/README.md"
	for _, b := range blocks(t, page) {
		if b.language == "text" {
			r := reader{said: string(out)}
			r.compareText(t, b)
			return
		}
	}
	t.Errorf("%s does not show what the walk prints", page)
}

// buildTypeScript builds the example in TypeScript as its README says.
func buildTypeScript(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../deploy/examples/typescript")); err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("the example in TypeScript needs node 18 or newer and npm: install nodejs and npm")
	}
	runNPM(t, dir, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	runNPM(t, dir, "run", "build")
	return []string{node, filepath.Join(dir, "dist", "main.js")}
}

func runNPM(t *testing.T, dir string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", args...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm %s did not do it, as it does not where no registry answers: %v\n%s", args[0], err, out)
	}
}

// A demoServer is a demo that decides on a unix socket.
type demoServer struct {
	*server
	socket, key string
}

func demoOnSocket(t *testing.T) demoServer {
	t.Helper()
	socket := socketPath(t)
	i := install(t, "POSTERN_DECISIONS_LISTEN=unix://"+socket)
	s, err := start(i.binary, i.dir, i.env, "--demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	return demoServer{s, socket, operatorKey.FindString(s.stdout.String())}
}

// environment is what the applications are told.
func (d demoServer) environment(url string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LISTEN=127.0.0.1:0", "POSTERN_URL=" + url,
		"POSTERN_SERVER=" + d.administration.base, "POSTERN_TOKEN=" + d.key}
}

// give grants rosa an account, in Paula's name.
func (d demoServer) give(t *testing.T, account string) {
	t.Helper()
	x, err := d.administration.send(http.MethodPatch, "/v1/organizations/acme/members/"+memberRosa+"/grants",
		fmt.Sprintf(`{"add":{"accounts":[{"id":%q}]}}`, account), "Authorization: Bearer "+d.key, "Postern-Actor: "+userPaula)
	if err != nil || x.status != http.StatusOK {
		t.Fatalf("give %s: %v\n%s", account, err, x)
	}
}

// An application is a running example.
type application struct {
	endpoint
	log  *record
	done chan struct{} // closed when it has ended
}

func runApplication(t *testing.T, command, env []string) application {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	log, done := newRecord(), make(chan struct{})
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // it is killed
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	app := application{log: log, done: done}
	if !log.await(done, func(text string) bool {
		app.endpoint = logged(text, "serving")
		return app.base != ""
	}) {
		t.Fatalf("%q does not serve:\n%s", command, log)
	}
	t.Cleanup(app.client.CloseIdleConnections)
	return app
}

// wants sends a request of a user and wants a status.
func (a application) wants(t *testing.T, status int, user, method, path string, headers ...string) exchange {
	t.Helper()
	if user != "" {
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(user, "any")
		headers = append(headers, "Authorization: "+req.Header.Get("Authorization"))
	}
	x, err := a.send(method, path, "", headers...)
	if err != nil {
		t.Fatal(err)
	}
	if x.status != status {
		t.Errorf("%s: got %s, want %d", user, x, status)
	}
	return x
}

func (a application) letsThroughWhoMay(t *testing.T) {
	t.Helper()
	a.wants(t, 200, "rosa", "GET", "/services/a-1001")
	a.wants(t, 403, "rosa", "GET", "/services/a-7001")
	a.wants(t, 201, "rosa", "POST", "/services/a-1001/orders")
	a.wants(t, 403, "sam", "POST", "/services/a-1001/orders")
	a.wants(t, 401, "", "GET", "/services/a-1001")
	a.wants(t, 401, "nobody", "GET", "/services/a-1001")
}

func (a application) passesOnWhatItWasSent(t *testing.T, f *front) {
	t.Helper()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	a.wants(t, 201, "rosa", "POST", "/services/a-1001/orders", "X-Request-ID: from-the-balancer", "traceparent: "+parent)
	got := f.last()
	if got.Get("X-Request-ID") != "from-the-balancer" || got.Get("traceparent") != parent {
		t.Errorf("got X-Request-ID %q and traceparent %q passed on, want those of the request", got.Get("X-Request-ID"), got.Get("traceparent"))
	}
	a.wants(t, 201, "rosa", "POST", "/services/a-1001/orders", "X-Request-ID: "+strings.Repeat("x", 300))
	if conns := f.connections.Load(); conns != 1 {
		t.Errorf("got %d connections for requests one after the other, want 1", conns)
	}
}

// showsTheButtons wants the page to have what the user may do, and prices only
// where no obligation hides them.
func (a application) showsTheButtons(t *testing.T, f *front) {
	t.Helper()
	for user, want := range map[string]struct {
		price   bool
		buttons []string
	}{
		"paula": {true, []string{"Configure", "Order", "Report a fault", "Call records"}},
		"rosa":  {true, []string{"Configure", "Order", "Report a fault"}},
		"sam":   {false, []string{"Report a fault"}},
	} {
		page := a.wants(t, 200, user, "GET", "/services/a-1001").body
		if got := buttons(page); !slices.Equal(got, want.buttons) || strings.Contains(page, "42.00") != want.price {
			t.Errorf("%s: got the page %s, want the buttons %q and a price: %v", user, page, want.buttons, want.price)
		}
	}
	for _, wrong := range []string{`{"evaluations":[{"decision":true}]}`, `{"decision":true}`, `{"evaluations":{"0":{"decision":true}}}`,
		`{"evaluations":[{"decision":true,"context":{"error":{}}},{"decision":1},{},{"decision":"true"}]}`, `{"evaluations":[null,null,null,null]}`} {
		f.answer(func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "evaluations") && says(wrong)(w, r)
		})
		if page := a.wants(t, 200, "paula", "GET", "/services/a-1001").body; len(buttons(page)) > 0 {
			t.Errorf("for the answer %s: got the buttons %q, want none", wrong, buttons(page))
		}
	}
	f.answer(nil)
}

func buttons(page string) (all []string) {
	for part := range strings.SplitSeq(page, "<button>") {
		if label, _, ok := strings.Cut(part, "</button>"); ok {
			all = append(all, label)
		}
	}
	return all
}

// seesItsOwnChange wants the decision after a change to be asked for with its
// consistency token.
func (a application) seesItsOwnChange(t *testing.T, d demoServer, f *front, account string) {
	t.Helper()
	d.give(t, account)
	a.wants(t, 403, "rosa", "DELETE", "/members/"+memberRosa+"/accounts/"+account)
	a.wants(t, 200, "paula", "DELETE", "/members/"+memberRosa+"/accounts/"+account)
	a.wants(t, 403, "rosa", "GET", "/services/"+account)
	token := f.last().Get("Postern-Consistency-Token")
	if token == "" {
		t.Error("the decision after a change was asked for without its consistency token")
	}
	a.wants(t, 403, "sam", "POST", "/services/a-1001/orders")
	if other := f.last().Get("Postern-Consistency-Token"); other != "" {
		t.Errorf("got the token %s sent for somebody who was not changed, want none", other)
	}
	f.answer(once(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusConflict)
		return true
	}))
	a.wants(t, 503, "rosa", "GET", "/services/a-1001")
	a.wants(t, 201, "rosa", "POST", "/services/a-1001/orders")
	if lost := f.last().Get("Postern-Consistency-Token"); lost != "" {
		t.Errorf("got the token %s sent of a state that was lost, want none", lost)
	}
	f.answer(nil)
}

// asksOnceMore wants one more attempt where the answer says when, and no third.
func (a application) asksOnceMore(t *testing.T, f *front) {
	t.Helper()
	busy := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	f.answer(once(busy))
	began := time.Now()
	a.wants(t, 201, "rosa", "POST", "/services/a-1001/orders")
	if took := time.Since(began); took < time.Second {
		t.Errorf("it asked again after %v, want it to wait for a second", took)
	}
	f.answer(busy)
	before := f.requests.Load()
	a.wants(t, 503, "rosa", "POST", "/services/a-1001/orders")
	if asked := f.requests.Load() - before; asked != 2 {
		t.Errorf("got %d attempts, want 2", asked)
	}
	f.answer(nil)
}

// failsClosed wants a refusal, with its cause in the log, whatever the answer is.
func (a application) failsClosed(t *testing.T, f *front) {
	t.Helper()
	for name, wrong := range wrongAnswers() {
		f.answer(wrong)
		before := refusals(a.log.String())
		x := a.wants(t, 503, "rosa", "POST", "/services/a-1001/orders")
		if t.Failed() {
			t.Fatalf("%s: got %s", name, x)
		}
		if !a.log.await(a.done, func(text string) bool { return refusals(text) > before }) {
			t.Errorf("%s: the log does not say why", name)
		}
	}
	f.answer(hangs)
	began := time.Now()
	a.wants(t, 503, "rosa", "POST", "/services/a-1001/orders")
	if took := time.Since(began); took < time.Second || took > 10*time.Second {
		t.Errorf("got an answer after %v while Postern hung, want it at the deadline of 2 s", took)
	}
	f.close()
	a.wants(t, 503, "rosa", "POST", "/services/a-1001/orders")
	a.wants(t, 503, "rosa", "GET", "/services/a-1001")
}

// refusals counts the causes that a log gives for refusing without a decision.
func refusals(log string) int {
	return strings.Count(log, "refused because there is no decision")
}
