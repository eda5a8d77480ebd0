package feed

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
)

const (
	// maxQuery bounds the keys of one request, in bytes: half of the body that a
	// management listener takes.
	maxQuery = 512 << 10
	// maxRounds is how often all parts are read at most, if the directory moves
	// on between them.
	maxRounds = 4
)

// Read implements grant.Source. What is too much for one request is read in
// parts, one after the other and again, until all of them are of one point.
func (c *Client) Read(ctx context.Context, keys []authz.Key) ([]authz.Document, authz.Point, error) {
	docs := make([]authz.Document, len(keys))
	all, at := parts(keys), authz.Point{}
	for i, same := 0, 0; i < maxRounds*len(all); i++ {
		p := all[i%len(all)]
		point, err := c.readPart(ctx, p.keys, docs[p.from:])
		if err != nil {
			return nil, authz.Point{}, err
		}
		if point != at {
			at, same = point, 0
		}
		if same++; same == len(all) {
			return docs, at, nil
		}
	}
	return nil, authz.Point{}, fmt.Errorf("the directory changes faster than %d documents are read: %w", len(keys), authz.ErrUnavailable)
}

// A part is what one request reads: keys, the first of which is the from-th.
type part struct {
	from int
	keys []authz.Key
}

// parts cuts keys so that each part may be asked for at once. There is at least
// one part, which is empty if there are no keys.
func parts(keys []authz.Key) []part {
	var all []part
	from, size := 0, 0
	for i, key := range keys {
		// In JSON a byte takes six at most, and what is around an id less than 64.
		n := 6*len(key.ID) + 64
		if i > from && (size+n > maxQuery || i-from == MaxKeys) {
			all = append(all, part{from, keys[from:i]})
			from, size = i, 0
		}
		size += n
	}
	return append(all, part{from, keys[from:]})
}

// readPart reads keys into documents. Each part has the time that a server is
// given before it counts as silent.
func (c *Client) readPart(ctx context.Context, keys []authz.Key, into []authz.Document) (authz.Point, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	body, err := json.Marshal(Query{keys})
	if err != nil {
		return authz.Point{}, err
	}
	said, _, err := ask[Documents](ctx, c, call{operation: opRead, path: at(PathDocuments), body: body, patience: readPatience})
	if err != nil {
		return authz.Point{}, err
	}
	if len(said.Documents) != len(keys) {
		return authz.Point{}, fmt.Errorf("the directory answered with %d documents for %d keys: %w", len(said.Documents), len(keys), authz.ErrUnavailable)
	}
	copy(into, said.Documents)
	return said.AsOf, nil
}
