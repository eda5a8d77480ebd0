package pap

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// A work is one change or view on its way, within one transaction.
type work struct {
	*Options
	Reader
	ctx   context.Context
	call  Call
	tx    Tx // nil: a view
	now   time.Time
	actor actor

	powers    map[string][]power // of the actor, by organization
	verdict   authz.Verdict      // the last that allowed
	events    []Event
	messages  []Message
	committed error // see refuseButKeep
}

// Errors that end a transaction without anything being wrong. They never leave
// this package.
var (
	errValidated = errors.New("nothing is kept: it was only to be validated")
	errReplayed  = errors.New("nothing is done: it was done before")
)

// change does something once and keeps it together with its audit rows, its
// mails and its idempotency key, or keeps nothing. do returns what it made and
// the id by which show finds it again when the same request comes back.
func change[T any](ctx context.Context, p *PAP, call Call, do func(*work) (T, string, error), show func(*work, string) (T, error)) (T, Change, error) {
	var made T
	var done Change
	var kept error
	var events []Event
	revision, err := p.Store.Change(ctx, func(tx Tx) error {
		w, err := p.begin(ctx, call, tx, tx)
		if err != nil {
			return err
		}
		if id, err := w.replay(); err != nil {
			return err
		} else if id != "" {
			if made, err = show(w, id); err != nil {
				return err
			}
			done = Change{Revision: w.Revision(), Decision: w.verdict.ID, Replayed: true}
			return errReplayed
		}
		var id string
		if made, id, err = do(w); err != nil {
			return err
		}
		done.Decision, kept = w.verdict.ID, w.committed
		if err := w.record(); err != nil {
			return err
		}
		if err := w.remember(id); err != nil {
			return err
		}
		if call.ValidateOnly && kept == nil {
			return errValidated
		}
		events = w.events
		return nil
	})
	var none T
	switch {
	case errors.Is(err, errValidated), errors.Is(err, errReplayed):
		return made, done, nil
	case err != nil:
		return none, Change{}, err
	}
	p.happened(events)
	if kept != nil {
		return none, Change{Revision: revision}, kept
	}
	done.Revision = revision
	return made, done, nil
}

// look shows something as of one revision.
func look[T any](ctx context.Context, p *PAP, call Call, see func(*work) (T, error)) (T, error) {
	var seen T
	err := p.Store.Look(ctx, func(r Reader) error {
		w, err := p.begin(ctx, call, r, nil)
		if err != nil {
			return err
		}
		seen, err = see(w)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return seen, nil
}

func (p *PAP) begin(ctx context.Context, call Call, r Reader, tx Tx) (*work, error) {
	w := &work{Options: &p.Options, Reader: r, ctx: ctx, call: call, tx: tx, now: p.Now().UTC().Truncate(time.Millisecond), powers: map[string][]power{}}
	return w, w.identify()
}

// refuseButKeep refuses the request and keeps what was written, such as a count
// of failures. The caller returns right after it.
func (w *work) refuseButKeep(err error) { w.committed = err }

// checkMatch compares what the caller saw with what there is.
func (w *work) checkMatch(now authz.Revision) error {
	if seen := w.call.IfMatch; seen != nil && *seen != now {
		return refuse(ErrPrecondition, "etag-mismatch", "this was changed since: read it again and decide anew")
	}
	return nil
}

// mustMatch is checkMatch where the caller has to have looked first.
func (w *work) mustMatch(now authz.Revision) error {
	if w.call.IfMatch == nil && !w.call.MatchAny {
		return refuse(ErrPreconditionRequired, "precondition-required", "send If-Match with the ETag that was read, for this replaces all of it")
	}
	return w.checkMatch(now)
}

// replayLasts is how long an idempotency key is remembered.
const replayLasts = 24 * time.Hour

// replay is the id of what the same request made before, or "".
func (w *work) replay() (string, error) {
	key := w.call.Idempotency
	if key == nil || w.call.ValidateOnly {
		return "", nil
	}
	before, err := w.Replay(w.caller(), w.call.Route, key.Key)
	switch {
	case errors.Is(err, authz.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case !w.now.Before(before.ExpiresAt):
		return "", nil
	case before.Fingerprint != key.Fingerprint:
		return "", &Refusal{Kind: authz.ErrInvalid, Reason: "idempotency-key-reused",
			Detail: "this Idempotency-Key came with another body before: make a new key for a new request"}
	}
	return before.Resource, nil
}

func (w *work) remember(id string) error {
	key := w.call.Idempotency
	if key == nil || w.committed != nil || id == "" {
		return nil
	}
	return w.tx.PutReplay(Replay{
		Principal: w.caller(), Route: w.call.Route, Key: key.Key, Fingerprint: key.Fingerprint,
		Resource: id, Revision: w.Revision(), ExpiresAt: w.now.Add(replayLasts),
	})
}

// caller names the credential and whom it speaks for.
func (w *work) caller() string {
	p := w.call.Principal
	name := string(p.Kind) + ":" + p.ID
	if p.Actor != "" {
		name += " for " + p.Actor
	}
	return name
}
