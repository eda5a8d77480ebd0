package jwt

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/postern-authz/postern/internal/authz"
)

const (
	// atLeast is between two looks at an issuer's keys: strangers who make key
	// ids up cause none beyond.
	atLeast = time.Minute
	// soon is between two looks while none succeeds.
	soon = 10 * time.Second
	// oldest is how old keys may be when the issuer does not answer (F33).
	oldest = 24 * time.Hour
)

// keys are those of one issuer, as they were read last.
type keys struct {
	read func(context.Context) (jwk.Set, error)
	now  func() time.Time
	log  *slog.Logger
	turn chan struct{} // holds one while somebody reads

	mu     sync.Mutex // guards what follows; nobody reads meanwhile
	set    jwk.Set    // nil: never read
	at     time.Time  // when set was read
	tried  time.Time  // when it was read or was to be read
	failed bool
}

func newKeys(at string, now func() time.Time, log *slog.Logger) *keys {
	return &keys{read: reader(at), now: now, log: log, turn: make(chan struct{}, 1)}
}

// find returns the keys that a signature may be made with. A key id that is not
// known is looked for once more at the issuer, unless that was done just now;
// who shows a known one does not wait for that.
func (k *keys) find(ctx context.Context, alg jwa.SignatureAlgorithm, kid string) ([]jwk.Key, error) {
	if found, _ := k.known(alg, kid); len(found) > 0 {
		return found, nil
	}
	if err := k.refresh(ctx); err != nil {
		return nil, fmt.Errorf("read the keys of an issuer: %w", err)
	}
	found, usable := k.known(alg, kid)
	switch {
	case len(found) > 0:
		return found, nil
	case !usable:
		return nil, fmt.Errorf("the keys of an issuer cannot be read: %w", authz.ErrUnavailable)
	}
	return nil, BadKey
}

// refresh looks at the issuer's keys, unless that was done just now. Its error
// is that ctx ended before its turn; what else goes wrong is logged.
func (k *keys) refresh(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !k.due() {
		return nil
	}
	set, err := k.read(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	report(k.log, err, k.failed)
	if k.failed = err != nil; !k.failed {
		k.set, k.at = set, k.tried
	}
	return nil
}

func (k *keys) due() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait, now := atLeast, k.now()
	if k.failed {
		wait = soon
	}
	if !k.tried.IsZero() && now.Sub(k.tried) < wait {
		return false
	}
	k.tried = now
	return true
}

// known are the keys with the id that make signatures of the algorithm, and
// whether there are any keys that may be used. A token that names no key is
// signed with the only one there is, or with none.
func (k *keys) known(alg jwa.SignatureAlgorithm, kid string) (found []jwk.Key, usable bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == nil || k.now().Sub(k.at) > oldest {
		return nil, false
	}
	for i := range k.set.Len() {
		key, _ := k.set.Key(i)
		id, _ := key.KeyID()
		if named := kid != "" && id == kid; (named || kid == "" && k.set.Len() == 1) && signs(key, alg) {
			found = append(found, key)
		}
	}
	return found, true
}

// signs tells whether a key is one of the algorithm: its type is, and nothing it
// says of its use speaks against it.
func signs(key jwk.Key, alg jwa.SignatureAlgorithm) bool {
	if use, ok := key.KeyUsage(); ok && use != jwk.ForSignature.String() {
		return false
	}
	if own, ok := key.Algorithm(); ok && own.String() != alg.String() {
		return false
	}
	switch public := key.(type) {
	case jwk.RSAPublicKey:
		return alg == jwa.RS256()
	case jwk.ECDSAPublicKey:
		curve, _ := public.Crv()
		return alg == jwa.ES256() && curve == jwa.P256()
	case jwk.OKPPublicKey:
		curve, _ := public.Crv()
		return alg == jwa.EdDSA() && curve == jwa.Ed25519()
	}
	return false
}
