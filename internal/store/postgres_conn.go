package store

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// connectTimeout bounds an attempt at one host. Of two hosts the second is
	// tried while a look at the change log still lasts.
	connectTimeout = 2 * time.Second
	// A peer that has vanished is found out after 10 s and three probes of 5 s, or
	// when nothing that was sent is confirmed for so long.
	idleProbe, probeEvery, probes = 10 * time.Second, 5 * time.Second, 3
	unconfirmed                   = 15 * time.Second
)

// endure makes connections end when there is nobody at their other end, or not
// the one that is wanted.
func endure(config *pgx.ConnConfig) {
	dialer := &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: idleProbe, Interval: probeEvery, Count: probes},
		Control:         limitUnconfirmed,
	}
	config.DialFunc = dialer.DialContext
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.OnPgError = usable
	wanted := config.ValidateConnect
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := primary(ctx, conn); err != nil || wanted == nil {
			return err
		}
		return wanted(ctx, conn)
	}
}

// primary refuses a standby: what it answers is older by what it lags behind,
// which no look at its change log can tell.
func primary(ctx context.Context, conn *pgconn.PgConn) error {
	err := pgconn.ValidateConnectTargetSessionAttrsPrimary(ctx, conn)
	if errors.Is(err, pgconn.ErrStandbyConnection) {
		return errors.New("it is a standby, whose grants may be old; name the primary, or all hosts")
	}
	return err
}
