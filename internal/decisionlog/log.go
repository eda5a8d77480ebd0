package decisionlog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say where decisions are logged.
type Options struct {
	Sink       Sink
	Queue      int               // events that may wait; what comes beyond is dropped. 0: 10,000
	Labels     map[string]string // of every event: who logs; OPA wants an "id"
	Log        *slog.Logger      // for what is lost, at most once a minute
	Registerer prometheus.Registerer
}

const (
	defaultQueue = 10_000
	reportEvery  = time.Minute
	// maxWrite is the size at which a write is large enough, in bytes: waiting
	// events are written together.
	maxWrite = 64 << 10
	// maxBuffered is how many bytes the inputs of waiting events may take: what
	// an application sends along is kept with each of them.
	maxBuffered = 256 << 20
)

// A Log writes events to its sink, in the order they were recorded.
type Log struct {
	sink    Sink
	encoder encoder
	metrics *metrics
	log     *slog.Logger

	mutex    sync.RWMutex // guards closed, and queue against being closed under a sender
	closed   bool
	queue    chan entry
	sequence atomic.Uint64
	buffered atomic.Int64 // the sizes of what is in queue

	lost    losses
	trouble chan struct{} // holds a token while something lost is unreported
	written chan struct{} // closed when the writer is done
	done    chan struct{} // closed when the reporter is done
}

// entry is an event and its number among all recorded ones, dropped ones too.
type entry struct {
	Event
	sequence uint64
}

// New starts a log. It runs until Close.
func New(o Options) *Log {
	if o.Queue == 0 {
		o.Queue = defaultQueue
	}
	l := &Log{
		sink:    o.Sink,
		encoder: newEncoder(o.Labels),
		log:     o.Log,
		queue:   make(chan entry, o.Queue),
		trouble: make(chan struct{}, 1),
		written: make(chan struct{}),
		done:    make(chan struct{}),
	}
	l.metrics = newMetrics(o.Registerer, o.Sink.Name, func() float64 { return float64(len(l.queue)) })
	go l.write()
	go l.report()
	return l
}

// Record remembers an event. It never waits: when the sink is too slow, or the
// log is closed, the event is dropped and counted.
func (l *Log) Record(e Event) {
	l.mutex.RLock()
	defer l.mutex.RUnlock()
	numbered := entry{e, l.sequence.Add(1)}
	if fits := l.buffered.Add(int64(e.Size)) <= maxBuffered; fits && !l.closed {
		select {
		case l.queue <- numbered:
			return
		default:
		}
	}
	l.buffered.Add(-int64(e.Size))
	l.metrics.dropped.Inc()
	l.lose(1, 0, nil)
}

// Close writes what waits, closes the sink and returns. If ctx ends first, it
// returns an error and what waits is lost.
func (l *Log) Close(ctx context.Context) error {
	l.mutex.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mutex.Unlock()
	select {
	case <-l.written:
	case <-ctx.Done():
		return fmt.Errorf("close the decision log: %d events are not written to %s: %w", len(l.queue), l.sink.Name, ctx.Err())
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the decision log: the last losses are not reported: %w", ctx.Err())
	}
}

// write is the one goroutine that touches the sink.
func (l *Log) write() {
	defer close(l.written)
	var lines []byte
	for e := range l.queue {
		lines = l.encode(lines[:0], e)
		count := 1
		for len(lines) < maxWrite {
			next, ok := l.waiting()
			if !ok {
				break
			}
			lines = l.encode(lines, next)
			count++
		}
		l.flush(lines, count)
	}
	if err := l.sink.Close(); err != nil {
		l.lose(0, 0, err)
	}
}

func (l *Log) encode(lines []byte, e entry) []byte {
	l.buffered.Add(-int64(e.Size))
	return l.encoder.append(lines, e)
}

// waiting is the next event if there is one already.
func (l *Log) waiting() (entry, bool) {
	select {
	case e, ok := <-l.queue:
		return e, ok
	default:
		return entry{}, false
	}
}

// flush writes whole lines. What a failed write left unfinished gets its line
// end first, so that it spoils no other line.
func (l *Log) flush(lines []byte, count int) {
	if l.sink.unfinished {
		if _, err := l.sink.Write([]byte("\n")); err != nil {
			l.fail(count, err)
			return
		}
		l.sink.unfinished = false
	}
	n, err := l.sink.Write(lines)
	whole := bytes.Count(lines[:n], []byte("\n"))
	l.sink.unfinished = n > 0 && lines[n-1] != '\n'
	l.metrics.written.Add(float64(whole))
	if err != nil {
		l.fail(count-whole, err)
	}
}

func (l *Log) fail(count int, err error) {
	l.metrics.failed.Add(float64(count))
	l.lose(0, uint64(count), err)
}

// losses are events that are not in the log.
type losses struct {
	mutex           sync.Mutex
	dropped, failed uint64 // since the last report
	err             error  // the last one
}

func (l *Log) lose(dropped, failed uint64, err error) {
	l.lost.mutex.Lock()
	l.lost.dropped += dropped
	l.lost.failed += failed
	if err != nil {
		l.lost.err = err
	}
	l.lost.mutex.Unlock()
	select {
	case l.trouble <- struct{}{}:
	default:
	}
}

// report tells the operator what is lost, at most once a minute. It is a
// goroutine of its own, because stderr can be stuck as well as a sink.
func (l *Log) report() {
	defer close(l.done)
	for {
		select {
		case <-l.trouble:
			l.say()
		case <-l.written:
			l.say()
			return
		}
		select {
		case <-time.After(reportEvery):
		case <-l.written:
		}
	}
}

func (l *Log) say() {
	l.lost.mutex.Lock()
	dropped, failed, err := l.lost.dropped, l.lost.failed, l.lost.err
	l.lost.dropped, l.lost.failed, l.lost.err = 0, 0, nil
	l.lost.mutex.Unlock()
	if dropped+failed > 0 || err != nil {
		l.log.Warn("decision log events are lost", "sink", l.sink.Name, "dropped", dropped, "failed", failed, "err", err)
	}
}
