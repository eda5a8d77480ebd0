package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

// testAdministered puts what only administration has and reads it back.
func testAdministered(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("invitations", func(t *testing.T) { testInvitations(t, furnished(t, newDSN)) })
	t.Run("passwords, their resets, and changes of address", func(t *testing.T) { testCredentials(t, furnished(t, newDSN)) })
	t.Run("webhooks", func(t *testing.T) { testWebhooks(t, furnished(t, newDSN)) })
	t.Run("service tokens", func(t *testing.T) { testServiceTokens(t, Open(t, newDSN(t))) })
	t.Run("idempotency keys, until they expire", func(t *testing.T) { testReplays(t, newDSN) })
	t.Run("audit events", func(t *testing.T) { testEvents(t, Open(t, newDSN(t))) })
}

// wantKept checks that something is read back as it was put.
func wantKept[T any](t *testing.T, s *store.Store, want T, read func(pap.Reader) (T, error)) {
	t.Helper()
	if got := see(t, s, read); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func testInvitations(t *testing.T, s *store.Store) {
	first, second := offer("inv_1", "mem_1"), offer("inv_2", "mem_2")
	second.Email, second.EmailKey, second.CreatedAt, second.ExpiresAt = "b@acme.example", "b@acme.example", *later(time.Second), *later(time.Hour)
	second.Inviter.ID, second.Deliver, second.Delivery.State = "usr_2", "none", "none"
	at := administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutMember(invited("mem_1")), tx.PutMember(invited("mem_2")), tx.PutInvitation(first), tx.PutInvitation(second))
	})
	for _, i := range []*pap.Invitation{&first, &second} {
		i.Role, i.Grants, i.Revision = "regular", noGrants(), at
	}
	wantKept(t, s, first, func(r pap.Reader) (pap.Invitation, error) { return r.Invitation("acme", "inv_1") })
	wantKept(t, s, second, func(r pap.Reader) (pap.Invitation, error) { return r.Invitation("", "inv_2") })
	refuse(t, s, authz.ErrNotFound, func(tx pap.Tx) error { _, err := tx.Invitation("resale", "inv_1"); return err })

	first.LastSentAt, first.SendCount, first.Generation, first.FailedAttempts = later(time.Minute), 2, 2, 3
	first.Delivery = pap.Delivery{State: "failed", FailedReason: "refused"}
	first.State, first.AcceptedAt, first.AcceptedUser = "accepted", later(time.Minute), "usr_9"
	at = administer(t, s, func(tx pap.Tx) error {
		p := person("usr_9", "ina")
		return errors.Join(tx.PutPerson(p), tx.PutMember(accepted(invited("mem_1"), "usr_9")), tx.PutInvitation(first))
	})
	first.Revision, first.SignupCompleted, first.UserCreated = at, true, true
	wantKept(t, s, first, func(r pap.Reader) (pap.Invitation, error) { return r.Invitation("acme", "inv_1") })
	testInvitationQueries(t, s)
	for name, change := range map[string]func(*pap.Invitation){
		"accepted by nobody":           func(i *pap.Invitation) { i.State = "accepted" },
		"a state nobody knows":         func(i *pap.Invitation) { i.State = "lost" },
		"an end before its beginning":  func(i *pap.Invitation) { i.ExpiresAt = noon().Add(-1) },
		"a second one of a membership": func(i *pap.Invitation) { i.ID = "inv_3" },
		"another organization's":       func(i *pap.Invitation) { i.Organization = "resale" },
	} {
		i := second
		change(&i)
		t.Run(name, func(t *testing.T) {
			refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error { return tx.PutInvitation(i) })
		})
	}
}

// testInvitationQueries: inv_1 was accepted, inv_2 expires an hour after noon.
func testInvitationQueries(t *testing.T, s *store.Store) {
	for _, c := range []struct {
		name string
		q    pap.InvitationQuery
		want []string
	}{
		{"all, newest first", pap.InvitationQuery{}, []string{"inv_2", "inv_1"}},
		{"a page", pap.InvitationQuery{Page: pap.Page{Size: 1, After: &pap.Cursor{At: *later(time.Second), ID: "inv_2"}}}, []string{"inv_1"}},
		{"accepted", pap.InvitationQuery{State: "accepted"}, []string{"inv_1"}},
		{"pending", pap.InvitationQuery{State: "pending", Now: noon()}, []string{"inv_2"}},
		{"pending when it expires", pap.InvitationQuery{State: "pending", Now: *later(time.Hour)}, nil},
		{"expired", pap.InvitationQuery{State: "expired", Now: *later(time.Hour)}, []string{"inv_2"}},
		{"expired before its time", pap.InvitationQuery{State: "expired", Now: noon()}, nil},
		{"an address", pap.InvitationQuery{EmailKey: "ina@acme.example"}, []string{"inv_1"}},
		{"another organization", pap.InvitationQuery{Organization: "resale"}, nil},
	} {
		c.q.Organization = or(c.q.Organization, "acme")
		got := see(t, s, func(r pap.Reader) ([]string, error) { return idsOf(r.Invitations(c.q)) })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	for at, want := range map[time.Time]int{noon(): 1, *later(time.Hour): 0} {
		if got := see(t, s, func(r pap.Reader) (int, error) { return r.OpenInvitations("acme", at) }); got != want {
			t.Errorf("open at %v: got %d, want %d", at, got, want)
		}
	}
	mail := message("msg_1")
	mail.Recipient = "INA@acme.example"
	administer(t, s, func(tx pap.Tx) error { return errors.Join(tx.PutMessage(mail), tx.PutMessage(mail)) })
	for since, want := range map[time.Time]pap.Counts{
		noon():                {Recipient: 1, Inviter: 1, Organization: 2},
		*later(time.Second):   {Organization: 1},
		*later(2 * time.Hour): {},
	} {
		got := see(t, s, func(r pap.Reader) (pap.Counts, error) { return r.Sent(since, "ina@acme.example", "usr_1", "acme") })
		if got != want {
			t.Errorf("sent since %v: got %+v, want %+v", since, got, want)
		}
	}
}

func testCredentials(t *testing.T, s *store.Store) {
	dana := idOf(t, s, "dana")
	c := pap.Credential{User: dana, Hash: "$argon2id$x", SetAt: noon(), SetBy: "user"}
	p := pap.Reset{User: dana, Generation: 1, ExpiresAt: *later(time.Hour)}
	e := pap.EmailChange{User: dana, Email: "D@new.example", EmailKey: "d@new.example", Generation: 1, ExpiresAt: *later(time.Hour)}
	for range 2 {
		administer(t, s, func(tx pap.Tx) error { return errors.Join(tx.PutCredential(c), tx.PutReset(p), tx.PutEmailChange(e)) })
		wantKept(t, s, c, func(r pap.Reader) (pap.Credential, error) { return r.Credential(dana) })
		wantKept(t, s, p, func(r pap.Reader) (pap.Reset, error) { return r.Reset(dana) })
		wantKept(t, s, e, func(r pap.Reader) (pap.EmailChange, error) { return r.EmailChange(dana) })
		c.Hash, c.SetBy, c.Failures, c.LockedUntil = "$argon2id$y", "administrator", 5, later(time.Minute)
		p.Generation, p.UsedAt = 2, later(time.Second)
		e.Generation, e.ConfirmedAt, e.EffectiveAt = 2, later(time.Minute), later(time.Hour)
	}
	refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error { c.User = "usr_none"; return tx.PutCredential(c) })
}

func testWebhooks(t *testing.T, s *store.Store) {
	one := pap.Webhook{ID: "whk_1", Organization: "acme", URL: "https://a.example", Events: []string{"member.*"}, State: "enabled", Generation: 1, CreatedAt: noon()}
	everywhere := pap.Webhook{ID: "whk_2", URL: "https://b.example", Events: []string{}, State: "disabled", Generation: 2, PreviousUntil: later(time.Hour), CreatedAt: noon()}
	at := administer(t, s, func(tx pap.Tx) error { return errors.Join(tx.PutWebhook(one), tx.PutWebhook(everywhere)) })
	one.Revision, everywhere.Revision = at, at
	wantKept(t, s, []pap.Webhook{one}, func(r pap.Reader) ([]pap.Webhook, error) { return r.Webhooks("acme") })
	wantKept(t, s, []pap.Webhook{everywhere}, func(r pap.Reader) ([]pap.Webhook, error) { return r.Webhooks("") })
	one.State = "disabled"
	one.Revision = administer(t, s, func(tx pap.Tx) error { return tx.PutWebhook(one) })
	wantKept(t, s, one, func(r pap.Reader) (pap.Webhook, error) { return r.Webhook("whk_1") })
	administer(t, s, func(tx pap.Tx) error { return tx.DeleteWebhook("whk_1") })
	wantKept(t, s, []pap.Webhook{}, func(r pap.Reader) ([]pap.Webhook, error) { return r.Webhooks("acme") })
}

func testServiceTokens(t *testing.T, s *store.Store) {
	ctx := context.Background()
	has := func(want bool) {
		t.Helper()
		if got, err := s.HasOperatorKey(ctx); err != nil || got != want {
			t.Errorf("an operator key: got %t, %v, want %t", got, err, want)
		}
	}
	token := pap.Token{ID: "tok_1", Name: "portal", Kind: pap.ServiceToken, Hash: [32]byte{1, 31: 2}, Scopes: []pap.Scope{pap.ScopeAct}, Organizations: []string{"acme"}, CreatedAt: noon(), ExpiresAt: *later(time.Hour)}
	key := pap.Token{ID: "key_1", Kind: pap.OperatorKey, Hash: [32]byte{3}, Scopes: []pap.Scope{pap.ScopeOperator}, Organizations: []string{}, CreatedAt: *later(1)}
	if err := s.AddServiceToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	has(false)
	if err := s.AddServiceToken(ctx, key); err != nil {
		t.Fatal(err)
	}
	key.CreatedAt = noon()
	wantKept(t, s, []pap.Token{key, token}, func(r pap.Reader) ([]pap.Token, error) { return r.Tokens() })
	revoked := key
	revoked.RevokedAt = *later(time.Minute)
	administer(t, s, func(tx pap.Tx) error { return tx.PutToken(revoked) })
	administer(t, s, func(tx pap.Tx) error { return tx.PutToken(key) })
	if got, err := s.ServiceToken(ctx, "key_1"); err != nil || !reflect.DeepEqual(got, revoked) {
		t.Errorf("revoked and put again: got %+v, %v, want %+v", got, err, revoked)
	}
	has(true) // once there was one, none is made unasked
	for _, id := range []string{"none", "\xff", "\x00"} {
		if _, err := s.ServiceToken(ctx, id); !errors.Is(err, authz.ErrNotFound) {
			t.Errorf("token %q: got %v, want not found", id, err)
		}
	}
}

func testReplays(t *testing.T, newDSN func(testing.TB) string) {
	now := noon()
	s := open(t, store.Options{DSN: newDSN(t), Now: func() time.Time { return now }})
	p := pap.Replay{Principal: "service_token:t", Route: "POST /x", Key: "k", Fingerprint: [32]byte{1}, Resource: "mem_1", Revision: 7, ExpiresAt: *later(time.Hour)}
	long := p
	long.Key, long.ExpiresAt = "l", *later(100 * 24 * time.Hour)
	read := func(r pap.Reader) (pap.Replay, error) { return r.Replay(p.Principal, p.Route, p.Key) }
	for range 2 {
		administer(t, s, func(tx pap.Tx) error { return errors.Join(tx.PutReplay(p), tx.PutReplay(long)) })
		wantKept(t, s, p, read)
		p.Fingerprint, p.Resource = [32]byte{2}, "mem_2"
	}
	done := message("msg_1")
	done.DeliveredAt = later(0)
	administer(t, s, func(tx pap.Tx) error { return tx.PutMessage(done) })
	now = *later(40 * 24 * time.Hour)
	for revisionOf(t, s) < 257 {
		administer(t, s, func(tx pap.Tx) error { return tx.PutReplay(long) })
	}
	for name, missing := range map[string]func(pap.Tx) error{
		"the key":     func(tx pap.Tx) error { _, err := read(tx); return err },
		"the message": func(tx pap.Tx) error { _, err := tx.Message("msg_1"); return err },
	} {
		t.Run(name+" is forgotten in the end", func(t *testing.T) { refuse(t, s, authz.ErrNotFound, missing) })
	}
	counts := see(t, s, func(r pap.Reader) (pap.Counts, error) { return r.Sent(noon(), "dana@acme.example", "", "") })
	if counts.Recipient != 0 {
		t.Errorf("mails of long ago: got %d, want none", counts.Recipient)
	}
}
