package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A progress tells how far a long command is: a line that redraws itself on a
// terminal, nothing in a pipe.
type progress struct {
	w     io.Writer
	noun  string
	now   func() time.Time
	start time.Time
	drawn time.Time
}

// newProgress returns nil, which draws nothing, unless w is a terminal.
func newProgress(w io.Writer, noun string) *progress {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return nil
	}
	return &progress{w: w, noun: noun, now: time.Now, start: time.Now()}
}

// show draws the state at most ten times a second. A total of zero is unknown.
func (p *progress) show(count, done, total int64) {
	if p == nil || p.now().Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = p.now()
	_, _ = fmt.Fprint(p.w, "\r\x1b[K", p.line(count, done, total))
}

// end removes the line.
func (p *progress) end() {
	if p != nil {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *progress) line(count, done, total int64) string {
	elapsed := p.now().Sub(p.start)
	rate := float64(count) / max(elapsed.Seconds(), 0.001)
	if total <= 0 || done <= 0 {
		return fmt.Sprintf("%d %s, %.0f/s", count, p.noun, rate)
	}
	share := min(float64(done)/float64(total), 1)
	left := time.Duration(float64(elapsed) * (1 - share) / share).Round(time.Second)
	return fmt.Sprintf("%3.0f%%  %d %s, %.0f/s, %v left", 100*share, count, p.noun, rate, left)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
