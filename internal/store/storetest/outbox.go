package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

// message is a mail to dana.
func message(id string) pap.Message {
	return pap.Message{
		ID: id, Organization: "acme", Revision: 1, Channel: pap.ChannelMail, Type: pap.MailActivated, Recipient: "Dana@acme.example",
		Payload: json.RawMessage(`{"about":"inv_1"}`), CreatedAt: noon(), AvailableAt: noon(),
	}
}

// notice is a message to a webhook.
func notice(id, webhook string, revision authz.Revision) pap.Message {
	m := message(id)
	m.Channel, m.Recipient, m.Revision, m.Type = pap.ChannelWebhook, webhook, revision, "member.created"
	return m
}

func testOutbox(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("a message is claimed once, and again when its claimant is gone", func(t *testing.T) { testClaims(t, furnished(t, newDSN)) })
	t.Run("none overtakes another to the same webhook", func(t *testing.T) { testWebhookOrder(t, furnished(t, newDSN)) })
	t.Run("many workers claim each message once", func(t *testing.T) { testManyWorkers(t, furnished(t, newDSN)) })
	t.Run("messages are listed newest first", func(t *testing.T) { testMessages(t, furnished(t, newDSN)) })
}

// claimed are the ids of the messages of a channel that are due at a time.
func claimed(t *testing.T, s *store.Store, channel string, now time.Time) []string {
	t.Helper()
	got, err := idsOf(s.ClaimMessages(context.Background(), channel, now, time.Minute, 10))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantIDs(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func testClaims(t *testing.T, s *store.Store) {
	ctx := context.Background()
	waits := message("msg_3")
	waits.AvailableAt = *later(time.Hour)
	at := administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutMessage(message("msg_2")), tx.PutMessage(message("msg_1")), tx.PutMessage(waits))
	})
	wantIDs(t, "another channel", claimed(t, s, pap.ChannelWebhook, noon()))
	wantIDs(t, "too early", claimed(t, s, pap.ChannelMail, noon().Add(-time.Millisecond)))
	wantIDs(t, "at first", claimed(t, s, pap.ChannelMail, noon()), "msg_1", "msg_2")
	wantIDs(t, "while claimed", claimed(t, s, pap.ChannelMail, *later(time.Second)))
	wantIDs(t, "when the claim is over", claimed(t, s, pap.ChannelMail, *later(time.Minute)), "msg_1", "msg_2")
	read := func(id string) pap.Message {
		return see(t, s, func(r pap.Reader) (pap.Message, error) { return r.Message(id) })
	}
	if got := read("msg_1"); got.Attempts != 2 || !got.LockedUntil.Equal(*later(2 * time.Minute)) {
		t.Errorf("claimed twice: got %+v, want two attempts and a lock", got)
	}
	err := errors.Join(s.MessageDelivered(ctx, "msg_1", *later(time.Hour)), s.MessageFailed(ctx, "msg_2", "timeout", *later(2 * time.Hour), false))
	if err != nil {
		t.Fatal(err)
	}
	if got := read("msg_1"); got.DeliveredAt == nil || got.LockedUntil != nil {
		t.Errorf("delivered: got %+v", got)
	}
	if got := read("msg_2"); got.LastError != "timeout" || got.LockedUntil != nil || got.FailedAt != nil {
		t.Errorf("failed once: got %+v", got)
	}
	depth, err := s.OutboxDepth(ctx)
	if want := map[string]pap.Backlog{pap.ChannelMail: {Waiting: 2, Oldest: noon()}}; err != nil || !reflect.DeepEqual(depth, want) {
		t.Errorf("backlog: got %v, %v, want %v", depth, err, want)
	}
	wantIDs(t, "an hour later", claimed(t, s, pap.ChannelMail, *later(time.Hour)), "msg_3")
	wantIDs(t, "when it is to be tried again", claimed(t, s, pap.ChannelMail, *later(2 * time.Hour)), "msg_2", "msg_3")
	if err := s.MessageFailed(ctx, "msg_2", "gave-up-timeout", *later(3 * time.Hour), true); err != nil {
		t.Fatal(err)
	}
	if got := read("msg_2"); !got.FailedAt.Equal(*later(3 * time.Hour)) || got.LastError != "gave-up-timeout" {
		t.Errorf("given up: got %+v", got)
	}
	for _, err := range []error{s.MessageDelivered(ctx, "msg_none", noon()), s.MessageFailed(ctx, "msg_none", "x", noon(), true)} {
		if !errors.Is(err, authz.ErrNotFound) {
			t.Errorf("an unknown message: got %v, want not found", err)
		}
	}
	if got := revisionOf(t, s); got != at {
		t.Errorf("revision: got %d, want %d: deliveries make none", got, at)
	}
}

func testWebhookOrder(t *testing.T, s *store.Store) {
	ctx := context.Background()
	administer(t, s, func(tx pap.Tx) error {
		for _, id := range []string{"whk_1", "whk_2"} {
			if err := tx.PutWebhook(pap.Webhook{ID: id, Organization: "acme", URL: "https://a.example", State: "enabled", Generation: 1, CreatedAt: noon()}); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutMessage(notice("msg_b", "whk_1", 3)), tx.PutMessage(notice("msg_c", "whk_1", 2)),
			tx.PutMessage(notice("msg_a", "whk_1", 3)), tx.PutMessage(notice("msg_d", "whk_2", 9)))
	})
	wantIDs(t, "the first of each", claimed(t, s, pap.ChannelWebhook, noon()), "msg_c", "msg_d")
	wantIDs(t, "while that is on its way", claimed(t, s, pap.ChannelWebhook, noon()))
	if err := s.MessageFailed(ctx, "msg_c", "timeout", *later(time.Hour), false); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "while that is to be tried again", claimed(t, s, pap.ChannelWebhook, *later(time.Second)))
	wantIDs(t, "then", claimed(t, s, pap.ChannelWebhook, *later(time.Hour)), "msg_c", "msg_d")
	if err := s.MessageDelivered(ctx, "msg_c", *later(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "the next", claimed(t, s, pap.ChannelWebhook, *later(time.Hour)), "msg_a")
	administer(t, s, func(tx pap.Tx) error { return tx.DeleteWebhook("whk_1") })
	wantIDs(t, "of one that was deleted", claimed(t, s, pap.ChannelWebhook, *later(9 * time.Hour)), "msg_d")
}

func testManyWorkers(t *testing.T, s *store.Store) {
	const messages, workers = 60, 6
	administer(t, s, func(tx pap.Tx) error {
		for n := range messages {
			if err := tx.PutMessage(message(fmt.Sprintf("msg_%02d", n))); err != nil {
				return err
			}
		}
		return nil
	})
	var mu sync.Mutex
	times := map[string]int{}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				got, err := s.ClaimMessages(context.Background(), pap.ChannelMail, noon(), time.Minute, 4)
				if err != nil {
					t.Error(err)
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, m := range got {
					times[m.ID]++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	left := claimed(t, s, pap.ChannelMail, noon())
	for _, id := range left { // skipped while another held it, which then failed to take it
		times[id]++
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was claimed %d times, want once", id, n)
		}
	}
	if len(times) != messages {
		t.Errorf("claimed: got %d, want %d", len(times), messages)
	}
}

func testMessages(t *testing.T, s *store.Store) {
	done, failed, waits := notice("msg_1", "whk_1", 1), notice("msg_2", "whk_1", 1), message("msg_3")
	done.DeliveredAt, failed.FailedAt, failed.LastError, failed.LockedUntil = later(1e6), later(2e6), "gone", later(3e6)
	waits.CreatedAt, waits.Attempts, waits.Traceparent = *later(time.Second), 4, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutMessage(done), tx.PutMessage(failed), tx.PutMessage(waits))
	})
	for _, m := range []pap.Message{done, failed, waits} {
		wantKept(t, s, m, func(r pap.Reader) (pap.Message, error) { return r.Message(m.ID) })
	}
	for _, c := range []struct {
		name string
		q    pap.MessageQuery
		want []string
	}{
		{"all", pap.MessageQuery{}, []string{"msg_3", "msg_2", "msg_1"}},
		{"a page", pap.MessageQuery{Page: pap.Page{Size: 1, After: &pap.Cursor{At: *later(time.Second), ID: "msg_3"}}}, []string{"msg_2"}},
		{"a channel", pap.MessageQuery{Channel: pap.ChannelMail}, []string{"msg_3"}},
		{"a recipient", pap.MessageQuery{Recipient: "whk_1"}, []string{"msg_2", "msg_1"}},
		{"delivered", pap.MessageQuery{State: "delivered"}, []string{"msg_1"}},
		{"failed", pap.MessageQuery{State: "failed"}, []string{"msg_2"}},
		{"waiting", pap.MessageQuery{State: "waiting"}, []string{"msg_3"}},
	} {
		c.q.Organization = "acme"
		wantIDs(t, c.name, see(t, s, func(r pap.Reader) ([]string, error) { return idsOf(r.Messages(c.q)) }), c.want...)
	}
	refuse(t, s, authz.ErrInvalid, func(tx pap.Tx) error { _, err := tx.Messages(pap.MessageQuery{State: "lost"}); return err })
	taken, err := s.ClaimMessages(t.Context(), pap.ChannelMail, *later(time.Minute), time.Minute, 1)
	if err != nil || len(taken) != 1 || taken[0].Traceparent != waits.Traceparent {
		t.Errorf("claimed: got %+v, %v, want it in the trace %s", taken, err, waits.Traceparent)
	}
}
