package pap

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// eventsAtOnce is how many rows are held in memory at most.
const eventsAtOnce = 500

// Events lists rows of an organization's audit trail, or of the directory's own
// for no organization; the second result is the sequence to go on after, or 0.
func (p *PAP) Events(ctx context.Context, call Call, q EventQuery) ([]Event, int64, error) {
	if q.Limit <= 0 || q.Limit > eventsAtOnce {
		q.Limit = eventsAtOnce
	}
	list, err := look(ctx, p, call, func(w *work) ([]Event, error) {
		if err := w.authorizeOver("audit.view", q.Organization, q.Organization); err != nil {
			return nil, err
		}
		return w.Events(q)
	})
	if err != nil || len(list) < q.Limit || len(list) == 0 {
		return list, 0, err
	}
	return list, list[len(list)-1].Sequence, nil
}

// ExportEvents gives all rows that the query asks for, oldest first, a part of
// them at a time: rows that are added meanwhile are among them. The actor is
// asked about for each part, so an export ends when its right does.
func (p *PAP) ExportEvents(ctx context.Context, call Call, q EventQuery, give func(Event) error) error {
	q.Newest, q.Limit = false, eventsAtOnce
	for {
		part, next, err := p.Events(ctx, call, q)
		if err != nil {
			return err
		}
		for _, e := range part {
			if err := give(e); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		q.After = next
	}
}

// A Verification is what became of checking an organization's chain of audit
// events.
type Verification struct {
	Organization string `json:"organization"`
	Count        int64  `json:"count"` // of the events that are as they were written
	OK           bool   `json:"ok"`
	// Broken is the sequence of the first event that was changed, left out or
	// put in; Detail says how. Nothing after it was looked at.
	Broken int64  `json:"broken,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Head is the hash of the last good event, in hex. Whoever keeps it
	// elsewhere finds out when the end of the trail is cut off.
	Head string `json:"head,omitempty"`
}

// VerifyEvents works out the chain of an organization anew, from its first
// event.
func (p *PAP) VerifyEvents(ctx context.Context, call Call, organization string) (Verification, error) {
	v := Verification{Organization: organization, OK: true}
	var chain Chain
	err := p.ExportEvents(ctx, call, EventQuery{Organization: organization}, func(e Event) error {
		if err := chain.Next(e); err != nil {
			v.OK, v.Broken, v.Detail = false, e.Sequence, strings.TrimSuffix(err.Error(), ": "+authz.ErrConflict.Error())
			return errBroken
		}
		v.Count++
		v.Head = hex.EncodeToString(e.Hash)
		return nil
	})
	if errors.Is(err, errBroken) {
		return v, nil
	}
	if err != nil {
		return Verification{}, err
	}
	return v, nil
}

// errBroken ends a verification. It never leaves this package.
var errBroken = errors.New("the chain is broken")
