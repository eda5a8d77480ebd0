package grant_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/grant"
)

// many is a directory in which each user has as many grants of accounts as its name
// says, and one more that has ended.
func many(counts ...int) model {
	m := carrier()
	for _, n := range counts {
		grants := map[authz.Scope]time.Time{"company:acme-east": today}
		for i := range n {
			grants[authz.Scope(fmt.Sprintf("account:m%d", i))] = time.Time{}
		}
		m.users[fmt.Sprintf("u-%d", n)] = user{kind: "personal", members: []membership{
			{organization: "acme", affiliation: "customer", state: "active", role: "regular", grants: grants},
		}}
	}
	return m
}

// More grants than a filter can hold are refused, and never cut: a list of a part
// would say that the rest does not exist.
func TestHeldGivesAllGrantsOrNone(t *testing.T) {
	p, end := follow(t, grant.Options{Source: newNarrow(many(0, 1, 1000, 1001), 2000), Now: clock})
	defer end()
	narrow, endNarrow := follow(t, grant.Options{Source: newNarrow(many(1000), -1), Now: clock})
	defer endNarrow()
	for _, n := range []int{0, 1, 1000} {
		facts, _, err := p.Held(t.Context(), authz.Subject{Type: "user", ID: fmt.Sprintf("u-%d", n)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := plain(facts)["grants"].([]any); len(got) != n {
			t.Errorf("got %d grants, want %d", len(got), n)
		}
	}
	if _, _, err := p.Held(t.Context(), authz.Subject{Type: "user", ID: "u-1001"}, 0); !errors.Is(err, authz.ErrInvalid) {
		t.Errorf("got %v of one too many, want it refused", err)
	}
	if _, _, err := narrow.Held(t.Context(), authz.Subject{Type: "user", ID: "u-1000"}, 0); !errors.Is(err, authz.ErrInvalid) {
		t.Errorf("got %v of a narrow document, want it refused: it does not list the accounts", err)
	}
	facts, _, err := p.Held(t.Context(), authz.Subject{Type: "user", ID: "nobody"}, 0)
	if got := plain(facts); err != nil || len(got) > 0 {
		t.Errorf("got %v, %v, want no facts on nobody", got, err)
	}
}
