package storetest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

func testCensus(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("everybody is counted once", func(t *testing.T) { testCounts(t, newDSN(t)) })
	t.Run("a scrape counts no more often than it may", func(t *testing.T) { testScrapes(t, furnished(t, newDSN)) })
	t.Run("F24 a clock that is ahead is told", func(t *testing.T) { testClock(t, newDSN(t)) })
}

func testCounts(t *testing.T, dsn string) {
	s := open(t, store.Options{DSN: dsn, Now: func() time.Time { return *later(2 * time.Hour) }})
	if c, err := s.Census(context.Background()); err != nil || c.Users != 0 || !c.Oldest.IsZero() {
		t.Errorf("an empty directory: got %+v, %v", c, err)
	}
	update(t, s, portal()...)
	waits, late := offer("inv_1", "mem_1"), offer("inv_2", "mem_2")
	late.Email, late.EmailKey, late.ExpiresAt = "b@acme.example", "b@acme.example", *later(time.Hour)
	administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutMember(invited("mem_1")), tx.PutMember(invited("mem_2")), tx.PutInvitation(waits), tx.PutInvitation(late))
	})
	want := store.Census{
		Organizations: 3, Users: 3, Memberships: map[string]int{"active": 3, "suspended": 1, "invited": 3},
		Open: 1, Expired: 1, Oldest: noon(),
	}
	if got, err := s.Census(context.Background()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func testScrapes(t *testing.T, s *store.Store) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.People())
	for range 2 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if got := f.GetMetric()[0].GetGauge().GetValue(); f.GetName() == "postern_users" && got != 3 {
				t.Errorf("got %v users, want the 3 that there were a moment ago", got)
			}
		}
		if len(families) != 5 {
			t.Errorf("got %v, want five metrics", families)
		}
		update(t, s, portal()[len(portal())-1])
		administer(t, s, func(tx pap.Tx) error { return tx.PutPerson(person("usr_new", "new")) })
	}
}

func testClock(t *testing.T, dsn string) {
	s := open(t, store.Options{DSN: dsn, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	want := -time.Hour
	if strings.HasPrefix(dsn, "sqlite:") {
		want = 0 // a file has no clock of its own
	}
	if got, err := s.ClockSkew(context.Background()); err != nil || (got-want).Abs() > 10*time.Second {
		t.Errorf("got %v, %v, want about %v", got, err, want)
	}
}
