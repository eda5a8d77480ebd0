package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A Census is how much there is of what people administer.
type Census struct {
	Organizations int
	Users         int            // with those whose last membership was removed
	Memberships   map[string]int // by state; a state that none is in is missing
	Open          int            // invitations that wait to be accepted
	Expired       int            // those whose time has passed
	Oldest        time.Time      // when the oldest open one was made; zero: there is none
}

// Census counts, all as of one revision. It reads every membership and
// invitation, which takes its time in a large directory.
func (s *Store) Census(ctx context.Context) (Census, error) {
	c := Census{Memberships: map[string]int{}}
	err := s.snapshot(ctx, func(q queryer) error {
		if err := q.all(`SELECT (SELECT count(*) FROM organizations), (SELECT count(*) FROM users)`, func(row *sql.Rows) error {
			return scan(row, &c.Organizations, &c.Users)
		}); err != nil {
			return err
		}
		if err := q.all(`SELECT state, count(*) FROM memberships GROUP BY state`, c.membership); err != nil {
			return err
		}
		const query = `
			SELECT count(*) FILTER (WHERE expires_at > $1), count(*) FILTER (WHERE expires_at <= $1), min(created_at) FILTER (WHERE expires_at > $1)
			FROM invitations WHERE state = 'pending'`
		return q.all(query, c.invitations, s.milliseconds())
	})
	if err != nil {
		return Census{}, fmt.Errorf("count what there is: %w", err)
	}
	return c, nil
}

func (c *Census) membership(row *sql.Rows) error {
	var state string
	var n int
	err := scan(row, &state, &n)
	c.Memberships[state] = n
	return err
}

func (c *Census) invitations(row *sql.Rows) error {
	var oldest *int64
	err := scan(row, &c.Open, &c.Expired, &oldest)
	c.Oldest = instant(oldest)
	return err
}

// ClockSkew is how far the database's clock is ahead of this machine's. The one
// of an SQLite file is this machine's.
func (s *Store) ClockSkew(ctx context.Context) (time.Duration, error) {
	if s.dialect.clock == "" {
		return 0, nil
	}
	var ms int64
	asked := s.now()
	if err := s.reader.QueryRowContext(ctx, s.dialect.clock).Scan(&ms); err != nil {
		return 0, fmt.Errorf("ask the database for the time: %w", s.dialect.classify(err))
	}
	between := asked.Add(s.now().Sub(asked) / 2)
	return time.UnixMilli(ms).Sub(between), nil
}
