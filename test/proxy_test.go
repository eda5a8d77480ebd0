package test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// An edge is a proxy in front of an application that asks Postern, with the
// configuration that is shipped: on one address users come with a JWT, on the
// other one the proxy signs them in.
type edge struct {
	name              string
	tokens, passwords string // host:port
	reasons           bool   // the body of a denial goes through
	down              int    // its answer while Postern is
}

// edgePassword is everybody's.
const edgePassword = "correct-horse"

// edges starts nginx, Caddy and HAProxy.
func edges(t *testing.T, postern, application string) []edge {
	t.Helper()
	return []edge{
		nginx(t, postern, application),
		caddy(t, postern, application),
		haproxy(t, postern, application),
	}
}

func nginx(t *testing.T, postern, application string) edge {
	f, dir := edge{name: "nginx", tokens: freeAddress(t), passwords: freeAddress(t), down: 500}, t.TempDir()
	put(t, dir, "users", "rosa:{PLAIN}"+edgePassword+"\nregina:{PLAIN}"+edgePassword+"\n")
	put(t, dir, "postern.conf", f.shipped(t, "nginx/postern.conf", postern, application, "/etc/nginx/users", filepath.Join(dir, "users")))
	put(t, dir, "nginx.conf", `error_log stderr warn; pid nginx.pid; worker_processes 1; events {}
http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; include postern.conf; }`)
	as := "daemon off;"
	if os.Geteuid() == 0 {
		as += " user root;" // the directory is nobody else's
	}
	f.run(t, tool(t, "nginx"), "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"), "-g", as)
	return f
}

func caddy(t *testing.T, postern, application string) edge {
	f, dir := edge{name: "Caddy", tokens: freeAddress(t), passwords: freeAddress(t), reasons: true, down: 502}, t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte(edgePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "users", fmt.Sprintf("rosa %s\nregina %s\n", hash, hash))
	path := put(t, dir, "Caddyfile", f.shipped(t, "caddy/Caddyfile", postern, application, "/etc/caddy/users", filepath.Join(dir, "users")))
	f.run(t, tool(t, "caddy"), "run", "--config", path, "--adapter", "caddyfile")
	return f
}

func haproxy(t *testing.T, postern, application string) edge {
	f, dir := edge{name: "HAProxy", tokens: freeAddress(t), passwords: freeAddress(t), reasons: true, down: 503}, t.TempDir()
	users := put(t, dir, "users.cfg", "userlist portal\n  user rosa insecure-password "+edgePassword+"\n  user regina insecure-password "+edgePassword+"\n")
	script, err := os.ReadFile("../deploy/proxies/haproxy/postern.lua")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Base(filepath.Dir(dir)) // its name is this machine's, not this directory's
	lua := put(t, dir, "postern.lua", strings.ReplaceAll(string(script), "abns@postern", "abns@"+socket))
	path := put(t, dir, "haproxy.cfg", f.shipped(t, "haproxy/haproxy.cfg", postern, application, "/etc/haproxy/postern.lua", lua, "abns@postern", "abns@"+socket))
	f.run(t, tool(t, "haproxy"), "-db", "-f", path, "-f", users)
	return f
}

// shipped is a file of deploy/proxies, with the addresses and paths of here.
func (f edge) shipped(t *testing.T, name, postern, application string, more ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../deploy/proxies", name))
	if err != nil {
		t.Fatal(err)
	}
	port := func(address string) string { return address[strings.LastIndex(address, ":"):] }
	for _, pair := range slices.Collect(slices.Chunk(append(more,
		":8080", port(f.tokens), ":8081", port(f.passwords), "127.0.0.1:8181", postern, "127.0.0.1:9000", application), 2)) {
		if !bytes.Contains(text, []byte(pair[0])) {
			t.Errorf("%s says nothing of %s", name, pair[0])
		}
		text = bytes.ReplaceAll(text, []byte(pair[0]), []byte(pair[1]))
	}
	return string(text)
}

// run runs a proxy until the test ends.
func (f edge) run(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd, said := exec.Command(program, args...), newRecord()
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // how is not told by its code
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", f.name, said)
		}
	})
	for _, address := range []string{f.tokens, f.passwords} {
		if err := reachable(address, ended); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
	}
}

// reachable waits until somebody listens at an address.
func reachable(address string, ended <-chan struct{}) error {
	enough := time.After(patience)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("it has ended")
		case <-enough:
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tool is a program that Debian may keep out of the PATH of its users.
func tool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("there is no %s: test/run installs it", name)
	}
	return path
}

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A protected application remembers what reaches it.
type protected struct {
	mu   sync.Mutex
	seen []reached
}

type reached struct {
	*http.Request
	body []byte
}

func (p *protected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.seen = append(p.seen, reached{r, body})
	p.mu.Unlock()
	w.Header().Set("X-Application", "reached")
	if strings.HasSuffix(r.URL.Path, "/moved") {
		http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
	}
}

// take is what has reached it since the last time.
func (p *protected) take() []reached {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = nil
	return seen
}

// knock sends a request as it is written, with a Host and a body.
func knock(t *testing.T, address, line, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := line + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	if body != "" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	_, err = io.WriteString(c, text+"\r\n"+body)
	if err := errors.Join(err, c.SetDeadline(time.Now().Add(patience))); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return resp, string(answer)
}

// TestProxiesLetThroughWhatIsPermitted asks nginx, Caddy and HAProxy, with the
// files of deploy/proxies, in front of one application.
func TestProxiesLetThroughWhatIsPermitted(t *testing.T) {
	t.Parallel()
	i, idp := guardedPortal(t)
	directory := i.serve(t)
	s := i.following(t, directory).serve(t)
	application := &protected{}
	behind := httptest.NewServer(application)
	defer behind.Close()
	w := &guarded{application: application, rosa: "Authorization: Bearer " + idp.token("rosa", nil, nil), regina: "Authorization: Bearer " + idp.token("regina", nil, nil)}
	all := edges(t, strings.TrimPrefix(s.decisions.base, "http://"), strings.TrimPrefix(behind.URL, "http://"))
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) { w.check(t, f) })
	}
	if err := directory.stop(); err != nil {
		t.Fatal(err)
	}
	awaitAnswer(t, s.ops, "/readyz?verbose", http.StatusOK, "[+]directory ok, but stale")
	for _, f := range all {
		t.Run(f.name+" while the directory is away", func(t *testing.T) { w.checkStale(t, f) })
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		t.Run(f.name+" while Postern is down", func(t *testing.T) { w.checkDown(t, f) })
	}
}

// portalServer is a server of a portal.
func portalServer(t *testing.T) (*server, issuer) {
	t.Helper()
	i, idp := guardedPortal(t)
	return i.serve(t), idp
}

// following is an installation of the same kind that follows the directory of a
// server, and goes on when that is away.
func (i installation) following(t *testing.T, directory *server) installation {
	t.Helper()
	i = i.elsewhere(t)
	i.env = append(i.env, "POSTERN_ONLY=decisions", "POSTERN_MAX_STALENESS=2s", "POSTERN_SERVE_STALE_FOR=1h",
		"POSTERN_DIRECTORY_URL="+directory.administration.base,
		"POSTERN_DIRECTORY_TOKEN="+office{directory, t, directory.operatorKey()}.replicate())
	return i
}

// guardedPortal is an installation for which bundles/proxy says what requests mean, and
// the issuer of its users' tokens.
func guardedPortal(t *testing.T) (installation, issuer) {
	t.Helper()
	idp := issuer{t, newKey(t)}
	overlay, err := filepath.Abs("../bundles/proxy")
	if err != nil {
		t.Fatal(err)
	}
	i := install(t, "POSTERN_OVERLAYS="+overlay, "POSTERN_TRUSTED_PROXIES=127.0.0.0/8", "POSTERN_PROXY_SUBJECT_HEADER=Remote-User",
		"POSTERN_SECRET="+strings.Repeat("s3cr3t", 8),
		"POSTERN_JWT_ISSUER=https://id.example", "POSTERN_JWT_AUDIENCE=postern", "POSTERN_JWT_USER_CLAIM=preferred_username")
	i.env = append(i.env, "POSTERN_JWT_KEYS="+i.file(t, "keys.json", idp.keys()))
	i.run(t, "import", acme(t))
	return i, idp
}

type guarded struct {
	application  *protected
	rosa, regina string
}

// wants sends a request and wants a status; anything but a 200 or the
// application's own redirect has not reached the application.
func (w *guarded) wants(t *testing.T, status int, address, line, body string, headers ...string) (*http.Response, string, reached) {
	t.Helper()
	w.application.take()
	resp, text := knock(t, address, line, body, headers...)
	seen := w.application.take()
	if resp.StatusCode != status {
		t.Errorf("%s with %.60q: got %d %s, want %d", line, headers, resp.StatusCode, text, status)
	}
	through := status < 400
	if through != (len(seen) == 1) || through != (resp.Header.Get("X-Application") != "") {
		t.Errorf("%s with %.60q: %d requests reached the application, with %d", line, headers, len(seen), resp.StatusCode)
	}
	if len(seen) != 1 {
		return resp, text, reached{&http.Request{Header: http.Header{}}, nil}
	}
	return resp, text, seen[0]
}

const services = "/accounts/a-1001/services"

func (w *guarded) check(t *testing.T, f edge) {
	t.Run("allowed", func(t *testing.T) {
		_, _, got := w.wants(t, 200, f.tokens, "GET "+services+"?q=a%20b", "", w.rosa)
		got.says(t, "rosa", "read_only")
		if got.RequestURI != services+"?q=a%20b" || got.Header.Get("X-Postern-Decision-Id") == "" || got.Host != f.tokens {
			t.Errorf("got %s of %s with %v", got.RequestURI, got.Host, got.Header)
		}
	})
	t.Run("denied", func(t *testing.T) {
		resp, body, _ := w.wants(t, 403, f.tokens, "POST "+services, "{}", w.rosa)
		if f.reasons && (!strings.Contains(body, "access.role_lacks_action") || resp.Header.Get("Content-Type") != "application/problem+json") {
			t.Errorf("got %v %s, want the problem with its reasons", resp.Header, body)
		}
		w.wants(t, 403, f.tokens, "GET /nothing", "", w.rosa)
		w.wants(t, 403, f.tokens, "DELETE "+services+"/s1", "", w.rosa)
	})
	t.Run("unauthenticated", func(t *testing.T) {
		for _, headers := range [][]string{nil, {"Authorization: Bearer forged.by.me"}, {"Remote-User: paula"}, {"X-Postern-Subject: paula"}, {"Remote-User: paula", "X-Forwarded-Uri: /health"}} {
			resp, _, _ := w.wants(t, 401, f.tokens, "GET "+services, "", headers...)
			if got := resp.Header.Get("WWW-Authenticate"); got != `Bearer realm="postern"` {
				t.Errorf("got WWW-Authenticate %q", got)
			}
		}
	})
	t.Run("identity that is made up", func(t *testing.T) { w.checkSpoofedIdentity(t, f) })
	t.Run("requests that are made up", func(t *testing.T) { w.checkSpoofedRequests(t, f) })
	t.Run("paths that could be read in two ways", func(t *testing.T) {
		for _, path := range []string{"//health", "/accounts/../health", "/health/%2e%2e/accounts/a-1001/services", "/assets/..%2faccounts", "/assets/%252e%252e/x", "/assets/..;/x", `/assets\..\x`, "/assets/%5c..", "/assets/%00"} {
			resp, _ := knock(t, f.tokens, "GET "+path, "", w.rosa)
			if seen := w.application.take(); len(seen) > 0 || resp.StatusCode != 403 && resp.StatusCode != 400 {
				t.Errorf("%s: got %d, and %d requests reached the application", path, resp.StatusCode, len(seen))
			}
		}
	})
	t.Run("bodies", func(t *testing.T) { w.checkBodies(t, f) })
	t.Run("other methods, and a redirect", func(t *testing.T) {
		_, _, got := w.wants(t, 200, f.tokens, "HEAD "+services, "", w.rosa)
		if got.Method != "HEAD" {
			t.Errorf("got %s, want HEAD", got.Method)
		}
		resp, _, _ := w.wants(t, 303, f.tokens, "GET "+services+"/moved", "", w.rosa)
		if resp.Header.Get("Location") != "/elsewhere" {
			t.Errorf("got a redirect to %q", resp.Header.Get("Location"))
		}
		_, _, got = w.wants(t, 200, f.tokens, "PATCH /accounts/a-1001/tickets/t1", "{}", w.regina)
		got.says(t, "regina", "regular")
		w.wants(t, 403, f.tokens, "OPTIONS "+services, "", w.rosa)
	})
	t.Run("users whom the proxy signs in", func(t *testing.T) { w.checkPasswords(t, f) })
}

// says wants the application to be told who it is, once, and nothing that the
// client made up in any spelling.
func (r reached) says(t *testing.T, subject, role string) {
	t.Helper()
	for name, want := range map[string]string{"X-Postern-Subject": subject, "X-Postern-Role": role} {
		if got := r.Header.Values(name); strings.Join(got, ",") != want || len(got) > 1 {
			t.Errorf("the application is told %s %q, want %q", name, got, want)
		}
	}
	for name, values := range r.Header {
		plain := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		made := slices.Contains([]string{"remote-user", "postern-app-key", "x-original-url", "x-original-method", "x-http-method-override", "x-rewrite-url"}, plain)
		if strings.Contains(name, "_") || made && strings.Join(values, "") != "" {
			t.Errorf("the application is told %s %q", name, values)
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "paula") }) {
			t.Errorf("the application is told %s %q, which the client made up", name, values)
		}
	}
}

func (w *guarded) checkSpoofedIdentity(t *testing.T, f edge) {
	made := []string{
		"X-Postern-Subject: paula", "x-postern-subject: paula", "X_Postern_Subject: paula", "X-Postern_Subject: paula", "X-Postern-Role: paula",
		"X-Postern-Decision-Id: paula", "X-Postern-Obligations: paula", "X-Postern-Stale: paula", "Remote-User: paula", "Remote_User: paula", "X-Forwarded-For: paula",
	}
	_, _, got := w.wants(t, 200, f.tokens, "GET "+services, "", append(made, w.rosa)...)
	got.says(t, "rosa", "read_only")
	_, _, got = w.wants(t, 200, f.tokens, "GET /health", "", made...)
	got.says(t, "", "")
	w.wants(t, 401, f.tokens, "GET "+services, "", made...)
	w.wants(t, 403, f.tokens, "POST "+services, "{}", append(made, w.rosa)...)
}

func (w *guarded) checkSpoofedRequests(t *testing.T, f edge) {
	made := []string{
		"X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: portal.example", "X-Forwarded-Uri: /health",
		"X-Original-Method: GET", "X-Original-URL: http://portal.example/health", "X_Forwarded_Uri: /health", "X-Rewrite-URL: /health",
		"X-HTTP-Method-Override: GET", "X-Request-ID: " + strings.Repeat("x", 300), "Postern-App-Key: pk_made_up",
	}
	w.wants(t, 403, f.tokens, "POST "+services, "{}", append(made, w.rosa)...)
	w.wants(t, 403, f.tokens, "GET /accounts/a-2001", "", append(made, w.rosa)...)
	w.wants(t, 401, f.tokens, "GET "+services, "", made...)
	_, _, got := w.wants(t, 200, f.tokens, "GET "+services, "", append(made, w.rosa)...)
	got.says(t, "rosa", "read_only")
	resp, _ := knock(t, f.tokens, "GET "+services, "", w.rosa, w.regina)
	if seen := w.application.take(); len(seen) > 0 || resp.StatusCode < 400 {
		t.Errorf("with two tokens got %d, and %d requests reached the application", resp.StatusCode, len(seen))
	}
}

func (w *guarded) checkBodies(t *testing.T, f edge) {
	raw := make([]byte, 300<<10)
	_, _ = rand.Read(raw) // it never fails
	for _, headers := range [][]string{nil, {"Content-Encoding: gzip", "Content-Type: application/octet-stream"}, {"Expect: 100-continue"}} {
		if len(headers) == 1 {
			continue
		}
		_, _, got := w.wants(t, 200, f.tokens, "POST /accounts/a-1001/tickets", string(raw), append(headers, w.regina)...)
		if !bytes.Equal(got.body, raw) || got.Method != "POST" {
			t.Errorf("with %q got %s with %d bytes, want the %d that were sent", headers, got.Method, len(got.body), len(raw))
		}
	}
	var chunked strings.Builder
	for part := range slices.Chunk(raw, 64<<10) {
		fmt.Fprintf(&chunked, "%x\r\n%s\r\n", len(part), part)
	}
	w.application.take()
	c, err := net.Dial("tcp", f.tokens)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /accounts/a-1001/tickets HTTP/1.1\r\nHost: h\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n", w.regina, chunked.String())
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if seen := w.application.take(); resp.StatusCode != 200 || len(seen) != 1 || !bytes.Equal(seen[0].body, raw) {
		t.Errorf("in chunks: got %d, and %d requests reached the application", resp.StatusCode, len(seen))
	}
}

func (w *guarded) checkPasswords(t *testing.T, f edge) {
	basic := func(user, password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return "Authorization: " + r.Header.Get("Authorization")
	}
	_, _, got := w.wants(t, 200, f.passwords, "GET "+services, "", basic("rosa", edgePassword), "Remote-User: paula", "Remote_User: paula")
	got.says(t, "rosa", "read_only")
	if got.Header.Get("Authorization") != "" {
		t.Errorf("the application is told the password")
	}
	w.wants(t, 403, f.passwords, "POST "+services, "{}", basic("rosa", edgePassword))
	_, _, got = w.wants(t, 200, f.passwords, "POST /accounts/a-1001/tickets", "{}", basic("regina", edgePassword))
	got.says(t, "regina", "regular")
	w.wants(t, 401, f.passwords, "GET "+services, "", basic("rosa", "wrong"), "Remote-User: rosa")
	w.wants(t, 401, f.passwords, "GET "+services, "", "Remote-User: rosa")
	w.wants(t, 401, f.passwords, "GET "+services, "", w.rosa)
}

// checkStale wants the application to know what it is told on old facts, from
// Postern and not from the client.
func (w *guarded) checkStale(t *testing.T, f edge) {
	_, _, got := w.wants(t, 200, f.tokens, "GET "+services, "", w.rosa, "X-Postern-Stale: false")
	got.says(t, "rosa", "read_only")
	if stale := got.Header.Values("X-Postern-Stale"); !slices.Equal(stale, []string{"true"}) {
		t.Errorf("the application is told X-Postern-Stale %q, want true", stale)
	}
	_, _, got = w.wants(t, 200, f.tokens, "GET /health", "", "X-Postern-Stale: true")
	if stale := got.Header.Get("X-Postern-Stale"); stale != "" {
		t.Errorf("the application is told X-Postern-Stale %q of what nobody decided", stale)
	}
}

func (w *guarded) checkDown(t *testing.T, f edge) {
	w.wants(t, f.down, f.tokens, "GET "+services, "", w.rosa)
	w.wants(t, f.down, f.tokens, "GET /health", "")
	w.wants(t, f.down, f.tokens, "POST /accounts/a-1001/tickets", "{}", w.regina)
}
