package postern

import (
	"maps"
	"sync"
	"time"
)

// keepFor is how long a consistency token is sent along: by then every server has
// seen the change (POSTERN_MAX_STALENESS, 5 s) or answers 503.
const keepFor = time.Minute

// seen has the tokens of the latest changes, by user. Where an application runs
// several times behind a balancer, keep them in the user's session instead.
type seen struct {
	mu   sync.Mutex
	last map[string]change // guarded by mu
}

type change struct {
	token string
	at    time.Time
}

// Saw makes all further questions about a user see a change: give it the
// Postern-Consistency-Token of the management API's answer, for whoever was
// changed and for whoever changed them.
func (c *Client) Saw(user Entity, token string) {
	s, now := &c.seen, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]change{}
	}
	maps.DeleteFunc(s.last, func(_ string, c change) bool { return now.Sub(c.at) > keepFor })
	s.last[user.key()] = change{token, now}
}

func (s *seen) token(user Entity) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[user.key()].token
}

func (s *seen) forget(user Entity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, user.key())
}

// key is a new string, whoever owns those of the entity.
func (e Entity) key() string { return e.Type + "\x00" + e.ID }
