package pap_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store/storetest"
)

// rename changes an organization, which leaves one event in its trail.
func rename(h *house, organization, name string) {
	h.t.Helper()
	if _, _, err := h.UpdateOrganization(h.t.Context(), h.operator(), organization, pap.OrganizationPatch{Name: &name}); err != nil {
		h.t.Fatal(err)
	}
	h.wait(time.Second)
}

func TestTheTrailIsReadAndFiltered(t *testing.T) {
	h := open(t)
	rename(h, "acme", "One")
	rename(h, "globex", "Another")
	if _, _, err := h.CreateAccountGroup(t.Context(), h.as("paula"), "acme", pap.AccountGroup{ID: "g", Kind: "service_group", Name: "G"}); err != nil {
		t.Fatal(err)
	}
	rename(h, "acme", "Two")
	for name, tt := range map[string]struct {
		q    pap.EventQuery
		want []int64
	}{
		"all":                    {pap.EventQuery{}, []int64{1, 2, 3}},
		"the newest first":       {pap.EventQuery{Newest: true}, []int64{3, 2, 1}},
		"of a type":              {pap.EventQuery{Type: "account_group.changed"}, []int64{2}},
		"by an actor":            {pap.EventQuery{Actor: h.user("paula")}, []int64{2}},
		"of a target":            {pap.EventQuery{Target: "acme"}, []int64{1, 3}},
		"since":                  {pap.EventQuery{Since: start.Add(time.Second)}, []int64{2, 3}},
		"until":                  {pap.EventQuery{Until: start.Add(time.Second)}, []int64{1}},
		"after":                  {pap.EventQuery{After: 1}, []int64{2, 3}},
		"after, the newest":      {pap.EventQuery{After: 3, Newest: true}, []int64{2, 1}},
		"one at a time":          {pap.EventQuery{Limit: 1}, []int64{1}},
		"of a type there is not": {pap.EventQuery{Type: "member.cloned"}, nil},
	} {
		tt.q.Organization = "acme"
		events, next, err := h.Events(t.Context(), h.as("paula"), tt.q)
		var got []int64
		for _, e := range events {
			got = append(got, e.Sequence)
		}
		if err != nil || !slices.Equal(got, tt.want) || (next != 0) != (tt.q.Limit == 1) {
			t.Errorf("%s: got %v, next %d, %v, want %v", name, got, next, err, tt.want)
		}
	}
	for who, tt := range map[string]struct {
		call         pap.Call
		organization string
		want         error
	}{
		"an administrator of some accounts":   {h.as("adam"), "acme", authz.ErrForbidden},
		"regular":                             {h.as("regina"), "acme", authz.ErrForbidden},
		"a Primary Contact of another":        {h.as("gustav"), "acme", authz.ErrNotFound},
		"a Primary Contact, the directory's":  {h.as("paula"), "", authz.ErrForbidden},
		"a sync token":                        {with(pap.ScopeSync), "acme", authz.ErrForbidden},
		"a Primary Contact, one there is not": {h.as("paula"), "nowhere", authz.ErrNotFound},
	} {
		_, _, listed := h.Events(t.Context(), tt.call, pap.EventQuery{Organization: tt.organization})
		_, verified := h.VerifyEvents(t.Context(), tt.call, tt.organization)
		if !errors.Is(listed, tt.want) || !errors.Is(verified, tt.want) {
			t.Errorf("%s: got %v and %v, want %v", who, listed, verified, tt.want)
		}
	}
}

func TestAnExportHoldsEveryEventOnce(t *testing.T) {
	h := open(t)
	for i := range 3 {
		rename(h, "acme", fmt.Sprint("Name ", i))
	}
	var got []int64
	err := h.ExportEvents(t.Context(), h.as("paula"), pap.EventQuery{Organization: "acme"}, func(e pap.Event) error {
		if len(got) == 0 {
			rename(h, "acme", "Meanwhile")
		}
		got = append(got, e.Sequence)
		return nil
	})
	if want := []int64{1, 2, 3}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	stop := errors.New("enough")
	if err := h.ExportEvents(t.Context(), h.as("paula"), pap.EventQuery{Organization: "acme"}, func(pap.Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want what ended it", err)
	}
}

// Each way to tamper has an organization of its own, with four events.
func TestAChangedTrailIsFoundOut(t *testing.T) {
	engines := map[string]struct {
		dsn  func(testing.TB) string
		open []string
	}{
		"SQLite":     {sqlite, []string{`DROP TRIGGER audit_events_stay`, `DROP TRIGGER audit_events_remain`}},
		"PostgreSQL": {postgresql, []string{`DROP TRIGGER audit_events_stay ON audit_events`}},
	}
	ways := []struct {
		id, name   string
		statements []string
		broken     int64 // 0: it is whole
	}{
		{"t0", "nothing", nil, 0},
		{"t1", "an event is changed", []string{`UPDATE audit_events SET after = '{"name":"Else"}' WHERE organization_id = 't1' AND sequence = 2`}, 2},
		{"t2", "another actor", []string{`UPDATE audit_events SET actor = '{"id":"usr_x","kind":"user"}' WHERE organization_id = 't2' AND sequence = 3`}, 3},
		{"t3", "another time", []string{`UPDATE audit_events SET at = at + 1 WHERE organization_id = 't3' AND sequence = 1`}, 1},
		{"t4", "an event is taken out", []string{`DELETE FROM audit_events WHERE organization_id = 't4' AND sequence = 2`}, 3},
		{"t5", "the first is taken out", []string{`DELETE FROM audit_events WHERE organization_id = 't5' AND sequence = 1`}, 2},
		{"t6", "one is taken out and the rest moved up", []string{
			`DELETE FROM audit_events WHERE organization_id = 't6' AND sequence = 2`,
			`UPDATE audit_events SET sequence = 2 WHERE organization_id = 't6' AND sequence = 3`,
			`UPDATE audit_events SET sequence = 3 WHERE organization_id = 't6' AND sequence = 4`,
		}, 2},
		{"t7", "two change places", []string{
			`UPDATE audit_events SET sequence = 9 WHERE organization_id = 't7' AND sequence = 2`,
			`UPDATE audit_events SET sequence = 2 WHERE organization_id = 't7' AND sequence = 3`,
			`UPDATE audit_events SET sequence = 3 WHERE organization_id = 't7' AND sequence = 9`,
		}, 2},
		{"t8", "one is put in", []string{
			`INSERT INTO audit_events (organization_id, sequence, id, revision, at, type, target, actor, actor_id, previous_hash, hash)
				SELECT organization_id, 5, 'evt_new', revision, at, type, target, actor, actor_id, hash, hash FROM audit_events
				WHERE organization_id = 't8' AND sequence = 4`,
		}, 5},
		{"t9", "one is another organization's", []string{
			`DELETE FROM audit_events WHERE organization_id = 't9' AND sequence = 4`,
			`UPDATE audit_events SET organization_id = 't9' WHERE organization_id = 'u9' AND sequence = 4`,
		}, 4},
	}
	for engine, e := range engines {
		t.Run(engine, func(t *testing.T) {
			dsn := e.dsn(t)
			h := newHouse(t, dsn)
			for _, way := range append(ways, ways[0]) {
				if way.id == "t0" && len(h.events("t0")) > 0 {
					way.id = "u9"
				}
				if _, _, err := h.CreateOrganization(t.Context(), h.operator(), pap.NewOrganization{ID: way.id, Kind: "customer", Name: "T"}); err != nil {
					t.Fatal(err)
				}
				for i := range 3 {
					rename(h, way.id, fmt.Sprint("Name ", i))
				}
			}
			storetest.Execute(t, dsn, e.open...)
			for _, way := range ways {
				storetest.Execute(t, dsn, way.statements...)
				v, err := h.VerifyEvents(t.Context(), h.operator(), way.id)
				if err != nil || v.OK != (way.broken == 0) || v.Broken != way.broken || (v.Detail == "") != v.OK {
					t.Errorf("%s: got %+v, %v, want it broken at %d", way.name, v, err, way.broken)
				}
				if v.OK && (v.Count != 4 || len(v.Head) != 64) {
					t.Errorf("%s: got %+v, want four good events and the hash of the last", way.name, v)
				}
			}
		})
	}
}

func TestTheTrailCannotBeChangedInPlace(t *testing.T) {
	dsn := sqlite(t)
	h := newHouse(t, dsn)
	rename(h, "acme", "One")
	for _, statement := range []string{`UPDATE audit_events SET type = 'x'`, `DELETE FROM audit_events`} {
		if err := storetest.TryExecute(t, dsn, statement); err == nil {
			t.Errorf("%s: was done", statement)
		}
	}
}

// Whatever is done in whatever order, every change leaves one event, a refusal
// none, and the chains are whole.
func TestTheChainOfAnySequenceVerifies(t *testing.T) {
	h := open(t)
	kept := map[string]int64{}
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			organization, err := step(h, t)
			if err == nil {
				kept[organization]++
			}
		}
		for _, o := range []string{"acme", "globex", ""} {
			v, err := h.VerifyEvents(h.t.Context(), h.operator(), o)
			if err != nil || !v.OK || v.Count != kept[o] {
				t.Fatalf("%q: got %+v, %v, want %d whole events", o, v, err, kept[o])
			}
		}
	})
}

// step changes something in an organization, if whoever is drawn may.
func step(h *house, t *rapid.T) (organization string, err error) {
	organization = rapid.SampledFrom([]string{"acme", "globex"}).Draw(t, "organization")
	who := h.as(rapid.SampledFrom([]string{"paula", "adam", "gustav", "olga"}).Draw(t, "who"))
	text := rapid.StringMatching(`[A-Za-z<>&é"\\]{1,8}`).Draw(t, "text")
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 0:
		_, _, err = h.UpdateOrganization(h.t.Context(), who, organization, pap.OrganizationPatch{Name: &text})
	case 1:
		_, _, err = h.CreateAccountGroup(h.t.Context(), who, organization, pap.AccountGroup{Kind: "service_group", Name: text})
	case 2:
		_, _, err = h.PutAccounts(h.t.Context(), who, organization, []pap.Account{{ID: text, Company: "acme-south", Kind: "service", Name: text}})
	case 3:
		_, _, err = h.PutTool(h.t.Context(), who, pap.Tool{ID: "t", Name: text})
		organization = ""
	case 4:
		_, _, err = h.SetAccountGroupAccounts(h.t.Context(), who, "acme", "south-sites", []string{rapid.SampledFrom([]string{"a-1001", "a-2001"}).Draw(t, "account")})
		organization = "acme"
	}
	return organization, err
}
