package pap

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Who set a password (R41).
const (
	SetByUser          = "user"
	SetByAdministrator = "administrator"
)

// A password is refused for a while after too many wrong ones.
const (
	maxPasswordFailures = 10
	passwordLocked      = 15 * time.Minute
)

// Verified is whose password it was.
type Verified struct {
	User          string   `json:"user"`          // usr_…
	Organizations []string `json:"organizations"` // in which the user is active
}

// hash hashes a password that stands at the pointer in a request.
func (o *Options) hash(ctx context.Context, at, password string) (string, error) {
	hash, err := o.Passwords.Hash(ctx, password)
	if errors.Is(err, authz.ErrInvalid) {
		return "", invalid(at, "length", "%s", sentence(err))
	}
	return hash, err
}

// keptHere refuses what is about passwords where they are kept elsewhere.
func (o *Options) keptHere() error {
	if o.Passwords == nil {
		return refuse(authz.ErrNotFound, "not-found", "passwords are kept elsewhere: set POSTERN_CREDENTIALS=local to keep them here")
	}
	return nil
}

// wrongPassword is what everybody is told who does not know the password, or of
// whom there is none, or who tried too often (C11).
func wrongPassword() *Refusal {
	return refuse(authz.ErrForbidden, "credentials-invalid", "the username or the password is wrong, or this account may not sign in now")
}

// VerifyPassword says whose the username and the password are, for the portal
// that signs somebody in. Ten wrong passwords in a row lock it for a quarter of
// an hour. The refusal is one, and takes as long, whether there is such a user,
// whether it may sign in, and whether it is locked.
func (p *PAP) VerifyPassword(ctx context.Context, call Call, username, password string) (Verified, error) {
	if err := p.keptHere(); err != nil {
		return Verified{}, err
	}
	seen, err := look(ctx, p, call, func(w *work) (Credential, error) {
		if err := w.mayVerify(); err != nil {
			return Credential{}, err
		}
		return w.credentialOf(username)
	})
	if err != nil {
		return Verified{}, err
	}
	fresh, err := p.checked(ctx, seen, password)
	if err != nil {
		return Verified{}, err
	}
	call.Idempotency, call.ValidateOnly = nil, false
	verified, _, err := change(ctx, p, call, func(w *work) (Verified, string, error) {
		if err := w.mayVerify(); err != nil {
			return Verified{}, "", err
		}
		v, err := w.verify(username, seen, fresh)
		return v, "", err
	}, nil)
	return verified, err
}

// mayVerify asks for the credential alone: the answer must not depend on whose
// password it is.
func (w *work) mayVerify() error {
	reach := []authz.Scope{"realm:customer", "realm:operator"}
	for _, o := range w.call.Principal.Organizations {
		reach = append(reach, authz.ScopeOf(authz.KindOrganization, o))
	}
	return w.authorize(ask{action: "credential.verify", target: target{id: "credentials", reach: reach}})
}

// credentialOf is that of the user with the name; the zero Credential if there is
// none.
func (w *work) credentialOf(username string) (Credential, error) {
	person, err := w.PersonByUsername(username)
	if err != nil {
		return Credential{}, absent(err)
	}
	c, err := w.Credential(person.ID)
	return c, absent(err)
}

// A checking is what came of checking a password before the transaction.
type checking struct {
	right bool
	hash  string // of a new cost, to be kept instead; or empty
}

func (o *Options) checked(ctx context.Context, c Credential, password string) (checking, error) {
	right, err := o.Passwords.Check(ctx, c.Hash, password)
	if err != nil || !right || !o.Passwords.Outdated(c.Hash) {
		return checking{right: right}, err
	}
	hash, err := o.Passwords.Hash(ctx, password)
	if errors.Is(err, authz.ErrInvalid) {
		return checking{right: right}, nil // it was long enough once
	}
	return checking{right, hash}, err
}

// verify reads the credential again: others may have tried in the meantime, and
// the count of all of them holds.
func (w *work) verify(username string, seen Credential, was checking) (Verified, error) {
	c, err := w.credentialOf(username)
	if err != nil {
		return Verified{}, err
	}
	var v Verified
	if c.User != "" {
		if v.Organizations, err = w.mayEnter(c.User); err != nil {
			return v, err
		}
	}
	if !was.right || c.Hash != seen.Hash || c.locked(w.now) || v.Organizations == nil {
		return v, w.failPassword(c, wrongPassword())
	}
	v.User = c.User
	if c.Failures == 0 && c.LockedUntil == nil && was.hash == "" {
		return v, nil
	}
	c.Failures, c.LockedUntil, c.Hash = 0, nil, or(was.hash, c.Hash)
	return v, w.tx.PutCredential(c)
}

func (c Credential) locked(now time.Time) bool {
	return c.LockedUntil != nil && now.Before(*c.LockedUntil)
}

// failPassword refuses, and counts it against the user if there is one. Of an
// unknown name as much is written as of a known one.
func (w *work) failPassword(c Credential, because error) error {
	kind, target := "password.check_failed", or(c.User, "unknown")
	if c.User != "" && !c.locked(w.now) {
		if c.LockedUntil != nil {
			c.Failures, c.LockedUntil = 0, nil // that was another quarter of an hour
		}
		if c.Failures++; c.Failures >= maxPasswordFailures {
			until := w.now.Add(passwordLocked)
			c.LockedUntil, kind = &until, "password.locked"
		}
		if err := w.tx.PutCredential(c); err != nil {
			return err
		}
	}
	w.refuseButKeep(because)
	return w.note(kind, "", target, nil, nil)
}

// mayEnter are the organizations that a user is active in and the credential is
// bound to; nil if the user may not sign in. Somebody removed may if the
// organization takes it back: to accept an invitation takes signing in.
func (w *work) mayEnter(user string) ([]string, error) {
	person, err := w.Person(user)
	if err != nil || person.Removed {
		return nil, absent(err)
	}
	var active []string
	for _, m := range person.Memberships {
		if !w.call.Principal.Bound(m.Organization) {
			continue
		}
		switch m.State {
		case directory.StateActive:
			active = append(active, m.Organization)
		case directory.StateRemoved:
			_, s, err := w.organization(m.Organization)
			if err != nil {
				return nil, err
			}
			if s.Removal.Readd == ReaddCustomerReinvite && active == nil {
				active = []string{}
			}
		}
	}
	return active, nil
}

// ChangePassword sets the actor's own password. It takes the old one, which is
// refused after too many wrong ones, as at signing in.
func (p *PAP) ChangePassword(ctx context.Context, call Call, old, replacement string) (Change, error) {
	if err := p.keptHere(); err != nil {
		return Change{}, err
	}
	seen, err := look(ctx, p, call, func(w *work) (Credential, error) {
		if _, err := w.self(); err != nil {
			return Credential{}, err
		}
		c, err := w.Credential(w.actor.ID)
		return c, absent(err)
	})
	if err != nil {
		return Change{}, err
	}
	fresh, err := p.checked(ctx, seen, old)
	if err != nil {
		return Change{}, err
	}
	hash, err := p.hash(ctx, "/new_password", replacement)
	if err != nil {
		return Change{}, err
	}
	_, done, err := change(ctx, p, call, func(w *work) (struct{}, string, error) {
		return struct{}{}, w.actor.ID, w.changePassword(seen, fresh.right, hash)
	}, nothing)
	return done, err
}

// nothing shows a change again that shows nothing.
func nothing(*work, string) (struct{}, error) { return struct{}{}, nil }

func (w *work) changePassword(seen Credential, right bool, hash string) error {
	if _, err := w.self(); err != nil {
		return err
	}
	c, err := w.Credential(w.actor.ID)
	if absent(err) != nil {
		return err
	}
	if !right || c.Hash != seen.Hash || c.locked(w.now) {
		return w.failPassword(c, wrongPassword())
	}
	return w.setPassword(w.actor.ID, hash)
}

// setPassword keeps a password that its user has chosen. Links to set one are
// dead with it.
func (w *work) setPassword(user, hash string) error {
	if err := w.tx.PutCredential(Credential{User: user, Hash: hash, SetAt: w.now, SetBy: SetByUser}); err != nil {
		return err
	}
	if err := w.useReset(user); err != nil {
		return err
	}
	return w.note("password.changed", "", user, nil, nil)
}

// self authorizes the actor to change itself, and finds the organization where it
// is at home: the first that it is active in.
func (w *work) self() (home string, err error) {
	if w.actor.user == nil {
		return "", refuse(authz.ErrForbidden, "not-permitted", "this is for the user alone: send Postern-Actor with the user it acts for")
	}
	for _, m := range w.actor.user.Memberships {
		if m.State == directory.StateActive && w.call.Principal.Bound(m.Organization) {
			home = m.Organization
			break
		}
	}
	if home == "" {
		return "", refuse(authz.ErrForbidden, "not-permitted", "the actor is not active")
	}
	at, err := w.reachOfOrganization(home)
	if err != nil {
		return "", err
	}
	return home, w.authorize(ask{action: "self.update", organization: home, target: target{id: w.actor.ID, reach: at}})
}
