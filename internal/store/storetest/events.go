package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

// event is the next of an organization's chain.
func event(tx pap.Tx, organization, id string) (pap.Event, error) {
	last, err := tx.LastEvent(organization)
	e := pap.Event{
		ID: id, Organization: organization, Sequence: last.Sequence + 1, Revision: tx.Revision(), At: noon(),
		Actor: pap.Actor{ID: "usr_1", Kind: "user", Via: "tok_1", IP: "::1"}, Type: "member.created", Target: "mem_1", PreviousHash: last.Hash,
	}
	e.Hash = e.Seal()
	return e, err
}

func putEvent(tx pap.Tx, organization, id string) error {
	e, err := event(tx, organization, id)
	return errors.Join(err, tx.PutEvent(e))
}

func testEvents(t *testing.T, s *store.Store) {
	wantKept(t, s, pap.Event{}, func(r pap.Reader) (pap.Event, error) { return r.LastEvent("acme") })
	var full pap.Event
	administer(t, s, func(tx pap.Tx) (err error) {
		full, err = event(tx, "acme", "evt_1")
		full.Before, full.After = json.RawMessage(`{"b":  1,"a":"é "}`), json.RawMessage(`{"a":null}`)
		full.Decision, full.RequestID, full.Acknowledgement = "d", "r", "CPNI notice"
		full.Hash = full.Seal()
		return errors.Join(err, tx.PutEvent(full), putEvent(tx, "acme", "evt_2"), putEvent(tx, "", "evt_3"))
	})
	administer(t, s, func(tx pap.Tx) error {
		e, err := event(tx, "acme", "evt_4")
		e.Type, e.Actor.ID, e.Target, e.At = "member.removed", "usr_2", "mem_2", *later(time.Hour)
		e.Hash = e.Seal()
		return errors.Join(err, tx.PutEvent(e))
	})
	all := see(t, s, func(r pap.Reader) ([]pap.Event, error) { return r.Events(pap.EventQuery{Organization: "acme"}) })
	if len(all) != 3 || !reflect.DeepEqual(all[0], full) {
		t.Fatalf("got %+v\nwant three, the first %+v", all, full)
	}
	var chain pap.Chain
	for _, e := range all {
		if err := chain.Next(e); err != nil {
			t.Errorf("as it is read: %v", err)
		}
	}
	testEventQueries(t, s)
	refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error { return tx.PutEvent(full) })
}

func testEventQueries(t *testing.T, s *store.Store) {
	for _, c := range []struct {
		name string
		q    pap.EventQuery
		want []string
	}{
		{"of no organization", pap.EventQuery{}, []string{"evt_3"}},
		{"the oldest", pap.EventQuery{Organization: "acme", Limit: 2}, []string{"evt_1", "evt_2"}},
		{"those after", pap.EventQuery{Organization: "acme", After: 2}, []string{"evt_4"}},
		{"the newest", pap.EventQuery{Organization: "acme", Newest: true, Limit: 2}, []string{"evt_4", "evt_2"}},
		{"those before", pap.EventQuery{Organization: "acme", Newest: true, After: 2}, []string{"evt_1"}},
		{"a type", pap.EventQuery{Organization: "acme", Type: "member.removed"}, []string{"evt_4"}},
		{"an actor", pap.EventQuery{Organization: "acme", Actor: "usr_1"}, []string{"evt_1", "evt_2"}},
		{"a target", pap.EventQuery{Organization: "acme", Target: "mem_2"}, []string{"evt_4"}},
		{"since", pap.EventQuery{Organization: "acme", Since: *later(time.Hour)}, []string{"evt_4"}},
		{"until", pap.EventQuery{Organization: "acme", Until: *later(time.Hour)}, []string{"evt_1", "evt_2"}},
	} {
		got := see(t, s, func(r pap.Reader) ([]string, error) { return idsOf(r.Events(c.q)) })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
