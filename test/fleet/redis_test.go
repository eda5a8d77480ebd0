package fleet_test

import (
	"testing"

	"github.com/postern-authz/postern/test/fleet"
)

// wantAnswer wants an answer of a Redis.
func wantAnswer(t *testing.T, r *fleet.Redis, want string, words ...string) {
	t.Helper()
	if got, err := r.Do(words...); got != want || err != nil {
		t.Errorf("%q: got %q, %v, want %q", words, got, err, want)
	}
}

func TestARedisKeepsWhatItSaved(t *testing.T) {
	t.Parallel()
	r, err := fleet.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	wantAnswer(t, r, "OK", "SET", "a", "1")
	wantAnswer(t, r, "OK", "SAVE")
	wantAnswer(t, r, "OK", "SET", "a", "2")
	r.Freeze()
	r.Thaw()
	wantAnswer(t, r, "2", "GET", "a")
	r.Kill()
	if err := r.Restart(); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, r, "1", "GET", "a")
}

func TestAReplicaTakesTheMastersPlace(t *testing.T) {
	t.Parallel()
	s, err := fleet.NewSentinel()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	s.Master.Kill()
	if err := s.AwaitFailover(); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, s.Replica, "OK", "SET", "a", "1")
}

func TestAClusterServesAllSlots(t *testing.T) {
	t.Parallel()
	c, err := fleet.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	for _, key := range []string{"a", "b", "c", "d"} {
		served := 0
		for _, r := range c.Nodes {
			if _, err := r.Do("SET", key, "1"); err == nil {
				served++
			}
		}
		if served != 1 {
			t.Errorf("%s: got %d nodes that serve it, want 1", key, served)
		}
	}
}
