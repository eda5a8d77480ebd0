package drift

import (
	"encoding/hex"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// eventsAtOnce is how many audit events are in memory at a time.
const eventsAtOnce = 500

// trails works out every audit trail anew, from its first event.
func (c *check) trails() error {
	var after *string
	for {
		organization, found, err := c.NextTrail(after)
		if err != nil || !found {
			return err
		}
		if err := c.trail(organization); err != nil {
			return err
		}
		after = &organization
	}
}

// trail stops at the first event that is not as it was written: nothing after it
// can be told.
func (c *check) trail(organization string) error {
	var chain pap.Chain
	trail := Trail{Organization: organization}
	query := pap.EventQuery{Organization: organization, Limit: eventsAtOnce}
	for {
		page, err := c.Events(query)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := chain.Next(e); err != nil {
				return c.find(about(organization), "%s", strings.TrimSuffix(err.Error(), ": "+authz.ErrConflict.Error()))
			}
			if e.Revision > c.summary.Revision {
				return c.find(about(organization), "audit event %d is of revision %d, and the directory is at %d", e.Sequence, e.Revision, c.summary.Revision)
			}
			trail.Events, trail.Head = e.Sequence, hex.EncodeToString(e.Hash)
		}
		c.summary.Events += int64(len(page))
		if len(page) < eventsAtOnce {
			return c.whole(trail)
		}
		query.After = trail.Events
	}
}

func (c *check) whole(t Trail) error {
	if c.report.Trail == nil {
		return nil
	}
	return c.report.Trail(t)
}

func about(organization string) string {
	if organization == "" {
		return "audit trail of what belongs to no organization"
	}
	return "audit trail of " + organization
}
