package test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestPowerCuts ends a running import or the server with SIGKILL 50 times.
// Every import that said it was done must be there afterwards, whole; every
// other one is there whole or not at all; and the server decides by it.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	const rounds, companies = 50, 1000
	i := install(t)
	i.run(t, "import", acme(t))
	s := i.serve(t)
	acknowledged := map[string]bool{}
	took, killed := time.Duration(0), 0
	for n := range rounds {
		organization := fmt.Sprintf("org%d", n)
		file := i.file(t, "round.ndjson", organizationOf(organization, companies))
		importing := i.command("import", file)
		begun := time.Now()
		if err := importing.Start(); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			acknowledged[organization] = importing.Wait() == nil
			took = time.Since(begun)
			continue
		}
		// The cuts walk through the time that an import takes.
		time.Sleep(took * time.Duration(n) / rounds)
		if n%2 == 0 {
			_ = s.kill()
			acknowledged[organization] = importing.Wait() == nil
			s = i.serve(t)
		} else {
			acknowledged[organization] = cut(importing)
		}
		if !acknowledged[organization] {
			killed++
		}
		whole(t, i.run(t, "export"), acknowledged, companies)
	}
	if !s.decides(t, "login:rosa service.view account:a-1001") {
		t.Error("got a denial of what was granted before the cuts")
	}
	if killed == 0 {
		t.Error("no import was cut: nothing was tested")
	}
	t.Logf("%d of %d imports were cut, each takes %v", killed, rounds, took)
}

// cut kills a program and tells whether it had said before that it was done.
func cut(running *exec.Cmd) bool {
	_ = running.Process.Kill() // it may have ended
	return running.Wait() == nil
}

func organizationOf(id string, companies int) string {
	records := []string{fmt.Sprintf(`{"type":"organization","id":"%s","kind":"customer"}`, id)}
	for n := range companies {
		records = append(records, company(id, n))
	}
	return lines(records...)
}

// whole checks that acknowledged organizations are there, and that none is
// there in part.
func whole(t *testing.T, export string, acknowledged map[string]bool, companies int) {
	t.Helper()
	for organization, done := range acknowledged {
		there := strings.Contains(export, fmt.Sprintf(`"id":"%s"`, organization))
		found := strings.Count(export, fmt.Sprintf(`"organization":"%s"`, organization))
		switch {
		case done && !there:
			t.Fatalf("%s was acknowledged and is lost", organization)
		case there && found != companies:
			t.Fatalf("%s is there with %d of %d companies", organization, found, companies)
		case !there && found > 0:
			t.Fatalf("%s is not there, but %d of its companies are", organization, found)
		}
	}
}
