package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A watch asks every sidecar of a fleet all the time, knows what each answer has
// to be, and changes users meanwhile, so that not everything is in memory.
type watch struct {
	fleet   *topology
	o       office // changes what is changed
	over    chan struct{}
	clients sync.WaitGroup

	mu      sync.Mutex
	revoked map[string]bool // who has lost the account that they held
	victims []string        // who has not yet
	asked   int
	faults  []string // answers that were none, or wrong
	slowest time.Duration
	unready []string // who said so, each time
}

// Who holds what in the directory of a watch: user number n holds account number
// n modulo held, and some users are there to lose it.
const (
	holders = 24
	changed = 4 // of them
	lost    = 16
	held    = 4
)

// holding is the directory of a watch.
func holding() string {
	records := []string{portal(holders+lost, held+2)}
	for n := range holders + lost {
		user := fmt.Sprintf(`{"type":"grant","organization":"acme","user":"u%d","granted_by":"user",`, n)
		records = append(records, user+`"company":"south"}`, user+fmt.Sprintf(`"account":"a%d"}`, n%held))
	}
	return strings.Join(records, "\n") + "\n"
}

func newWatch(c *topology) *watch {
	w := &watch{fleet: c, o: c.office(), over: make(chan struct{}), revoked: map[string]bool{}}
	for n := range lost {
		w.victims = append(w.victims, fmt.Sprintf("u%d", holders+n))
	}
	return w
}

// own is the question whether a user may view the account that they held at
// first.
func own(user string) string {
	var n int
	_, _ = fmt.Sscanf(user, "u%d", &n) // a user of holding
	return fmt.Sprintf("login:%s service.view account:a%d", user, n%held)
}

// run asks and changes until stop.
func (w *watch) run() {
	for _, s := range w.fleet.sidecars {
		for range 2 {
			w.client(func(r *rand.Rand) { w.one(r, s) })
		}
		w.client(func(*rand.Rand) { w.probe(s) })
	}
	w.client(func(r *rand.Rand) { w.churn(r) })
}

func (w *watch) client(act func(*rand.Rand)) {
	w.clients.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for {
			select {
			case <-w.over:
				return
			case <-time.After(time.Duration(5+r.IntN(20)) * time.Millisecond):
				act(r)
			}
		}
	})
}

func (w *watch) stop() {
	close(w.over)
	w.clients.Wait()
}

// one asks one question about anybody.
func (w *watch) one(r *rand.Rand, s *instance) {
	user := fmt.Sprintf("u%d", r.IntN([...]int{changed, holders + lost}[r.IntN(2)]))
	w.mu.Lock()
	gone, losing := w.revoked[user], len(w.victims) > 0 && user == w.victims[0]
	w.mu.Unlock()
	words, want := own(user), !gone
	switch {
	case r.IntN(4) == 0: // nobody holds this one
		words, want = fmt.Sprintf("login:%s service.view account:a%d", user, held), false
	case losing: // nobody knows when
		return
	}
	began, running := time.Now(), s.now()
	q, _ := ask(strings.Fields(words)) // three words, as own has
	x, err := s.asks(decisions, http.MethodPost, evaluation, q.json())
	if err != nil && s.now() != running || err == errDown { // it was killed
		return
	}
	w.note(s, began, want, x, err)
}

func (w *watch) note(s *instance, began time.Time, want bool, x exchange, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	took := time.Since(began)
	w.slowest = max(w.slowest, took)
	switch a, none := x.decision(); {
	case err != nil || none != nil:
		w.faults = append(w.faults, fmt.Sprintf("%s after %v: %v\n%s", s.name, took, err, x))
	case *a.Decision != want:
		w.faults = append(w.faults, fmt.Sprintf("%s: got %s, want %v\n%s", s.name, a, want, x))
	}
}

// probe wants a sidecar to say that it is ready.
func (w *watch) probe(s *instance) {
	if running := s.now(); running != nil && !running.ready() && running == s.now() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.unready = append(w.unready, s.name)
	}
	time.Sleep(50 * time.Millisecond)
}

// churn gives a user who keeps their account another one, or takes it back.
func (w *watch) churn(r *rand.Rand) {
	member, _ := w.o.username("acme", fmt.Sprintf("u%d", r.IntN(changed)))
	change := [...]string{`{"add":{"accounts":[{"id":"a%d"}]}}`, `{"remove":{"accounts":[{"id":"a%d"}]}}`}[r.IntN(2)]
	w.o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", fmt.Sprintf(change, held+1))
}

// revokes takes a user's account away and returns who that was, and how long it
// took until the last sidecar refused them. None may allow what it is asked once
// the bound is over.
func (w *watch) revokes(t *testing.T, bound time.Duration) (user string, took time.Duration) {
	t.Helper()
	w.mu.Lock()
	user = w.victims[0]
	w.mu.Unlock()
	var n int
	_, _ = fmt.Sscanf(user, "u%d", &n)
	member, _ := w.o.username("acme", user)
	w.o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member+"/grants", fmt.Sprintf(`{"remove":{"accounts":[{"id":"a%d"}]}}`, n%held))
	acked := time.Now()
	var all sync.WaitGroup
	for _, s := range w.fleet.sidecars {
		all.Go(func() { w.refuses(t, s, user, acked, bound) })
	}
	all.Wait()
	took = time.Since(acked)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked[user], w.victims = true, w.victims[1:]
	return user, took
}

// refuses asks one sidecar until it refuses a user who has lost their account.
func (w *watch) refuses(t *testing.T, s *instance, user string, acked time.Time, bound time.Duration) {
	for {
		asked := time.Since(acked)
		a := s.now().askSince(t, acked, own(user))
		switch got, err := a.decision(); {
		case a.err != nil || err != nil:
			t.Errorf("%s: got %v %s %v after the revocation, want an answer", s.name, a.err, a, asked)
			return
		case !*got.Decision:
			return
		case asked > bound:
			t.Errorf("%s: got an allow %v after the revocation, want none after %v", s.name, asked, bound)
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// holdsUp reports what has gone wrong since it was asked last, and how much was
// asked.
func (w *watch) holdsUp(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, fault := range w.faults {
		if n == 5 {
			t.Errorf("and %d more", len(w.faults)-n)
			break
		}
		t.Error(fault)
	}
	if len(w.unready) > 0 {
		t.Errorf("%s was not ready %d times, want always", w.unready[0], len(w.unready))
	}
	if w.asked == 0 {
		t.Error("nothing was asked")
	}
	t.Logf("%d decisions, %d failed or wrong, the slowest took %v", w.asked, len(w.faults), w.slowest)
	w.asked, w.faults, w.unready, w.slowest = 0, nil, nil, 0
}
