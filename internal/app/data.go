package app

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/backup"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/store"
)

// ExistingStore opens the configured directory as it is: it makes no file and
// migrates nothing.
func ExistingStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (*store.Store, error) {
	return openStore(ctx, cfg, store.Options{Log: log, Existing: true})
}

// Restore brings a backup into the configured database, which is made or empty.
func Restore(ctx context.Context, cfg *config.Config, log *slog.Logger, from io.ReadSeeker) (backup.Summary, authz.Revision, error) {
	st, err := openStore(ctx, cfg, store.Options{Log: log})
	if err != nil {
		return backup.Summary{}, 0, err
	}
	summary, revision, err := backup.Restore(ctx, from, st)
	return summary, revision, errors.Join(err, st.Close())
}
