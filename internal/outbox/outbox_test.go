package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/trace"
)

// A courier notes what it was given, and answers as it is told.
type courier struct {
	mu     sync.Mutex
	seen   []string // id and attempt
	at     []time.Time
	answer func(ctx context.Context, m pap.Message) error
}

func (c *courier) Deliver(ctx context.Context, m pap.Message) error {
	c.mu.Lock()
	c.seen = append(c.seen, fmt.Sprintf("%s/%d", m.ID, m.Attempts))
	c.at = append(c.at, time.Now())
	c.mu.Unlock()
	if c.answer == nil {
		return nil
	}
	return c.answer(ctx, m)
}

func (c *courier) calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

func (c *courier) times() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.at)
}

func mailTo(id string) pap.Message {
	return pap.Message{ID: id, Channel: pap.ChannelMail, Type: pap.MailInvitation, Recipient: "dana@acme.example"}
}

func event(id, webhook string, revision authz.Revision) pap.Message {
	return pap.Message{ID: id, Channel: pap.ChannelWebhook, Type: "member.created", Recipient: webhook, Revision: revision}
}

// An office is a worker at work, in the time of the bubble it was made in.
type office struct {
	*outbox.Worker
	store    *memory
	registry *prometheus.Registry
	log      *bytes.Buffer
	stop     func() // returns when the worker did
}

func open(t *testing.T, store *memory, routes map[string]outbox.Route) *office {
	t.Helper()
	return openAt(t, time.Second, store, routes)
}

// openAt polls less often, for tests that last for days.
func openAt(t *testing.T, poll time.Duration, store *memory, routes map[string]outbox.Route) *office {
	t.Helper()
	o := &office{store: store, registry: prometheus.NewRegistry(), log: new(bytes.Buffer)}
	var err error
	o.Worker, err = outbox.New(outbox.Options{Store: store, Trail: store, Routes: routes, Registerer: o.registry, Poll: poll,
		Log: slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	o.stop = func() { cancel(); <-done }
	return o
}

func mails(c outbox.Courier) map[string]outbox.Route {
	return map[string]outbox.Route{pap.ChannelMail: {Courier: c}}
}

func hooks(c outbox.Courier) map[string]outbox.Route {
	return map[string]outbox.Route{pap.ChannelWebhook: {Courier: c}}
}

func (o *office) wantMetric(t *testing.T, name, lines string) {
	t.Helper()
	help := map[string]string{
		"postern_outbox_deliveries_total":           "# HELP postern_outbox_deliveries_total Attempts to deliver a message by channel and by what came of them: delivered, retried later, failed for good, or obsolete before it left.\n# TYPE postern_outbox_deliveries_total counter\n",
		"postern_outbox_waiting_messages":           "# HELP postern_outbox_waiting_messages Messages that are neither delivered nor given up, by channel.\n# TYPE postern_outbox_waiting_messages gauge\n",
		"postern_outbox_oldest_message_age_seconds": "# HELP postern_outbox_oldest_message_age_seconds Age of the oldest message that waits, by channel; 0 if none waits.\n# TYPE postern_outbox_oldest_message_age_seconds gauge\n",
	}[name]
	if err := testutil.GatherAndCompare(o.registry, strings.NewReader(help+lines), name); err != nil {
		t.Error(err)
	}
}

func counted(delivered, retried, failed, obsolete int, channel string) string {
	other := map[string]string{"mail": "webhook", "webhook": "mail"}[channel]
	var b strings.Builder
	for result, n := range map[string]int{"delivered": delivered, "retried": retried, "failed": failed, "obsolete": obsolete} {
		fmt.Fprintf(&b, "postern_outbox_deliveries_total{channel=%q,result=%q} %d\n", channel, result, n)
		fmt.Fprintf(&b, "postern_outbox_deliveries_total{channel=%q,result=%q} 0\n", other, result)
	}
	return b.String()
}

func TestAMessageIsDeliveredOnceAndThenLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &courier{}
		o := open(t, remember(mailTo("msg_1"), mailTo("msg_2")), mails(c))
		time.Sleep(time.Hour)
		o.stop()
		if got := c.calls(); len(got) != 2 || o.store.get("msg_1").DeliveredAt == nil {
			t.Errorf("got deliveries %v, want one of each", got)
		}
		o.wantMetric(t, "postern_outbox_deliveries_total", counted(2, 0, 0, 0, "mail"))
	})
}

func TestWhatIsPutWhileTheWorkerSleepsWaitsForOnePollAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &courier{}
		o := open(t, remember(), mails(c))
		time.Sleep(1100 * time.Millisecond)
		put := time.Now()
		o.store.put(mailTo("msg_1"))
		time.Sleep(time.Second)
		if at := c.times(); len(at) != 1 || at[0].Sub(put) > time.Second {
			t.Errorf("got it at %v, put at %v, want within a second", at, put)
		}
		put = time.Now()
		o.store.put(mailTo("msg_2"))
		o.Wake()
		synctest.Wait()
		if at := c.times(); len(at) != 2 || !at[1].Equal(put) {
			t.Errorf("got it at %v, want it at once after a wake-up at %v", at, put)
		}
		o.stop()
	})
}

func TestWhatFailsComesAgainLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &courier{}
		c.answer = func(_ context.Context, m pap.Message) error {
			if m.Attempts < 4 {
				return &outbox.Delay{Reason: "deferred", Err: errors.New("450")}
			}
			return nil
		}
		o := open(t, remember(mailTo("msg_1")), mails(c))
		time.Sleep(time.Hour)
		o.stop()
		if got, want := strings.Join(c.calls(), " "), "msg_1/1 msg_1/2 msg_1/3 msg_1/4"; got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			got := c.at[i+1].Sub(c.at[i])
			if got < want*8/10 || got > want*12/10+time.Second {
				t.Errorf("waited %v before attempt %d, want %v and a fifth more or less", got, i+2, want)
			}
		}
		o.wantMetric(t, "postern_outbox_deliveries_total", counted(1, 3, 0, 0, "mail"))
	})
}

// Each attempt is a span of its own below the request that caused the message,
// and is found by the trace in the log.
func TestEachAttemptIsASpanInTheTraceOfTheRequest(t *testing.T) {
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for traceparent, want := range map[string]int{"00-" + traceID + "-" + parent + "-01": 3, "": 0} {
		synctest.Test(t, func(t *testing.T) {
			spans := map[string]bool{}
			c := &courier{answer: func(ctx context.Context, m pap.Message) error {
				if s := trace.From(ctx); s != nil && s.TraceID() == traceID && s.ParentID() == parent && s.Sampled() {
					spans[s.SpanID()] = true
				} else if s != nil {
					t.Errorf("got the span %s below %q, want one of the trace", s, s.ParentID())
				}
				if m.Attempts < 3 {
					return &outbox.Delay{Reason: "deferred"}
				}
				return nil
			}}
			m := event("msg_1", "whk_1", 1)
			m.Traceparent = traceparent
			o := open(t, remember(m), hooks(c))
			time.Sleep(time.Hour)
			o.stop()
			if len(c.calls()) != 3 || len(spans) != want {
				t.Errorf("%q: got %v with %d spans, want 3 attempts with %d", traceparent, c.calls(), len(spans), want)
			}
			if got := strings.Count(o.log.String(), "trace_id="+traceID); got != want || want == 0 && strings.Contains(o.log.String(), "trace_id") {
				t.Errorf("%q: got %d lines of the trace, want %d:\n%s", traceparent, got, want, o.log)
			}
			for span := range spans {
				if !strings.Contains(o.log.String(), "span_id="+span) {
					t.Errorf("got no line of the span %s:\n%s", span, o.log)
				}
			}
		})
	}
}

func TestWhatNeverArrivesIsGivenUpWithItsReason(t *testing.T) {
	for _, test := range []struct {
		name    string
		message pap.Message
		lasts   time.Duration
	}{
		{"a mail after a week", mailTo("msg_1"), 7 * 24 * time.Hour},
		{"a webhook after three days", event("msg_1", "whk_1", 1), 3 * 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &courier{answer: func(context.Context, pap.Message) error { return &outbox.Delay{Reason: "deferred"} }}
				start := time.Now()
				o := openAt(t, time.Minute, remember(test.message), map[string]outbox.Route{test.message.Channel: {Courier: c}})
				time.Sleep(30 * 24 * time.Hour)
				o.stop()
				m := o.store.get("msg_1")
				if m.FailedAt == nil || m.LastError != "gave-up-deferred" {
					t.Fatalf("got failed %v with %q, want it given up as gave-up-deferred", m.FailedAt, m.LastError)
				}
				if took := m.FailedAt.Sub(start); took > test.lasts || took < test.lasts-8*time.Hour {
					t.Errorf("given up after %v, want just before %v", took, test.lasts)
				}
				t.Logf("%d attempts", m.Attempts)
			})
		})
	}
}

func TestAnswersOfACourier(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		reason string
		result string
	}{
		{"an undeliverable mail is given up at once", &outbox.Undeliverable{Reason: "mailbox-unavailable"}, "mailbox-unavailable", counted(0, 0, 1, 0, "mail")},
		{"an obsolete mail is dropped and no failure", &outbox.Undeliverable{Reason: outbox.ReasonObsolete}, "obsolete", counted(0, 0, 0, 1, "mail")},
		{"an error of another package is wrapped and still understood", fmt.Errorf("send: %w", &outbox.Undeliverable{Reason: "x"}), "x", counted(0, 0, 1, 0, "mail")},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &courier{answer: func(context.Context, pap.Message) error { return test.err }}
				o := open(t, remember(mailTo("msg_1")), mails(c))
				time.Sleep(time.Minute)
				o.stop()
				if m := o.store.get("msg_1"); m.FailedAt == nil || m.LastError != test.reason {
					t.Errorf("got %q, failed %v, want %q for good", m.LastError, m.FailedAt, test.reason)
				}
				o.wantMetric(t, "postern_outbox_deliveries_total", test.result)
			})
		})
	}
}

func TestAReceiverThatIsGoneIsDisabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &courier{answer: func(context.Context, pap.Message) error { return &outbox.Gone{} }}
		o := open(t, remember(event("msg_1", "whk_1", 1)), hooks(c))
		time.Sleep(time.Minute)
		o.stop()
		if m := o.store.get("msg_1"); m.LastError != "gone" || m.FailedAt == nil || !slices.Equal(o.store.told, []string{"disabled the webhook of msg_1"}) {
			t.Errorf("got %q and told %q, want gone and that its webhook is disabled", m.LastError, o.store.told)
		}
	})
}

func TestAnErrorThatNobodyExplainedIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &courier{answer: func(_ context.Context, m pap.Message) error { return errors.New("no such user " + m.Recipient) }}
		o := open(t, remember(mailTo("msg_1")), mails(c))
		time.Sleep(30 * time.Second)
		o.stop()
		if m := o.store.get("msg_1"); m.LastError != "internal" {
			t.Errorf("got the reason %q, want internal", m.LastError)
		}
		if strings.Contains(o.log.String(), "dana") {
			t.Errorf("the log names the recipient:\n%s", o.log)
		}
	})
}

func TestAProcessThatDiesDeliversAgainWhenItsClaimEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, store := &courier{}, remember(mailTo("msg_1"))
		store.broken = true
		first := open(t, store, mails(c))
		time.Sleep(time.Minute)
		first.stop()
		store.broken = false
		second := open(t, store, mails(c))
		time.Sleep(time.Hour)
		second.stop()
		if got, want := strings.Join(c.calls(), " "), "msg_1/1 msg_1/2"; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		if waited := c.at[1].Sub(c.at[0]); waited < 2*time.Minute || waited > 2*time.Minute+2*time.Second {
			t.Errorf("delivered again after %v, want the two minutes of the claim", waited)
		}
	})
}

func TestEventsOfOneWebhookDoNotOvertakeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &courier{answer: func(_ context.Context, m pap.Message) error {
			if m.ID == "msg_a1" && m.Attempts < 3 {
				return &outbox.Delay{Reason: "answered-5xx"}
			}
			return nil
		}}
		o := open(t, remember(event("msg_a1", "whk_a", 1), event("msg_a2", "whk_a", 2), event("msg_a3", "whk_a", 3), event("msg_b4", "whk_b", 4)), hooks(c))
		time.Sleep(time.Minute)
		o.stop()
		var a []string
		for _, seen := range c.calls() {
			if strings.HasPrefix(seen, "msg_a") {
				a = append(a, seen)
			}
		}
		if got, want := strings.Join(a, " "), "msg_a1/1 msg_a1/2 msg_a1/3 msg_a2/1 msg_a3/1"; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		if b := o.store.get("msg_b4"); b.DeliveredAt == nil || b.DeliveredAt.Sub(b.CreatedAt) > time.Second {
			t.Errorf("another webhook waited: delivered %v", b.DeliveredAt)
		}
	})
}

func TestAServerThatHangsHoldsUpNoWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &courier{answer: func(ctx context.Context, _ pap.Message) error { <-ctx.Done(); return ctx.Err() }}
		quick := &courier{}
		store := remember(event("msg_w", "whk_1", 1))
		for i := range 20 {
			store.put(mailTo(fmt.Sprintf("msg_%02d", i)))
		}
		o := open(t, store, map[string]outbox.Route{pap.ChannelMail: {Courier: slow}, pap.ChannelWebhook: {Courier: quick}})
		time.Sleep(30 * time.Second)
		if got := len(slow.calls()); got != 4 {
			t.Errorf("got %d deliveries at once, want 4", got)
		}
		time.Sleep(31 * time.Second)
		if m := store.get("msg_00"); m.LastError != "timeout" {
			t.Errorf("got %q after half the claim, want timeout", m.LastError)
		}
		if len(quick.calls()) != 1 {
			t.Error("the webhook waited for the mail server")
		}
		o.stop()
	})
}

func TestStoppingLetsDeliveriesEndAndTakesNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &courier{answer: func(ctx context.Context, m pap.Message) error {
			wait := 5 * time.Second
			if m.ID == "msg_2" {
				wait = time.Hour
			}
			select {
			case <-time.After(wait):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		o := open(t, remember(mailTo("msg_1"), mailTo("msg_2")), mails(c))
		synctest.Wait()
		began := time.Now()
		o.store.put(mailTo("msg_3"))
		o.stop()
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("stopped after %v, want the 10s of grace", took)
		}
		if o.store.get("msg_1").DeliveredAt == nil {
			t.Error("a delivery that would have ended in time was cut off")
		}
		if m := o.store.get("msg_2"); m.LastError != "interrupted" || m.LockedUntil != nil || m.AvailableAt.After(time.Now()) {
			t.Errorf("got %q, locked until %v, from %v, want it free for another at once", m.LastError, m.LockedUntil, m.AvailableAt)
		}
		if o.store.get("msg_3").Attempts != 0 {
			t.Error("a message was taken after the worker was told to stop")
		}
	})
}

func TestWithoutACourierMessagesWaitAndAWarningSaysSoOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, remember(mailTo("msg_1"), mailTo("msg_2")), nil)
		time.Sleep(time.Hour)
		o.stop()
		if m := o.store.get("msg_1"); m.Attempts != 0 || m.DeliveredAt != nil || m.FailedAt != nil {
			t.Errorf("got %+v, want it untouched", m)
		}
		if got := strings.Count(o.log.String(), "level=WARN"); got != 1 {
			t.Errorf("got %d warnings, want 1:\n%s", got, o.log)
		}
		o.wantMetric(t, "postern_outbox_waiting_messages", "postern_outbox_waiting_messages{channel=\"mail\"} 2\npostern_outbox_waiting_messages{channel=\"webhook\"} 0\n")
		o.wantMetric(t, "postern_outbox_oldest_message_age_seconds", "postern_outbox_oldest_message_age_seconds{channel=\"mail\"} 3600\npostern_outbox_oldest_message_age_seconds{channel=\"webhook\"} 0\n")
	})
}
