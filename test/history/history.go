// Package history proves, from what clients of a fleet have seen and from the
// directory's own log of changes, that no decision was older than it may be. The
// log numbers the changes without a gap, so the order of writes is known and
// every answer is checked on its own: the time that it takes grows with the
// length of the history, not with the number of its orders.
package history

import "time"

// A Revision numbers a state of the directory, from 1; every change makes the
// next.
type Revision int64

// A Commit is one change of the log.
type Commit struct {
	Revision Revision
	// Write is the ID of the write that made it; empty if nobody recorded that.
	Write string
	// Answers are the questions whose answer it sets: true allows. A question
	// that was never set is denied.
	Answers map[string]bool
}

// A Write is a change as its client saw it. Times are since the history began,
// on one clock that never steps.
type Write struct {
	ID         string
	Sent, Done time.Duration
	Acked      bool // it was answered with success
	// Wants are the answers that it was to lead to.
	Wants map[string]bool
}

// A Reading is one request for decisions as its client saw it.
type Reading struct {
	Replica    string
	Sent, Done time.Duration
	Token      string   // the ID of the write whose consistency token it carried; empty: none
	Names      Revision // that the response says it is of; 0: none
	Failed     bool     // the response is an error
	Items      []Item
}

// An Item is the answer to one question of a request.
type Item struct {
	Question string
	Allow    bool
	Failed   bool // it is an error, of this question alone
}

// A History is everything that happened. Commits are in the order of the log.
type History struct {
	Commits  []Commit
	Writes   []Write
	Readings []Reading
}
