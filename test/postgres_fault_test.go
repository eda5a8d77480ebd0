package test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/store/storetest"
)

// faulty is a PostgreSQL server that tests freeze and kill. None of them runs
// beside another. What it said that it has committed it keeps.
var faulty = storetest.Postgres{Settings: []string{"synchronous_commit=on"}}

// viewed is what the tests of faults ask; rosa holds the account.
const viewed = "login:rosa service.view account:a-1001"

// onFaulty is an installation on a database of the server that fails, with the
// directory acme.ndjson in it. Its secret is that of others on the same one.
func onFaulty(t *testing.T, settings ...string) installation {
	t.Helper()
	i := install(t, append([]string{"POSTERN_DATABASE=" + faulty.DSN(t), "POSTERN_SECRET=" + strings.Repeat("s3cr3t", 8)}, settings...)...)
	i.run(t, "migrate")
	i.run(t, "import", acme(t))
	return i
}

// by has an installation reach its database at another address.
func (i *installation) by(t *testing.T, addr string) {
	t.Helper()
	u, err := url.Parse(i.database())
	if err != nil {
		t.Fatal(err)
	}
	i.env = append(i.env, "POSTERN_DATABASE=postgres://postgres@"+addr+u.Path+"?sslmode=disable")
}

// database is the DSN of an installation; the last one counts.
func (i *installation) database() (dsn string) {
	for _, setting := range i.env {
		if value, ok := strings.CutPrefix(setting, "POSTERN_DATABASE="); ok {
			dsn = value
		}
	}
	return dsn
}

// sql runs statements in the database of an installation and returns what they say.
func (i *installation) sql(t *testing.T, words string) string {
	t.Helper()
	out, err := exec.Command("psql", "-XtAq", "-c", words, i.database()).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}

// metric is the sum of series of the server.
func (s *server) metric(t testing.TB, series string) float64 {
	t.Helper()
	x, err := s.ops.send(http.MethodGet, "/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	return sum(x.body, series)
}

// awaitMetric waits until the sum of series is as it should be.
func (s *server) awaitMetric(t testing.TB, series string, so func(float64) bool) {
	t.Helper()
	got := 0.0
	for enough := time.Now().Add(patience); time.Now().Before(enough); time.Sleep(20 * time.Millisecond) {
		if got = s.metric(t, series); so(got) {
			return
		}
	}
	t.Fatalf("%s is %v", series, got)
}

func is(want float64) func(float64) bool      { return func(got float64) bool { return got == want } }
func atLeast(want float64) func(float64) bool { return func(got float64) bool { return got >= want } }

// An attempt is one decision that was asked for, and what came of it.
type attempt struct {
	since time.Duration // the fault, when it was asked
	took  time.Duration
	exchange
	err error
}

func (a attempt) allowed() bool {
	got, err := a.decision()
	return a.err == nil && err == nil && *got.Decision
}

// askSince asks for one decision and notes when.
func (s *server) askSince(t *testing.T, fault time.Time, words string) attempt {
	t.Helper()
	q, err := ask(strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	a := attempt{since: time.Since(fault)}
	a.exchange, a.err = s.decisions.send(http.MethodPost, evaluation, q.json())
	a.took = time.Since(fault) - a.since
	return a
}

// F09: a server whose directory is down waits for it. It says so to whoever
// probes it, and serves once the directory answers.
func TestF09AServerWaitsForItsDirectory(t *testing.T) {
	i := onFaulty(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	i.env = append(i.env, "POSTERN_OPS_LISTEN="+address)
	faulty.Process().Kill()
	type outcome struct {
		*server
		error
	}
	started := make(chan outcome, 1)
	go func() { s, err := start(i.binary, i.dir, i.env); started <- outcome{s, err} }()
	early := server{ops: dial(address)}
	awaitAnswer(t, early.ops, "/readyz", http.StatusServiceUnavailable, "the database does not answer")
	awaitAnswer(t, early.ops, "/livez", http.StatusOK, "ok")
	early.awaitMetric(t, `postern_dependency_errors_total{dependency="database",operation="open"}`, atLeast(2))
	if up := early.metric(t, `postern_dependency_up{dependency="database"}`); up != 0 {
		t.Errorf("got a database that is up (%v), want none", up)
	}
	faulty.Restart(t)
	s := <-started
	if s.error != nil {
		t.Fatal(s.error)
	}
	defer s.stop() //nolint:errcheck // the test is over
	awaitAnswer(t, s.ops, "/readyz", http.StatusOK, "ok")
	if !s.decides(t, viewed) {
		t.Error("got a denial of what was granted")
	}
	s.awaitMetric(t, `postern_dependency_up{dependency="database"}`, is(1))
}

// awaitAnswer waits for a status and a text.
func awaitAnswer(t *testing.T, at endpoint, path string, status int, text string) {
	t.Helper()
	var x exchange
	for enough := time.Now().Add(patience); time.Now().Before(enough); time.Sleep(20 * time.Millisecond) {
		if x, _ = at.send(http.MethodGet, path, ""); x.status == status && strings.Contains(x.body, text) {
			return
		}
	}
	t.Fatalf("got %s\nwant %d with %q", x, status, text)
}

// F10: while the directory is down, decisions go on from what is cached for as
// long as the bound allows and not longer; administration says when to come back.
// Nothing is left behind of requests that waited.
func TestF10DecisionsGoOnWithinTheBoundWhileTheDirectoryIsDown(t *testing.T) {
	const bound, deadline, slack = 2 * time.Second, 300 * time.Millisecond, 700 * time.Millisecond
	i := onFaulty(t, "POSTERN_MAX_STALENESS="+bound.String(), "POSTERN_DECISIONS_TIMEOUT="+deadline.String(), "POSTERN_MANAGEMENT_TIMEOUT=1s")
	s := i.serve(t)
	o := office{s, t, s.operatorKey()}
	for _, fault := range []struct {
		name        string
		break_, end func()
	}{
		{"killed", func() { faulty.Process().Kill() }, func() { faulty.Restart(t) }},
		{"frozen", func() { faulty.Process().Freeze() }, func() { faulty.Process().Thaw() }},
	} {
		for !s.decides(t, viewed) || s.metric(t, "postern_grants_staleness_seconds") > 0.5 {
			time.Sleep(20 * time.Millisecond)
		}
		routines := s.metric(t, "go_goroutines")
		cut := time.Now()
		fault.break_()
		answered, refused := 0, 0
		for time.Since(cut) < bound+time.Second {
			switch a := s.askSince(t, cut, viewed); {
			case a.since < bound-slack && !a.allowed():
				t.Errorf("%s: got %v %s after %v, want an allow from what is cached", fault.name, a.err, a, a.since)
			case a.since > bound && a.status != http.StatusServiceUnavailable:
				t.Errorf("%s: got %v %s after %v, want a 503", fault.name, a.err, a, a.since)
			case a.took > deadline+slack:
				t.Errorf("%s: a decision took %v, want %v at most", fault.name, a.took, deadline)
			case a.allowed():
				answered++
			default:
				refused++
			}
			time.Sleep(5 * time.Millisecond)
		}
		asked := time.Now()
		x, err := o.asks(http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME `+fault.name+`"}`)
		if err != nil || x.status != http.StatusServiceUnavailable || x.header.Get("Retry-After") == "" || time.Since(asked) > time.Second+slack {
			t.Errorf("%s: got %v %s after %v, want a 503 that says when to come back", fault.name, err, x, time.Since(asked))
		}
		if up, age := s.metric(t, `postern_dependency_up{dependency="database"}`), s.metric(t, "postern_grants_staleness_seconds"); up != 0 || age < bound.Seconds() {
			t.Errorf("%s: got up %v and an age of %v, want 0 and the bound", fault.name, up, age)
		}
		fault.end()
		over := time.Now()
		for !s.askSince(t, cut, viewed).allowed() {
			if time.Since(over) > patience {
				t.Fatalf("%s: no decision after %v", fault.name, patience)
			}
		}
		t.Logf("%s: %d decisions within the bound, %d refused; decided %v after it was back", fault.name, answered, refused, time.Since(over))
		s.awaitMetric(t, `postern_dependency_up{dependency="database"}`, is(1))
		s.awaitMetric(t, "go_goroutines", func(got float64) bool { return got < routines+10 })
		if open := s.metric(t, `go_sql_open_connections`); open > 11 {
			t.Errorf("%s: got %v connections, want 11 at most", fault.name, open)
		}
		o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME after"}`)
	}
}

// F10, F12: a directory that is killed and is back within the bound costs no
// decision that is cached, and writes fail no longer than it is away.
func TestF12ADirectoryThatRestartsCostsNoCachedDecision(t *testing.T) {
	i := onFaulty(t, "POSTERN_DECISIONS_TIMEOUT=1s", "POSTERN_MANAGEMENT_TIMEOUT=2s")
	s := i.serve(t)
	o := office{s, t, s.operatorKey()}
	s.decides(t, viewed)
	over, ended := make(chan struct{}), make(chan [2]int, 1)
	go func() {
		var asked, failed int
		for {
			select {
			case <-over:
				ended <- [2]int{asked, failed}
				return
			default:
			}
			if asked++; !s.askSince(t, time.Now(), viewed).allowed() {
				failed++
			}
		}
	}()
	cut := time.Now()
	faulty.Process().Kill()
	faulty.Restart(t)
	back, refused := time.Now(), 0
	for {
		x, err := o.asks(http.MethodPatch, "/v1/organizations/acme", fmt.Sprintf(`{"name":"ACME %d"}`, refused))
		if err == nil && x.status == http.StatusOK {
			break
		}
		if refused++; err != nil || x.status != http.StatusServiceUnavailable || time.Since(back) > patience {
			t.Fatalf("got %v %s, want a 503 until it is back", err, x)
		}
	}
	wrote := time.Since(back)
	close(over)
	got := <-ended
	if got[1] > 0 || got[0] < 10 {
		t.Errorf("got %d of %d decisions that failed, want none", got[1], got[0])
	}
	t.Logf("%d decisions, %d failed; away for %v; %d writes refused after it was back, the first kept after %v", got[0], got[1], back.Sub(cut), refused, wrote)
}

// F36: a server refuses a schema that is behind or ahead, with both versions,
// and a migration that is killed leaves the old one or the new one.
func TestF36OnlyTheRightSchemaIsServed(t *testing.T) {
	i := install(t, "POSTERN_DATABASE="+faulty.DSN(t))
	refuses := func(args []string, words ...string) {
		t.Helper()
		out, err := i.command(args...).CombinedOutput()
		for _, word := range words {
			if err == nil || !strings.Contains(string(out), word) {
				t.Errorf("postern %q: got %v %s, want a refusal with %q", args, err, out, word)
			}
		}
	}
	refuses([]string{"serve"}, "version 0", "postern migrate")
	begun := time.Now()
	i.run(t, "migrate")
	took := time.Since(begun)
	newest := i.sql(t, "SELECT max(version_id) FROM schema_versions")
	i.sql(t, "INSERT INTO schema_versions (version_id, is_applied) VALUES (9999, TRUE)")
	refuses([]string{"serve"}, "version 9999", "only "+newest)
	refuses([]string{"migrate"}, "version 9999", "only "+newest)
	const rounds = 4
	for n := range rounds {
		i.env = append(i.env, "POSTERN_DATABASE="+faulty.DSN(t))
		migrating := i.command("migrate")
		if err := migrating.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(took * time.Duration(n+1) / (rounds + 1))
		_ = migrating.Process.Kill() // it may have ended
		_ = migrating.Wait()
		tables := i.sql(t, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'directory'")
		i.run(t, "migrate")
		if got := i.sql(t, "SELECT max(version_id) FROM schema_versions"); got != newest {
			t.Errorf("killed after %d of %d: got version %s, want %s (%s tables were there)", n+1, rounds+1, got, newest, tables)
		}
	}
	i.run(t, "import", acme(t))
}

// dataOf is the directory that the server keeps its files in.
func dataOf(p *storetest.Postgres) string { return filepath.Join(filepath.Dir(p.Socket()), "data") }

// F13: a failover that has lost commits takes the directory back. The caches are
// dropped, it is counted, and a token of what was lost is refused as such.
func TestF13LostCommitsAreFoundOut(t *testing.T) {
	i := onFaulty(t, "POSTERN_DECISIONS_TIMEOUT=2s")
	s := i.serve(t)
	o := office{s, t, s.operatorKey()}
	member, _ := o.username("acme", "rosa")
	const lost = "login:rosa service.view account:a-1002"
	move := func(from, to string) {
		t.Helper()
		if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	older := filepath.Join(t.TempDir(), "older")
	faulty.Process().Kill()
	move(dataOf(&faulty), older)
	faulty.Restart(t)
	var token string
	for enough := time.Now().Add(patience); token == ""; {
		x, err := o.asks(http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", `{"add":{"accounts":[{"id":"a-1002"}]}}`)
		if token = x.header.Get("Postern-Consistency-Token"); token == "" && (err != nil || time.Now().After(enough)) {
			t.Fatalf("got %v %s, want the grant", err, x)
		}
	}
	if !s.soonAllows(t, lost, token) {
		t.Fatal("got a denial of what was granted")
	}
	faulty.Process().Kill()
	if out, err := exec.Command("rm", "-r", dataOf(&faulty)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	move(older, dataOf(&faulty))
	faulty.Restart(t)
	s.awaitMetric(t, "postern_revision_regressions_total", is(1))
	if s.soonAllows(t, lost, "") {
		t.Error("got an allow by a grant that is lost")
	}
	if !s.soonAllows(t, viewed, "") {
		t.Error("got a denial of what is still granted")
	}
	q, err := ask(strings.Fields(lost))
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.decisions.send(http.MethodPost, evaluation, q.json(), "Postern-Consistency-Token: "+token)
	if err != nil || x.status != http.StatusConflict || x.read("reason") != "token-ahead" {
		t.Errorf("got %v %s, want a 409 with the reason token-ahead", err, x)
	}
}

// soonAllows is allows for a server that is just finding its way back to the
// database, and says 503 until it has.
func (s *server) soonAllows(t *testing.T, question, token string) bool {
	t.Helper()
	q, err := ask(strings.Fields(question))
	if err != nil {
		t.Fatal(err)
	}
	var headers []string
	if token != "" {
		headers = append(headers, "Postern-Consistency-Token: "+token)
	}
	for enough := time.Now().Add(patience); time.Now().Before(enough); {
		x, err := s.decisions.send(http.MethodPost, evaluation, q.json(), headers...)
		if err != nil || x.status != http.StatusServiceUnavailable {
			break
		}
	}
	return s.allows(t, question, token)
}
