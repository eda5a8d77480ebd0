package feed

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// A Directory is what a Publisher publishes.
type Directory interface {
	DirectoryID(ctx context.Context) (string, error)
	Read(ctx context.Context, keys []authz.Key) ([]authz.Document, authz.Point, error)
	Changes(ctx context.Context, after authz.Point, wait time.Duration) (authz.Changes, error)
}

// A Publisher publishes a directory of this server's.
type Publisher struct {
	ID        string // of the directory
	Directory Directory
	// Past returns when the change log was followed past a revision, or back from
	// it, or when ctx ends.
	Past func(ctx context.Context, revision authz.Revision)
	// AppKey finds a key; one that there is not is an error of kind
	// authz.ErrNotFound.
	AppKeys func(ctx context.Context, id string) (AppKey, error)
	Token   func(authz.Revision) string
	Now     func() time.Time // with a monotonic clock
}

// State says which directory this is and where it is.
func (p *Publisher) State(ctx context.Context) (State, error) {
	_, head, err := p.Directory.Read(ctx, nil)
	if err != nil {
		return State{}, err
	}
	return State{Directory: p.ID, Head: head, Token: p.Token(head.Revision)}, nil
}

// Changes are those after a point. If there are none it waits for one, no longer
// than wait, MaxWait and half of the time that ctx lasts, and looks then.
func (p *Publisher) Changes(ctx context.Context, after authz.Point, wait time.Duration) (Changes, error) {
	began := p.Now()
	if end, limited := ctx.Deadline(); limited {
		wait = min(wait, time.Until(end)/2)
	}
	if wait = min(wait, MaxWait); wait > 0 {
		waiting, stop := context.WithTimeout(ctx, wait)
		p.Past(waiting, after.Revision)
		stop()
	}
	held := p.Now().Sub(began)
	c, err := p.Directory.Changes(ctx, after, 0)
	return Changes{Directory: p.ID, Changes: c, HeldMS: held.Milliseconds()}, err
}

// Documents reads documents, all at one point.
func (p *Publisher) Documents(ctx context.Context, keys []authz.Key) (Documents, error) {
	docs, at, err := p.Directory.Read(ctx, keys)
	return Documents{Directory: p.ID, AsOf: at, Documents: docs}, err
}

// AppKey is what is kept of the key of an application.
func (p *Publisher) AppKey(ctx context.Context, id string) (AppKey, error) {
	k, err := p.AppKeys(ctx, id)
	k.Directory = p.ID
	return k, err
}
