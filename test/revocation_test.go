package test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// TestV35WhoeverIsRemovedStaysOut asks every 100 ms, on the server that removed a
// member and on another one of the same directory. Within the bound on staleness
// both say no, and from then on neither says yes again.
func TestV35WhoeverIsRemovedStaysOut(t *testing.T) {
	const bound, asked = 2 * time.Second, 4 * time.Second
	i := install(t, "POSTERN_MAX_STALENESS=2s")
	i.run(t, "import", acme(t))
	here := i.serve(t)
	there := i.serve(t)
	const question = "login:rosa service.view account:a-1001"
	for _, s := range []*server{here, there} {
		if !s.decides(t, question) {
			t.Fatal("rosa may not view her account")
		}
	}
	remove(t, here, "rosa")
	removed := time.Now()
	out := map[*server]bool{}
	for tick := time.Tick(100 * time.Millisecond); time.Since(removed) < asked; <-tick {
		for name, s := range map[string]*server{"the server that removed her": here, "the other one": there} {
			sent := time.Since(removed)
			switch yes := s.decides(t, question); {
			case yes && out[s]:
				t.Fatalf("%s let her in again after %v", name, sent)
			case yes && sent > bound:
				t.Fatalf("%s lets her in after %v, want no longer than %v", name, sent, bound)
			case !yes:
				out[s] = true
			}
		}
	}
	if len(out) != 2 {
		t.Errorf("got %d servers that keep her out, want both", len(out))
	}
}

// remove removes a member of acme, as its operator.
func remove(t *testing.T, s *server, name string) {
	t.Helper()
	bearer := "Authorization: Bearer " + s.operatorKey()
	x, err := s.administration.send(http.MethodGet, "/v1/organizations/acme/members?q="+name, "", bearer)
	var page struct{ Items []summary }
	if err != nil || json.Unmarshal([]byte(x.body), &page) != nil || len(page.Items) != 1 {
		t.Fatalf("member %s: got %s, %v", name, x, err)
	}
	x, err = s.administration.send(http.MethodDelete, "/v1/organizations/acme/members/"+page.Items[0].ID, "", bearer)
	if err != nil || x.status != http.StatusOK {
		t.Fatalf("removing %s: got %s, %v", name, x, err)
	}
}
