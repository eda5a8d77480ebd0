package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-authz/postern/internal/authz"
)

// channel is where revisions are told of when they are committed.
const channel = "postern_changes"

// Waits between attempts to listen.
const (
	firstListen = 250 * time.Millisecond
	lastListen  = 30 * time.Second
	// goodbye bounds the end of a connection.
	goodbye = time.Second
)

// Listen calls wake whenever a revision was committed, by any process, until ctx
// ends. It has a connection of its own. While that is lost nothing is heard and
// nothing fails: a follower looks at the change log anyway, only later. The log
// says once that it is lost, and once that it is back. Without PostgreSQL, or
// behind a pooler, there is nothing to hear and Listen returns at once.
func (s *Store) Listen(ctx context.Context, wake func()) {
	if s.listener == nil {
		return
	}
	lost := false
	for wait := firstListen; ; wait = min(2*wait, lastListen) {
		err := s.listen(ctx, func() {
			if lost {
				s.log.InfoContext(ctx, "changes are heard of again")
			}
			lost, wait = false, firstListen
			wake()
		})
		if ctx.Err() != nil {
			return
		}
		_ = s.metrics.seen("listen", err) // it goes on
		if !lost {
			s.log.WarnContext(ctx, "changes are not heard of at once but found at the next look at the change log", "err", err)
		}
		lost = true
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// listen hears until the connection is lost. It wakes when it begins, too:
// something may have been committed before.
func (s *Store) listen(ctx context.Context, wake func()) error {
	conn, err := pgx.ConnectConfig(ctx, s.listener)
	if err != nil {
		return fmt.Errorf("connect to listen: %w", errors.Join(err, authz.ErrUnavailable))
	}
	defer leave(conn)
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listen: %w", s.dialect.classify(err))
	}
	for {
		wake()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("wait for changes: %w", s.dialect.classify(err))
		}
	}
}

// leave closes a connection whose context may have ended.
func leave(conn *pgx.Conn) {
	ctx, stop := context.WithTimeout(context.Background(), goodbye)
	defer stop()
	_ = conn.Close(ctx) // it may be lost already
}
