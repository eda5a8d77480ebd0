package pap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// newest is the newest message on a channel.
func (h *house) newest(channel string) (m pap.Message) {
	h.t.Helper()
	h.look(func(r pap.Reader) error {
		found, err := r.Messages(pap.MessageQuery{Organization: "acme", Channel: channel, Page: pap.Page{Size: 1}})
		if err == nil {
			m = found[0]
		}
		return err
	})
	return m
}

// mailed is an invitation by paula whose link is mailed.
func (h *house) mailed(email string) pap.Invitation {
	h.t.Helper()
	in := invitee(email)
	in.Deliver = pap.DeliverEmail
	made, _, err := h.Invite(h.t.Context(), h.as("paula"), "acme", in)
	if err != nil {
		h.t.Fatal(err)
	}
	return made.Invitation
}

// lastEvent is the newest of acme's trail, which has to hold.
func (h *house) lastEvent() pap.Event {
	h.t.Helper()
	if v, err := h.VerifyEvents(h.t.Context(), h.operator(), "acme"); err != nil || !v.OK {
		h.t.Errorf("the trail of acme does not hold: %+v, %v", v, err)
	}
	trail := h.trail("acme")
	return trail[len(trail)-1]
}

func TestWhatBecameOfAnInvitationsMailIsInTheInvitationAndInTheTrail(t *testing.T) {
	for name, tt := range map[string]struct {
		report func(*house, string) error
		want   pap.Delivery
		event  string
		after  string
	}{
		"sent": {func(h *house, id string) error { return h.Delivered(h.t.Context(), id, start) },
			pap.Delivery{State: "sent"}, "invitation.sent", `{"delivery":{"state":"sent"}}`},
		"not sent": {func(h *house, id string) error { return h.Undelivered(h.t.Context(), id, "refused", start) },
			pap.Delivery{State: "failed", FailedReason: "refused"}, "invitation.send_failed", `{"delivery":{"state":"failed","failed_reason":"refused"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, h *house) {
				made := h.mailed("dana@acme.example")
				h.wait(time.Second)
				mail := h.newest(pap.ChannelMail)
				for range 2 { // the second time it has ended
					if err := tt.report(h, mail.ID); err != nil {
						t.Fatal(err)
					}
				}
				if inv := h.invitation(made.ID); inv.Delivery != tt.want || inv.Revision == made.Revision {
					t.Errorf("got %+v with the ETag %d, want %+v and not %d any more", inv.Delivery, inv.Revision, tt.want, made.Revision)
				}
				e := h.lastEvent()
				if e.Type != tt.event || e.Target != made.ID || string(e.After) != tt.after || e.Actor.Kind != "system" {
					t.Errorf("got the event %s of %s by %+v with %s, want %s with %s", e.Type, e.Target, e.Actor, e.After, tt.event, tt.after)
				}
				if n := strings.Count(strings.Join(h.events("acme"), " "), tt.event); n != 1 {
					t.Errorf("got %d times %s, want it once", n, tt.event)
				}
				if ended := h.newest(pap.ChannelMail); ended.LockedUntil != nil || (ended.DeliveredAt == nil) == (ended.FailedAt == nil) {
					t.Errorf("got %+v, want it to have ended", ended)
				}
			})
		})
	}
}

func TestTheMailOfAnOldLinkSaysNothingAboutTheNewOne(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		made := h.mailed("dana@acme.example")
		old := h.newest(pap.ChannelMail)
		h.wait(time.Hour)
		if _, _, err := h.ResendInvitation(t.Context(), h.as("paula"), "acme", made.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.Undelivered(t.Context(), old.ID, "refused", start); err != nil {
			t.Fatal(err)
		}
		if inv := h.invitation(made.ID); inv.Delivery.State != "queued" {
			t.Errorf("got %+v, want it queued", inv.Delivery)
		}
		if e := h.lastEvent(); e.Type != "invitation.resent" {
			t.Errorf("got the event %s, want none after invitation.resent", e.Type)
		}
	})
}

// listening is a webhook of acme that hears of everything.
func listening(h *house) pap.NewSecret {
	h.t.Helper()
	made, _, err := h.CreateWebhook(h.t.Context(), h.as("paula"), "acme", pap.WebhookInput{URL: "https://portal.example/hook"})
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

func TestAWebhookWhoseReceiverIsGoneIsDisabledInTheTrail(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		signing(t, h)
		gone, other := listening(h), listening(h)
		rename(h, "acme", "Acme")
		var told []pap.Message
		h.look(func(r pap.Reader) (err error) {
			told, err = r.Messages(pap.MessageQuery{Organization: "acme", Recipient: gone.ID, Page: pap.Page{Size: 10}})
			return err
		})
		for _, m := range told {
			if err := h.DisableWebhook(t.Context(), m.ID, "gone", start); err != nil {
				t.Fatal(err)
			}
		}
		w, err := h.Webhook(t.Context(), h.as("paula"), "acme", gone.ID)
		if err != nil || w.State != pap.WebhookDisabled || w.Revision == gone.Revision {
			t.Errorf("got %+v, %v, want it disabled under another ETag than %d", w, err, gone.Revision)
		}
		e := h.lastEvent()
		if e.Type != "webhook.disabled" || e.Target != gone.ID || string(e.Before) != `{"state":"enabled"}` || string(e.After) != `{"state":"disabled"}` {
			t.Errorf("got %+v, want webhook.disabled", e)
		}
		if n := strings.Count(strings.Join(h.events("acme"), " "), "webhook.disabled"); n != 1 || len(told) < 2 {
			t.Errorf("got %d events for %d messages, want 1 for several", n, len(told))
		}
		if m := h.newest(pap.ChannelWebhook); m.Type != "webhook.disabled" || m.Recipient != other.ID {
			t.Errorf("got %s to %s last, want webhook.disabled to the other webhook", m.Type, m.Recipient)
		}
	})
}

// A message may be gone with its webhook, or forgotten, while it was delivered.
func TestAReportAboutNothingIsNotAnError(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for name, err := range map[string]error{
			"delivered":   h.Delivered(t.Context(), "msg_none", start),
			"undelivered": h.Undelivered(t.Context(), "msg_none", "refused", start),
			"disabled":    h.DisableWebhook(t.Context(), "msg_none", "gone", start),
		} {
			if err != nil {
				t.Errorf("%s: got %v, want nothing", name, err)
			}
		}
	})
}
