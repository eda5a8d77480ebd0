package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// An office administers one server for a test, as the operator unless it says
// otherwise.
type office struct {
	*server
	t   testing.TB
	key string
}

// administered starts a server on the directory acme.ndjson.
func administered(t *testing.T, i installation) office {
	t.Helper()
	i.run(t, "import", acme(t))
	s := i.serve(t)
	return office{s, t, s.operatorKey()}
}

// does sends a request and wants the status. A header replaces the operator's.
func (o office) does(status int, method, path, body string, headers ...string) exchange {
	o.t.Helper()
	x, err := o.asks(method, path, body, headers...)
	if err != nil {
		o.t.Fatal(err)
	}
	if x.status != status {
		o.t.Fatalf("got %s\nwant %d", x, status)
	}
	return x
}

func (o office) asks(method, path, body string, headers ...string) (exchange, error) {
	x, err := o.administration.send(method, path, body, append([]string{"Authorization: Bearer " + o.key}, headers...)...)
	written.exchange(x)
	return x, err
}

// read takes one member of a body that is an object.
func (x exchange) read(path string) string {
	v, err := decode(x.body)
	for step := range strings.SplitSeq(path, ".") {
		if err == nil {
			v, err = member(v, step)
		}
	}
	if err != nil {
		return ""
	}
	return fmt.Sprint(v)
}

// username finds the membership and the user of that name.
func (o office) username(organization, name string) (member, user string) {
	o.t.Helper()
	x := o.does(http.StatusOK, http.MethodGet, "/v1/organizations/"+organization+"/members?q="+name, "")
	return x.read("items.0.id"), x.read("items.0.user")
}

// until asks again until the answer is as wanted.
func (o office) until(path string, found func(exchange) bool) exchange {
	o.t.Helper()
	for enough := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		x := o.does(http.StatusOK, http.MethodGet, path, "")
		if found(x) {
			return x
		}
		if time.Now().After(enough) {
			o.t.Fatalf("still not so:\n%s", x)
		}
	}
}

// events are the types of the events of an organization's trail, which has to
// hold, oldest first.
func (o office) events(organization string) (types []string) {
	o.t.Helper()
	path := "/v1/organizations/" + organization + "/audit-events"
	if x := o.does(http.StatusOK, http.MethodGet, path+"/verify", ""); x.read("ok") != "true" {
		o.t.Errorf("the trail does not hold:\n%s", x)
	}
	for line := range strings.Lines(o.export(path + "?")) {
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			o.t.Fatal(err)
		}
		types = append(types, e.Type)
	}
	return types
}

// export reads a list of events as NDJSON, all of its pages; the query may go on.
func (o office) export(query string) (lines string) {
	o.t.Helper()
	for next := "first"; next != ""; {
		page := ""
		if next != "first" {
			page = "&page_token=" + url.QueryEscape(next)
		}
		x := o.does(http.StatusOK, http.MethodGet, strings.Replace(query+page, "?&", "?", 1), "", "Accept: application/x-ndjson")
		lines, next = lines+x.body, x.header.Get("Postern-Next-Page-Token")
	}
	return lines
}

// allows asks for one decision, as of a token if one is given.
func (s *server) allows(t testing.TB, words, token string) bool {
	t.Helper()
	q, err := ask(strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	var headers []string
	if token != "" {
		headers = []string{"Postern-Consistency-Token: " + token}
	}
	x, err := s.decisions.send(http.MethodPost, evaluation, q.json(), headers...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := x.decision()
	if err != nil {
		t.Fatalf("%s: %v\n%s", words, err, x)
	}
	return *a.Decision
}
