// Package feed is the directory over HTTP: how a server that has none follows
// and reads the directory of one that has it.
package feed

import (
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Where the feed is on the management listener.
const (
	PathState     = "/v1/feed"
	PathChanges   = "/v1/feed/changes"
	PathDocuments = "/v1/feed/documents"
	PathAppKeys   = "/v1/feed/app-keys"
)

const (
	// MaxWait is how long a look at the change log may wait at most.
	MaxWait = 2 * time.Second
	// MaxKeys is how many documents one request may ask for.
	MaxKeys = 10_000
)

// A State names a directory and the point it is at.
type State struct {
	Directory string      `json:"directory"` // its id, 32 hexadecimal digits
	Head      authz.Point `json:"head"`
	// Token is the consistency token of Head: who can read it has the same
	// POSTERN_SECRET as who made it.
	Token string `json:"token"`
	// ServiceTokenExpiresAt is when the service token ends that asked; zero: never,
	// or the server does not tell.
	ServiceTokenExpiresAt time.Time `json:"service_token_expires_at,omitzero"`
}

// Changes are those of a directory after a point.
type Changes struct {
	Directory string `json:"directory"`
	authz.Changes
	HeldMS int64 `json:"held_ms"` // how long the look waited before it saw this
}

// A Query names the documents that are asked for.
type Query struct {
	Keys []authz.Key `json:"keys"`
}

// Documents are those of a Query, in its order, all as of one point. One that
// the directory does not know is empty.
type Documents struct {
	Directory string           `json:"directory"`
	AsOf      authz.Point      `json:"as_of"`
	Documents []authz.Document `json:"documents"`
}

// An AppKey is what the directory keeps of the key of an application. Its secret
// is not in it.
type AppKey struct {
	Directory     string    `json:"directory"`
	ID            string    `json:"id"`
	Hash          []byte    `json:"hash"` // SHA-256 of the key
	Organizations []string  `json:"organizations"`
	Actions       []string  `json:"actions"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
	RevokedAt     time.Time `json:"revoked_at,omitzero"`
}

// named is an answer that says of which directory it is; empty: that is as well
// any other's.
type named interface{ directory() string }

func (s State) directory() string     { return s.Directory }
func (c Changes) directory() string   { return c.Directory }
func (d Documents) directory() string { return d.Directory }
func (k AppKey) directory() string    { return k.Directory }
