package bearer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwt"
)

// An Issuer signs JWTs for the users of a portal.
type Issuer struct {
	Name     string // the claim iss, compared exactly
	Audience string // the claim aud has to have this; required
	// Keys is where its public keys are: an https URL, http on a loopback
	// address, or the path of a file, each a JWK Set.
	Keys string
	// UserClaim names the claim with the user's username. Empty or sub: sub, and
	// it has the user's id (usr_…).
	UserClaim string
}

type issuer struct {
	Issuer
	keys *keys
}

func (i *issuer) claim() string { return cmp.Or(i.UserClaim, jwt.SubjectKey) }

// trust makes the issuers known.
func (b *Bearer) trust(o Options) error {
	for _, i := range o.Issuers {
		switch {
		case i.Name == "" || i.Audience == "" || i.Keys == "":
			return errors.New("an issuer of JWTs needs a name, an audience and keys")
		case b.issuers[i.Name] != nil:
			return fmt.Errorf("the issuer %s is named twice", i.Name)
		}
		b.issuers[i.Name] = &issuer{i, newKeys(i.Keys, o.Now, o.Log.With("issuer", i.Name))}
	}
	return nil
}

// Follow keeps the keys of all issuers up to date until ctx ends. It must run
// for rotated keys to be known, and withdrawn ones not.
func (b *Bearer) Follow(ctx context.Context) {
	tick := time.NewTicker(atLeast)
	defer tick.Stop()
	for {
		for _, i := range b.issuers {
			_ = i.keys.refresh(ctx) // it ends with ctx, as this does
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report says once that keys cannot be read, and once that they can again.
func report(log *slog.Logger, err error, failing bool) {
	switch {
	case err != nil && !failing:
		log.Error("the keys of an issuer of JWTs cannot be read; those that are known are used", "err", err)
	case err == nil && failing:
		log.Info("the keys of an issuer of JWTs can be read again")
	}
}
