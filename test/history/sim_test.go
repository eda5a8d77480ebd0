package history_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/postern-authz/postern/test/history"
)

// A bug is what a simulated fleet does wrong.
type bug string

const (
	none             bug = "nothing"
	ignoreToken      bug = "a token is not waited for"
	trustRedis       bug = "what Redis says is not proved"
	extendAge        bug = "a look that failed counts as one"
	loseInvalidation bug = "a change that was heard of drops nothing"
	tornBatch        bug = "a batch is put together of two states"
	lostAck          bug = "a write is acknowledged and not kept"
	fillRace         bug = "what was read before a change is kept after it"
	errorAllows      bug = "what cannot be read is allowed"
)

const (
	bound  = time.Second
	poll   = 50 * time.Millisecond
	length = 20 * time.Second
)

// A sim is a fleet in virtual time: a directory, a Redis that holds what it was
// given whenever, and replicas that are cut off from the directory at times.
type sim struct {
	*rand.Rand
	bug      bug
	now      time.Duration
	due      map[time.Duration][]func()
	log      []history.Commit
	redis    map[string]entry
	replicas []*replica
	history  history.History
	token    string // the ID of the last write that was acknowledged and kept
	tokenAt  history.Revision
}

// An entry is the answer to a question as of a revision.
type entry struct {
	allow bool
	asOf  history.Revision
}

type replica struct {
	name    string
	cut     bool
	seen    time.Duration
	head    history.Revision
	cache   map[string]entry
	changed map[string]history.Revision
}

// simulate lets a fleet run and returns what was seen of it.
func simulate(seed uint64, b bug) history.History {
	s := &sim{Rand: rand.New(rand.NewPCG(seed, 0)), bug: b, due: map[time.Duration][]func(){}, redis: map[string]entry{}}
	for i := range 3 {
		r := &replica{name: fmt.Sprint("replica ", i), cache: map[string]entry{}, changed: map[string]history.Revision{}}
		s.replicas = append(s.replicas, r)
		s.follow(r)
		s.weather(r)
	}
	for _, what := range []func(){s.write, s.read, s.read, s.read} {
		s.repeat(what)
	}
	for ; s.now < length; s.now += time.Millisecond {
		for _, fn := range s.due[s.now] {
			fn()
		}
		delete(s.due, s.now)
	}
	s.history.Commits = s.log
	return s.history
}

func (s *sim) after(d time.Duration, fn func()) {
	at := s.now + max(d.Truncate(time.Millisecond), time.Millisecond)
	s.due[at] = append(s.due[at], fn)
}

func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.Int64N(int64(d))) }

func (s *sim) repeat(what func()) {
	what()
	s.after(s.upTo(20*time.Millisecond), func() { s.repeat(what) })
}

// weather cuts a replica off and lets it back.
func (s *sim) weather(r *replica) {
	r.cut = !r.cut && s.now > 0
	s.after(s.upTo(4*time.Second), func() { s.weather(r) })
}

func (s *sim) question() string { return fmt.Sprint("q", s.IntN(8)) }

// write changes one answer. It commits some time after it was sent, and is
// answered some time after that, or never.
func (s *sim) write() {
	w := history.Write{ID: fmt.Sprint("w", len(s.history.Writes)), Sent: s.now}
	question, allow := s.question(), s.IntN(2) == 0
	s.history.Writes = append(s.history.Writes, w)
	n := len(s.history.Writes) - 1
	s.after(s.upTo(10*time.Millisecond), func() {
		at := history.Revision(len(s.log) + 1)
		wants := map[string]bool{question: allow}
		lost := s.bug == lostAck && s.IntN(50) == 0
		if !lost {
			s.log = append(s.log, history.Commit{Revision: at, Write: w.ID, Answers: wants})
		}
		s.after(s.upTo(10*time.Millisecond), func() {
			if s.IntN(10) > 0 {
				w := &s.history.Writes[n]
				w.Acked, w.Wants, w.Done = true, wants, s.now
				if !lost {
					s.token, s.tokenAt = w.ID, at
				}
			}
		})
	})
}

// state is what the directory says to a question now.
func (s *sim) state(question string) entry {
	for _, c := range slices.Backward(s.log) {
		if allow, ok := c.Answers[question]; ok {
			return entry{allow, history.Revision(len(s.log))}
		}
	}
	return entry{false, history.Revision(len(s.log))}
}

func (s *sim) follow(r *replica) {
	s.look(r)
	s.after(poll, func() { s.follow(r) })
}

// look tells a replica what has changed.
func (s *sim) look(r *replica) {
	if r.cut {
		if s.bug == extendAge {
			r.seen = s.now
		}
		return
	}
	for _, c := range s.log[r.head:] {
		for question := range c.Answers {
			if s.bug == loseInvalidation && s.IntN(10) == 0 {
				continue
			}
			r.changed[question] = c.Revision
			if r.cache[question].asOf < c.Revision {
				delete(r.cache, question)
			}
		}
	}
	r.head, r.seen = history.Revision(len(s.log)), s.now
}

// read asks a replica one question or three, with a token or without.
func (s *sim) read() {
	r := s.replicas[s.IntN(len(s.replicas))]
	reading, atLeast := &history.Reading{Replica: r.name, Sent: s.now}, history.Revision(0)
	questions := []string{s.question()}
	if s.IntN(4) == 0 {
		questions = append(questions, s.question(), s.question())
	}
	if s.IntN(4) == 0 {
		reading.Token, atLeast = s.token, s.tokenAt
	}
	if s.bug != ignoreToken && r.head < atLeast {
		s.look(r)
	}
	s.gather(r, reading, atLeast, questions, 5)
}

// gather answers from the cache, once everything is there.
func (s *sim) gather(r *replica, reading *history.Reading, atLeast history.Revision, questions []string, rounds int) {
	reading.Failed = s.now-r.seen > bound || rounds == 0 || s.bug != ignoreToken && r.head < atLeast
	var items []history.Item
	for _, question := range questions {
		e, ok := s.find(r, question)
		if !ok && !reading.Failed {
			s.load(r, question, func() { s.gather(r, reading, atLeast, questions, rounds-1) })
			return
		}
		items = append(items, history.Item{Question: question, Allow: e.allow && !reading.Failed || s.bug == errorAllows && reading.Failed})
	}
	if s.bug == tornBatch && len(items) > 1 && len(reading.Items) == 0 {
		reading.Items = items[:1]
		s.after(60*time.Millisecond, func() { s.gather(r, reading, atLeast, questions, rounds) })
		return
	}
	if reading.Failed {
		reading.Items = nil
	}
	reading.Items = append(reading.Items, items[len(reading.Items):]...)
	reading.Names, reading.Done = r.head, s.now
	if s.bug == tornBatch {
		reading.Names = 0 // which would tell it at once
	}
	s.history.Readings = append(s.history.Readings, *reading)
}

// find looks in the cache, and then in Redis for what is still true.
func (s *sim) find(r *replica, question string) (entry, bool) {
	if e, ok := r.cache[question]; ok && e.asOf <= r.head {
		return e, true
	}
	e, ok := s.redis[question]
	if ok && e.asOf <= r.head && (s.bug == trustRedis || r.changed[question] <= e.asOf) {
		r.cache[question] = e
		return e, true
	}
	return entry{}, false
}

// load reads what is missing, which takes a while, and keeps it if it has not
// changed meanwhile.
func (s *sim) load(r *replica, question string, then func()) {
	if r.cut {
		s.after(10*time.Millisecond, then)
		return
	}
	e := s.state(question)
	s.after(s.upTo(30*time.Millisecond), func() {
		if s.bug == fillRace || r.changed[question] <= e.asOf {
			r.cache[question] = e
		}
		if s.IntN(2) == 0 {
			s.redis[question] = e // perhaps over a newer one
		}
		then()
	})
}
