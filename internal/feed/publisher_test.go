package feed_test

import (
	"context"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/feed"
)

// A still directory is one in which nothing changes.
type still struct{}

func (still) DirectoryID(context.Context) (string, error) { return "still", nil }

func (still) Read(ctx context.Context, _ []authz.Key) ([]authz.Document, authz.Point, error) {
	return nil, authz.Point{Revision: 7}, ctx.Err()
}

func (still) Changes(ctx context.Context, _ authz.Point, _ time.Duration) (authz.Changes, error) {
	return authz.Changes{Head: authz.Point{Revision: 7}}, ctx.Err()
}

// POSTERN_MANAGEMENT_TIMEOUT may be shorter than what sidecars ask to wait.
func TestALookIsAnsweredBeforeTheTimeOfItsRequestEnds(t *testing.T) {
	p := feed.Publisher{Directory: still{}, Now: time.Now, Past: func(ctx context.Context, _ authz.Revision) { <-ctx.Done() }}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	c, err := p.Changes(ctx, authz.Point{Revision: 7}, time.Second)
	if err != nil || c.Head.Revision != 7 {
		t.Errorf("got %+v, %v, want head 7", c, err)
	}
}
