package directory

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/ijson"
)

// Validate says what is wrong with the record by itself.
func (o Organization) Validate() error {
	return first(
		checkKey("id", o.ID),
		checkOneOf("kind", o.Kind, OrganizationCustomer, OrganizationPartner, OrganizationOperator),
		checkText("name", o.Name),
		checkSeats(o.SeatLimit),
		checkSettings(o.Settings),
	)
}

func checkSeats(limit int) error {
	if limit < 0 || limit > MaxSeats {
		return invalid("seat_limit %d is not between 0 and %d", limit, MaxSeats)
	}
	return nil
}

// checkSettings takes what canonical writes back as the same object.
func checkSettings(settings json.RawMessage) error {
	if len(settings) == 0 {
		return nil
	}
	if len(settings) > MaxSettings {
		return invalid("settings are longer than %d bytes", MaxSettings)
	}
	value, err := ijson.Decode(settings, ijson.Limits{})
	if err != nil {
		return fmt.Errorf("settings: %w: %w", err, authz.ErrInvalid)
	}
	if _, ok := value.(map[string]any); !ok {
		return invalid("settings are no JSON object")
	}
	return nil
}

func decodeOrganization(m *members) record {
	return Organization{
		ID:        m.text("id"),
		Kind:      m.text("kind"),
		Name:      m.text("name"),
		SeatLimit: m.number("seat_limit"),
		Settings:  m.object("settings"),
	}
}

func (o Organization) append(b []byte) []byte {
	l := startLine(b, "organization")
	l.text("id", o.ID)
	l.text("kind", o.Kind)
	l.text("name", o.Name)
	l.number("seat_limit", o.SeatLimit)
	l.raw("settings", canonical(o.Settings))
	return l.end()
}

func (o Organization) put(tx Tx) error { return tx.PutOrganization(o) }

type organizationEntry struct {
	sighting
	id, kind string
}

func (o Organization) check(l *ledger) error {
	known := l.organizations[o.ID]
	switch {
	case known == nil:
		return nil
	case known.seenOtherwise(l, o):
		return l.twice(known.sighting, "organization %q", o.ID)
	case known.kind != o.Kind:
		return conflict("organization %q is of kind %s, and its kind never changes", o.ID, known.kind)
	}
	return nil
}

func (o Organization) enter(l *ledger, at sighting) {
	known := named(l.organizations, o.ID)
	*known = organizationEntry{at, strings.Clone(o.ID), strings.Clone(o.Kind)}
}
