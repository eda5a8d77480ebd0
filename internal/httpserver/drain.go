package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Serve serves ln until ctx is done, and ends so that no request fails of those
// who do as Connection: close tells them (F25). It goes on for the drain delay,
// asking every client to connect elsewhere; accepts nobody any more; answers who
// asks on a connection that is open, for the drain grace; and returns nil once
// the requests that have begun are answered. It returns an error when it ends
// for any other reason, or when requests do not end in time. It closes ln in any
// case.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	l, ended := s.listener(ln), make(chan error, 1)
	go func() { ended <- s.App.Listener(l) }()
	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("the %s listener on %s ended by itself", s.options.Name, ln.Addr()), err, ln.Close())
	case <-ctx.Done():
	}
	s.drain(ended)
	if err := retire(ln); err != nil {
		s.options.Log.Warn("the listener could not end in order", "err", err, "listener", s.options.Name)
	}
	<-ended
	_ = ln.Close() // it is closed, unless it was retired
	return s.settle(l)
}

// drain waits, in the name of the load balancer, which has to notice first.
func (s *Server) drain(ended chan error) {
	s.draining.Store(true)
	timer := time.NewTimer(s.options.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case err := <-ended:
		ended <- err
	}
}

// retire ends Accept.
func retire(ln net.Listener) error {
	if s, ok := ln.(*socket); ok {
		return s.retire()
	}
	if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// settleTick is how often settle looks at what is still open.
const settleTick = 5 * time.Millisecond

// settle waits until every connection is closed. fasthttp's own Shutdown would
// close those on which a request is about to arrive, and wait for those on which
// none ever does.
func (s *Server) settle(l *limitedListener) error {
	grace, timeout := time.After(s.options.DrainGrace), time.After(s.options.DrainTimeout)
	tick := time.NewTicker(settleTick)
	defer tick.Stop()
	for over := false; l.left(over) > 0; {
		select {
		case <-tick.C:
		case <-grace:
			over = true
		case <-timeout:
			return fmt.Errorf("requests to the %s listener did not end within %s", s.options.Name, s.options.DrainTimeout)
		}
	}
	return nil
}

// left counts the open connections. Those on which nothing is asked end soon,
// once it is over.
func (l *limitedListener) left(over bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if over {
		for t := range l.open {
			t.dismiss()
		}
	}
	return len(l.open)
}
