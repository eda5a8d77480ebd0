package test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // a program of somebody else's that opens the directory
)

const diskLeft = `postern_disk_free_bytes{holds="directory"}`

const writesFailed = `postern_dependency_errors_total{dependency="database",operation="write"}`

// F14: another program locks the directory's file. Writes wait two seconds and
// are refused; decisions go on, whether they are cached or not; and writes too
// once it lets go.
func TestF14AnotherProgramLocksTheFile(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.run(t, "import", acme(t))
	s := i.serve(t)
	o := office{s, t, s.operatorKey()}
	other, err := sql.Open("sqlite", filepath.Join(i.dir, "state", "postern.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	failed, began := s.metric(t, writesFailed), time.Now()
	x, err := o.asks(http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME 14"}`)
	if took := time.Since(began); err != nil || x.status != http.StatusServiceUnavailable || x.header.Get("Retry-After") == "" || took < 1500*time.Millisecond {
		t.Errorf("got %v %s after %v, want a 503 that says when to come back, after 2s", err, x, took)
	}
	if got := s.metric(t, writesFailed); got <= failed {
		t.Errorf("got %v writes that failed, want one more", got)
	}
	for _, words := range []string{viewed, "login:sam service.view account:a-1001"} {
		if !s.decides(t, words) {
			t.Errorf("%s: got a denial of what is granted", words)
		}
	}
	if !s.ready() {
		t.Error("the server is not ready, and it decides")
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME free"}`)
	o.events("acme")
}

// onSmallDisk has the program run by a script that first puts a file system of
// some megabytes in the place of its state directory, with what is there already.
func (i *installation) onSmallDisk(t *testing.T, megabytes int) {
	t.Helper()
	state := filepath.Join(i.dir, "state")
	seed := filepath.Join(i.dir, "seed")
	if err := os.Rename(state, seed); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	i.wrapped(t, fmt.Sprintf(`exec unshare -rm sh -c 'mount -t tmpfs -o size=%dm,mode=0700 tmpfs %s && cp %s/* %s && exec "$@"' sh %s "$@"`, megabytes, state, seed, state, i.binary))
}

// wrapped has the program run by a script.
func (i *installation) wrapped(t *testing.T, script string) {
	t.Helper()
	i.binary = i.file(t, "postern.sh", "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(i.binary, 0o700); err != nil {
		t.Fatal(err)
	}
}

// F15: the disk is full. Writes are refused, none is kept in part, decisions go
// on, and writes too once there is room. What was acknowledged is there.
func TestF15TheDiskIsFull(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.run(t, "import", acme(t))
	i.onSmallDisk(t, 8)
	s := i.serve(t)
	disk := filepath.Join(fmt.Sprintf("/proc/%d/root", s.cmd.Process.Pid), i.dir, "state")
	key, err := os.ReadFile(filepath.Join(disk, "operator.key"))
	if err != nil {
		t.Fatal(err)
	}
	o, full := office{s, t, strings.TrimSpace(string(key))}, filepath.Join(disk, "full")
	if err := fill(full); err != nil {
		t.Fatal(err)
	}
	if left := s.metric(t, diskLeft); left > 1<<20 {
		t.Errorf("got %v bytes left of a full disk", left)
	}
	failed, kept, name := s.metric(t, writesFailed), "", ""
	for n := range 400 {
		name = fmt.Sprintf("ACME %d %s", n, strings.Repeat("x", 100))
		x, err := o.asks(http.MethodPatch, "/v1/organizations/acme", fmt.Sprintf(`{"name":%q}`, name))
		if err != nil {
			t.Fatal(err)
		}
		if x.status != http.StatusOK {
			if x.status != http.StatusServiceUnavailable || x.header.Get("Retry-After") == "" {
				t.Fatalf("got %s, want a 503 that says when to come back", x)
			}
			break
		}
		kept = name
	}
	if kept == name {
		t.Fatal("every write was kept: nothing was tested")
	}
	if got := s.metric(t, writesFailed); got <= failed {
		t.Errorf("got %v writes that failed, want one more", got)
	}
	for _, words := range []string{viewed, "login:sam service.view account:a-1001"} {
		if !s.decides(t, words) {
			t.Errorf("%s: got a denial of what is granted", words)
		}
	}
	named := func() string { return o.does(http.StatusOK, http.MethodGet, "/v1/organizations/acme", "").read("name") }
	if got := named(); kept != "" && got != kept {
		t.Errorf("got the name %q, want the last one that was acknowledged, %q", got, kept)
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME again"}`)
	if left := s.metric(t, diskLeft); left < 1<<20 {
		t.Errorf("got %v bytes left of a disk with room", left)
	}
	if got := named(); got != "ACME again" {
		t.Errorf("got the name %q, want the one after there was room", got)
	}
	o.events("acme")
}

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("want a full disk: %w", err)
		}
	}
	return nil
}

// F17: a change is on the disk before it is acknowledged: between the last write
// to SQLite's log and the answer there is a successful fdatasync of the log.
func TestF17AChangeIsOnTheDiskBeforeItIsAcknowledged(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("this test needs strace: apt-get install strace: %v", err)
	}
	i := install(t)
	i.run(t, "import", acme(t))
	calls := filepath.Join(i.dir, "calls")
	i.wrapped(t, fmt.Sprintf(`exec %s -D -f -y -s 1000 -e trace=pwrite64,fdatasync,fsync,write -o %s %s "$@"`, strace, calls, i.binary))
	s, err := start(i.binary, i.dir, i.env, "--only=management")
	if err != nil {
		t.Fatal(err)
	}
	defer s.kill() //nolint:errcheck // it has ended already
	o := office{s, t, s.operatorKey()}
	const changes = 10
	for n := range changes {
		o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", fmt.Sprintf(`{"name":"ACME %d"}`, n), fmt.Sprintf("X-Request-Id: change-%d", n))
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	acknowledged, late := synced(string(text))
	if acknowledged != changes || late > 0 {
		t.Errorf("got %d changes that were acknowledged, %d of them before they were on the disk; want %d and 0", acknowledged, late, changes)
	}
}

// synced counts the changes that strace saw acknowledged, and those of them that
// were not on the disk by then.
func synced(calls string) (acknowledged, late int) {
	wrote, safe, syncing := false, false, map[string]bool{}
	for line := range strings.Lines(calls) {
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		ended := strings.HasSuffix(call, " = 0")
		switch {
		case strings.HasPrefix(call, "pwrite64(") && strings.Contains(call, "-wal>"):
			wrote, safe = true, false
		case (strings.HasPrefix(call, "fdatasync(") || strings.HasPrefix(call, "fsync(")) && strings.Contains(call, "-wal>"):
			safe = safe || wrote && ended
			syncing[thread] = !ended
		case strings.Contains(call, "sync resumed>") && syncing[thread]:
			safe = safe || wrote && ended
			delete(syncing, thread)
		case strings.HasPrefix(call, "write(") && strings.Contains(call, "HTTP/1.1 200") && strings.Contains(call, "X-Request-Id: change-"):
			acknowledged++
			if !wrote || !safe {
				late++
			}
			wrote, safe = false, false
		}
	}
	return acknowledged, late
}

func TestSyncedReadsTheOrderOfCalls(t *testing.T) {
	const (
		writes  = "7 pwrite64(9</a/postern.db-wal>, \"x\", 1, 0) = 1\n"
		syncs   = "7 fdatasync(9</a/postern.db-wal>) = 0\n"
		begins  = "7 fdatasync(9</a/postern.db-wal> <unfinished ...>\n"
		resumes = "7 <... fdatasync resumed>)         = 0\n"
		answers = "8 write(5<TCP:[1]>, \"HTTP/1.1 200 OK\\r\\nX-Request-Id: change-1\", 9) = 9\n"
	)
	for calls, late := range map[string]int{
		writes + syncs + answers:                                  0,
		writes + begins + resumes + answers:                       0,
		writes + begins + answers + resumes:                       1,
		writes + answers + syncs:                                  1,
		syncs + writes + answers:                                  1,
		writes + syncs + writes + answers:                         1,
		strings.Replace(syncs, "0", "-1 E", 1) + writes + answers: 1,
	} {
		if n, got := synced(calls); n != 1 || got != late {
			t.Errorf("got %d acknowledged, %d of them late, want 1 and %d in\n%s", n, got, late, calls)
		}
	}
}
