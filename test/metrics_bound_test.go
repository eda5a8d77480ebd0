package test

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// How large the directory is in which series are counted. By hand:
//
//	go test ./test -run TestEverythingIsWatched -organizations=10000 -users=100 -timeout=1h
var (
	organizations = flag.Int("organizations", 300, "organizations in which TestEverythingIsWatched counts series")
	usersOfEach   = flag.Int("users", 2, "users of each of them")
)

// maxSeries is what one server may have.
const maxSeries = 1500

// seriesStay wants as many series of a large directory as of a small one, whoever
// asks for whatever.
func (w *watched) seriesStay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w.wander(t, r, 1)
	small := w.series(t)
	w.grow(t)
	w.wander(t, r, *organizations)
	began := time.Now()
	large := w.series(t)
	t.Logf("%d series and then %d, of %d organizations with %d users each; the page takes %v", len(small), len(large), *organizations, *usersOfEach, time.Since(began))
	if len(small) > maxSeries {
		t.Errorf("got %d series, want no more than %d", len(small), maxSeries)
	}
	for name := range large {
		switch {
		case small[name]:
		case strings.Contains(name, `code="5`):
			t.Logf("a busy machine failed somebody: %s", name)
		default:
			t.Errorf("got a series more of a large directory: %s", name)
		}
	}
}

// series are the names and labels of all series of the server.
func (w *watched) series(t *testing.T) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(w.office.page(t)) {
		if at := strings.LastIndex(line, " "); !strings.HasPrefix(line, "#") {
			all[line[:at]] = true
		}
	}
	return all
}

// grow imports the organizations.
func (w *watched) grow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "many.ndjson")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(f)
	for o := range *organizations {
		fmt.Fprintf(out, `{"type":"organization","id":"o%d","kind":"customer","name":"O"}`+"\n", o)
		fmt.Fprintf(out, `{"type":"company","id":"c%d","organization":"o%d"}`+"\n", o, o)
		fmt.Fprintf(out, `{"type":"account","id":"a%d","company":"c%d","kind":"service"}`+"\n", o, o)
		for u := range *usersOfEach {
			fmt.Fprintf(out, `{"type":"user","kind":"personal","username":"u%d-%d","email":"u%d-%d@many.example"}`+"\n", o, u, o, u)
			fmt.Fprintf(out, `{"type":"membership","organization":"o%d","user":"u%d-%d","role":"regular","assigned_by":"user"}`+"\n", o, o, u)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.i.run(t, "import", path)
}

// wander asks what nobody asked before: other users, actions, resources, paths,
// methods, tokens and request ids.
func (w *watched) wander(t *testing.T, r *rand.Rand, organizations int) {
	for range 100 {
		n, word := r.IntN(organizations), fmt.Sprintf("w%x", r.Uint64())
		q, err := ask([]string{fmt.Sprintf("login:u%d-0", n), "service.view", fmt.Sprintf("account:a%d", n), "context." + word + "=1"})
		if err != nil {
			t.Fatal(err)
		}
		strange, err := ask([]string{"login:" + word, word + ".view", word + ":" + word})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			to                 endpoint
			method, path, body string
			header             string
		}{
			{w.decisions, http.MethodPost, evaluation, q.json(), "X-Request-Id: " + word},
			{w.decisions, http.MethodPost, evaluation, strange.json(), "Postern-Consistency-Token: " + word},
			{w.decisions, http.MethodPost, "/" + word, "{}", "Authorization: Bearer " + word},
			{w.decisions, word, evaluation, "{}", "X-Forwarded-For: " + word},
			{w.administration, http.MethodGet, fmt.Sprintf("/v1/organizations/o%d/members", n), "", "Authorization: Bearer " + w.key},
			{w.administration, http.MethodGet, "/v1/organizations/" + word, "", "Authorization: Bearer " + word},
			{w.administration, word, "/" + word, "", "Postern-Actor: " + word},
			{w.ops, http.MethodGet, "/" + word, "", "Accept: " + word},
		} {
			if _, err := x.to.send(x.method, x.path, x.body, x.header); err != nil {
				t.Fatal(err)
			}
		}
	}
}
