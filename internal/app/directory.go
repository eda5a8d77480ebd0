package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/feed"
	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/ops"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/token"
)

// openDirectory opens the directory, waiting for it if it does not answer, and
// follows its changes.
func (s *server) openDirectory(ctx context.Context) (err error) {
	if s.shared, err = s.cfg.SharedKey(); err != nil {
		return err
	}
	open := s.openStore
	if s.cfg.Directory.Remote() {
		open = s.openFeed
	}
	source, err := open(ctx)
	if err != nil {
		return err
	}
	o := grant.Options{
		Source: source, MaxStaleness: s.cfg.MaxStaleness, ServeStale: s.cfg.ServeStale, PollInterval: s.cfg.PollInterval,
		CacheBytes: int64(s.cfg.GrantsCache), Log: s.Log, Registerer: s.registry, Histograms: s.histograms(),
	}
	if s.cfg.Directory.Remote() {
		o.Wait = min(feed.MaxWait, s.cfg.MaxStaleness/4)
	}
	if err := s.openRedis(); err != nil {
		return err
	}
	if s.redis != nil {
		o.Tier = s.redis
	}
	s.pip = grant.New(o)
	s.background("change log", func(ctx context.Context) {
		if err := s.pip.Follow(ctx); err != nil {
			s.Log.Error("the change log is not followed any more", "err", err)
		}
	})
	s.hearOfChanges()
	return await(ctx, s.pip)
}

// hearOfChanges has the change log looked at as soon as somebody tells of a
// change. A look that waits at another server is told there.
func (s *server) hearOfChanges() {
	if s.store == nil {
		return
	}
	s.background("changes that are heard of", func(ctx context.Context) { s.store.Listen(ctx, s.wake(grant.CauseNotify)) })
	if s.redis != nil {
		s.background("announcements", func(ctx context.Context) { s.redis.Listen(ctx, s.wake(grant.CauseRedis)) })
	}
}

// wake has the change log looked at by a cause.
func (s *server) wake(by grant.Cause) func() { return func() { s.pip.Wake(by) } }

// openStore opens the database.
func (s *server) openStore(ctx context.Context) (_ grant.Source, err error) {
	if s.secret, err = s.cfg.Key(); err != nil {
		return nil, err
	}
	metrics := store.NewMetrics(s.registry)
	err = s.insist(ctx, func() (err error) {
		if s.store, err = openPrepared(ctx, s.cfg, s.Log, metrics); err != nil {
			return err
		}
		if s.directory, err = s.store.DirectoryID(ctx); err != nil {
			return errors.Join(err, s.store.Close())
		}
		s.onClose("database", func(context.Context) error { return s.store.Close() })
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.registry.MustRegister(s.store.Clock())
	if file, ok := s.cfg.Database.SQLite(); ok {
		s.registry.MustRegister(ops.FreeSpace("directory", filepath.Dir(file)))
	}
	s.appKeys = appKeys{s.store}
	s.tokens, err = token.New(s.shared, s.directory)
	return s.store, err
}

// openFeed asks the server that has the directory which one that is, and makes
// sure that both have the same secret.
func (s *server) openFeed(ctx context.Context) (grant.Source, error) {
	d := s.cfg.Directory
	o := feed.Options{URLs: d.URLs, Token: string(d.Token), Registerer: s.registry}
	if d.CA != "" {
		text, err := os.ReadFile(d.CA)
		if err != nil {
			return nil, fmt.Errorf("POSTERN_DIRECTORY_CA: %w", err)
		}
		if o.CA = x509.NewCertPool(); !o.CA.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("POSTERN_DIRECTORY_CA has no certificate in PEM form: %w", authz.ErrInvalid)
		}
	}
	if !s.cfg.Shared() {
		s.Log.Warn("this server has no database and needs no more than what `postern secret derive` prints: who takes it over could make links with POSTERN_SECRET")
	}
	client := feed.NewClient(o)
	s.onClose("directory", func(context.Context) error { client.Close(); return nil })
	var state feed.State
	err := s.insist(ctx, func() (err error) {
		state, err = client.Open(ctx)
		return err
	})
	switch {
	case errors.Is(err, authz.ErrUnauthenticated):
		return nil, fmt.Errorf("POSTERN_DIRECTORY_TOKEN is not known at POSTERN_DIRECTORY_URL, or has expired or been revoked: %w", err)
	case errors.Is(err, authz.ErrForbidden):
		return nil, fmt.Errorf("POSTERN_DIRECTORY_TOKEN is not of scope replicate: %w", err)
	case err != nil:
		return nil, err
	}
	s.directory, s.appKeys = state.Directory, remoteKeys{client}
	if s.tokens, err = token.New(s.shared, s.directory); err != nil {
		return nil, err
	}
	if _, err := s.tokens.Read(state.Token); err != nil {
		return nil, fmt.Errorf("POSTERN_SECRET is not that of the server at POSTERN_DIRECTORY_URL: give all servers of one directory the same: %w", authz.ErrInvalid)
	}
	s.watchToken(state.ServiceTokenExpiresAt)
	return client, nil
}

// publisher publishes the directory to servers that have none.
func (s *server) publisher() *feed.Publisher {
	return &feed.Publisher{
		ID: s.directory, Directory: told{s.store}, Past: s.pip.Past, Token: s.tokens.Issue, Now: time.Now,
		AppKeys: func(ctx context.Context, id string) (feed.AppKey, error) {
			k, err := s.store.AppKey(ctx, id)
			return feed.AppKey{
				ID: k.ID, Hash: k.Hash, Organizations: k.Organizations, Actions: k.Actions, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
			}, err
		},
	}
}

// told is the directory as other servers look at it.
type told struct{ *store.Store }

// Changes implements feed.Directory. The Publisher has waited already.
func (t told) Changes(ctx context.Context, after authz.Point, _ time.Duration) (authz.Changes, error) {
	return t.Tell(ctx, after)
}

// remoteKeys finds app keys at the server that has the directory.
type remoteKeys struct{ client *feed.Client }

// AppKey implements httpserver.Keys.
func (k remoteKeys) AppKey(ctx context.Context, id string) (httpserver.Key, error) {
	kept, err := k.client.AppKey(ctx, id)
	if err != nil {
		return httpserver.Key{}, err
	}
	return keyOf(kept.ID, kept.Hash, kept.Organizations, kept.Actions, kept.ExpiresAt, kept.RevokedAt)
}

// keyOf is an app key as the listener compares it.
func keyOf(id string, hash []byte, organizations, actions []string, expires, revoked time.Time) (httpserver.Key, error) {
	key := httpserver.Key{
		Holder:  authz.Caller{ID: id, Organizations: organizations, Actions: actions},
		Expires: expires,
		Revoked: !revoked.IsZero(),
	}
	if copy(key.Hash[:], hash) != len(key.Hash) {
		return httpserver.Key{}, fmt.Errorf("app key %s is kept with a hash of %d bytes, not %d", id, len(hash), len(key.Hash))
	}
	return key, nil
}
