package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

// Fill puts a portal into an empty store, with at least one row in every table.
func Fill(t testing.TB, s *store.Store) {
	t.Helper()
	if err := fill(s); err != nil {
		t.Fatal(err)
	}
}

// fill is for rapid as well, which has no testing.TB.
func fill(s *store.Store) error {
	ctx := context.Background()
	_, put := s.Update(ctx, putting(portal()...))
	_, changed := s.Change(ctx, func(tx pap.Tx) error {
		return errors.Join(fillPeople(tx), fillTraffic(tx))
	})
	token := pap.Token{
		ID: "tok_1", Name: "portal", Kind: pap.ServiceToken, Hash: [32]byte{1, 31: 2}, Scopes: []pap.Scope{pap.ScopeAct},
		Organizations: []string{"acme"}, CreatedAt: noon(), ExpiresAt: *later(time.Hour),
	}
	key := store.AppKey{ID: "app_1", Name: "portal", Hash: []byte{0, 1, 255}, Actions: []string{"invoice."}, CreatedAt: noon()}
	return errors.Join(put, changed, s.AddServiceToken(ctx, token), s.PutAppKey(ctx, key))
}

func fillPeople(tx pap.Tx) error {
	ina := person("usr_9", "ina")
	ina.Profile = pap.Profile{GivenName: "Ína \u2028\"<>&\\", FamilyName: "\u0001\U0001f600"}
	return errors.Join(
		tx.PutPerson(ina), tx.PutMember(invited("mem_1")), tx.PutInvitation(offer("inv_1", "mem_1")),
		tx.PutCredential(pap.Credential{User: ina.ID, Hash: "$argon2id$x", SetAt: noon(), SetBy: "user", LockedUntil: later(time.Minute)}),
		tx.PutReset(pap.Reset{User: ina.ID, Generation: 1, ExpiresAt: *later(time.Hour)}),
		tx.PutEmailChange(pap.EmailChange{User: ina.ID, Email: "I@new.example", EmailKey: "i@new.example", Generation: 1, ExpiresAt: *later(time.Hour)}),
	)
}

func fillTraffic(tx pap.Tx) error {
	full, err := event(tx, "acme", "evt_1")
	full.Before, full.After = json.RawMessage(`{"b":  1,"a":"é "}`), json.RawMessage(`{"a":null}`)
	full.Hash = full.Seal()
	hook := pap.Webhook{ID: "whk_1", Organization: "acme", URL: "https://a.example", Events: []string{"member.*"}, State: "enabled", Generation: 1, CreatedAt: noon()}
	replay := pap.Replay{Principal: "service_token:t", Route: "POST /x", Key: "k", Fingerprint: [32]byte{1}, Resource: "mem_1", Revision: 7, ExpiresAt: *later(time.Hour)}
	return errors.Join(
		err, tx.PutEvent(full), putEvent(tx, "acme", "evt_2"), putEvent(tx, "", "evt_3"),
		tx.PutMessage(message("msg_1")), tx.PutMessage(notice("msg_2", "whk_1", 1)), tx.PutWebhook(hook), tx.PutReplay(replay),
	)
}

// Draw puts what Fill does and then changes it at random, by imports and by
// administration.
func Draw(t *rapid.T, s *store.Store) {
	if err := fill(s); err != nil {
		t.Fatal(err)
	}
	users := map[string]bool{"usr_1": true, "usr_2": true, "usr_9": true}
	for range rapid.IntRange(0, 6).Draw(t, "changes") {
		var err error
		if rapid.Bool().Draw(t, "by administration") {
			_, err = s.Change(context.Background(), administering(t, users))
		} else {
			_, err = s.Update(context.Background(), putting(rapid.SliceOfN(record(), 1, 5).Draw(t, "records")...))
		}
		refused := errors.Is(err, authz.ErrConflict) || errors.Is(err, authz.ErrInvalid) || errors.Is(err, authz.ErrNotFound)
		if err != nil && !refused {
			t.Fatal(err)
		}
	}
}
