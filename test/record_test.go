package test

import (
	"strings"
	"sync"
	"time"
)

// patience is how long anything may take on a busy machine before a test gives
// up waiting for it.
const patience = 60 * time.Second

// A record keeps what a process writes, and lets others wait for it.
type record struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{} // closed, and another put in its place, at every Write
}

func newRecord() *record { return &record{grown: make(chan struct{})} }

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(b)
	close(r.grown)
	r.grown = make(chan struct{})
	return len(b), nil
}

func (r *record) String() string {
	text, _ := r.now()
	return text
}

// now is the text so far, and what will be closed when there is more.
func (r *record) now() (string, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String(), r.grown
}

// await waits until the text satisfies found. It gives up when done is closed
// or its patience ends.
func (r *record) await(done <-chan struct{}, found func(text string) bool) bool {
	enough := time.After(patience)
	for {
		text, grown := r.now()
		if found(text) {
			return true
		}
		select {
		case <-grown:
		case <-done:
			return found(r.String())
		case <-enough:
			return false
		}
	}
}
