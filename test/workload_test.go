package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/test/history"
)

// A workload asks a fleet and changes it, and records what it was told. Few
// users and accounts make for many changes of what is asked.
type workload struct {
	fleet   *topology
	begun   time.Time
	first   int64 // the revision that it begins with
	members []subject
	over    chan struct{} // closed when clients are to end
	clients sync.WaitGroup
	last    atomic.Pointer[receipt]

	mu       sync.Mutex
	writes   []history.Write
	readings []history.Reading
}

const (
	users    = 6
	accounts = 4
)

// A subject is a user of the portal whom the workload changes.
type subject struct{ name, id string }

// A receipt is what an acknowledged write gave its client.
type receipt struct{ write, token string }

func newWorkload(c *topology) *workload {
	w := &workload{fleet: c, over: make(chan struct{})}
	o := c.office()
	x := o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME"}`)
	w.first, _ = strconv.ParseInt(x.read("revision"), 10, 64)
	for n := range users {
		name := fmt.Sprintf("u%d", n)
		id, _ := o.username("acme", name)
		w.members = append(w.members, subject{name, id})
	}
	w.begun = time.Now()
	return w
}

// run has clients at work until stop: a writer for each member, and some
// readers for every sidecar.
func (w *workload) run(seed uint64) {
	for n, m := range w.members {
		w.client(seed, n, func(r *rand.Rand) { w.write(r, m, n) })
	}
	for n, s := range w.fleet.sidecars {
		for i := range 2 {
			w.client(seed, 100+10*n+i, func(r *rand.Rand) { w.read(r, s) })
		}
	}
}

func (w *workload) client(seed uint64, number int, act func(*rand.Rand)) {
	r := rand.New(rand.NewPCG(seed, uint64(number)))
	w.clients.Go(func() {
		for {
			select {
			case <-w.over:
				return
			case <-time.After(time.Duration(r.IntN(int(20 * time.Millisecond)))):
				act(r)
			}
		}
	})
}

func (w *workload) stop() {
	close(w.over)
	w.clients.Wait()
}

func (w *workload) since() time.Duration { return time.Since(w.begun) }

// impatient is how long a client of the workload waits.
const impatient = 3 * time.Second

// asks sends a request to a server that may be down or frozen.
func (i *instance) asks(of func(*server) endpoint, method, path, body string, headers ...string) (exchange, error) {
	s := i.now()
	if s == nil {
		return exchange{}, errDown
	}
	e := of(s)
	e.client = &http.Client{Transport: e.client.Transport, Timeout: impatient}
	return e.send(method, path, body, headers...)
}

func decisions(s *server) endpoint      { return s.decisions }
func administration(s *server) endpoint { return s.administration }

// A change is one thing that a writer may do, with what it is to lead to.
type change struct {
	method, path, body string
	wants              map[string]bool
}

// changeOf draws a change of a member.
func changeOf(r *rand.Rand, m subject) change {
	account := fmt.Sprintf("a%d", r.IntN(accounts))
	holds := m.name + " holds " + account
	active := m.name + " is active"
	regular := m.name + " is regular"
	switch n := r.IntN(20); {
	case n < 7:
		return change{http.MethodPatch, "/grants", `{"add":{"companies":[{"id":"south","all_accounts":false}],"accounts":[{"id":"` + account + `"}]}}`, map[string]bool{holds: true}}
	case n < 12:
		return change{http.MethodPatch, "/grants", `{"remove":{"accounts":[{"id":"` + account + `"}]}}`, map[string]bool{holds: false}}
	case n < 13:
		return change{http.MethodPut, "/role", `{"role":"read_only"}`, map[string]bool{regular: false}}
	case n < 14:
		return change{http.MethodPut, "/role", `{"role":"regular"}`, map[string]bool{regular: true}}
	case n < 15:
		return change{http.MethodPost, "/suspend", "", map[string]bool{active: false}}
	case n < 17:
		return change{http.MethodPost, "/reactivate", "", map[string]bool{active: true}}
	case n < 18:
		return change{http.MethodDelete, "", "", map[string]bool{active: false, holds: false}}
	}
	return change{http.MethodPost, "/restore", "{}", map[string]bool{active: true}}
}

// write makes one change. Its request id leads from the trail back to it.
func (w *workload) write(r *rand.Rand, m subject, client int) {
	c := changeOf(r, m)
	record := history.Write{ID: fmt.Sprintf("w%d-%x", client, r.Uint64()), Sent: w.since(), Wants: c.wants}
	x, err := w.fleet.management.asks(administration, c.method, "/v1/organizations/acme/members/"+m.id+c.path, c.body,
		"Authorization: Bearer "+w.fleet.key, "X-Request-Id: "+record.ID)
	record.Done = w.since()
	record.Acked = err == nil && x.status == http.StatusOK
	if record.Acked {
		w.last.Store(&receipt{record.ID, x.header.Get("Postern-Consistency-Token")})
	}
	if err == errDown {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, record)
}

// read asks a sidecar one question or, now and then, several about one user;
// every fourth time with the token of the last write.
func (w *workload) read(r *rand.Rand, s *instance) {
	m := w.members[r.IntN(len(w.members))]
	n := 1
	if r.IntN(10) < 3 {
		n = 2 + r.IntN(4)
	}
	var asked []string
	body := map[string]any{"subject": entity{Type: "login", ID: m.name}}
	var evaluations []map[string]any
	for range n {
		action, account := actions(r), fmt.Sprintf("a%d", r.IntN(accounts))
		asked = append(asked, strings.Join([]string{m.name, action, account}, " "))
		evaluations = append(evaluations, map[string]any{"action": map[string]string{"name": action}, "resource": entity{Type: "account", ID: account}})
	}
	body["evaluations"] = evaluations
	text, _ := json.Marshal(body) // strings alone
	reading := history.Reading{Replica: s.name}
	var headers []string
	if last := w.last.Load(); last != nil && r.IntN(4) == 0 {
		headers, reading.Token = []string{"Postern-Consistency-Token: " + last.token}, last.write
	}
	reading.Sent = w.since()
	x, err := s.asks(decisions, http.MethodPost, evaluation+"s", string(text), headers...)
	reading.Done = w.since()
	if err == errDown {
		return
	}
	reading.Failed = err != nil || x.status != http.StatusOK
	reading.Items = items(asked, x.body)
	named, _ := strconv.ParseInt(x.header.Get("Postern-Data-Revision"), 10, 64)
	reading.Names = history.Revision(named)
	if !reading.Failed && (len(reading.Items) != n || named == 0) {
		w.fleet.t.Errorf("got an answer that is none\n%s", x)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readings = append(w.readings, reading)
}

func actions(r *rand.Rand) string { return [...]string{"service.view", "order.create"}[r.IntN(2)] }

// items reads the answers to a batch; of a body that is none there are none.
func items(asked []string, body string) (items []history.Item) {
	var said struct {
		Decision    bool
		Evaluations []struct {
			Decision bool
			Context  struct{ Error json.RawMessage }
		}
	}
	_ = json.Unmarshal([]byte(body), &said) // an error's body may be anything
	if said.Decision {
		return []history.Item{{Question: asked[0], Allow: true}}
	}
	for n, e := range said.Evaluations[:min(len(asked), len(said.Evaluations))] {
		items = append(items, history.Item{Question: asked[n], Allow: e.Decision, Failed: e.Context.Error != nil})
	}
	return items
}
