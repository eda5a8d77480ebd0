package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/link"
	"github.com/postern-authz/postern/internal/mail"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

var _ outbox.Store = (*store.Store)(nil)

// dyingVariable makes the test binary a server that dies after it has delivered
// a mail and before it could say so. It holds the DSN and the folder.
const dyingVariable = "POSTERN_TEST_DYING"

// postgres is a PostgreSQL server for the time of all tests.
var postgres storetest.Postgres

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(dyingVariable); ok {
		dsn, folder, _ := strings.Cut(text, "|")
		fmt.Fprintln(os.Stderr, dieDelivering(dsn, folder))
		os.Exit(1)
	}
	code := m.Run()
	postgres.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func dieDelivering(dsn, folder string) error {
	s, err := store.Open(context.Background(), store.Options{DSN: dsn})
	if err != nil {
		return err
	}
	c, err := newCourier(s, folder)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w, err := outbox.New(outbox.Options{Store: s, Trail: pap.New(pap.Options{Store: s}), Lock: 2 * time.Second, Routes: mails(deadly{c}), Log: log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w.Run(ctx)
	return errors.New("it lives")
}

// A deadly courier delivers, and is the last thing that its process did.
type deadly struct{ outbox.Courier }

func (d deadly) Deliver(ctx context.Context, m pap.Message) error {
	if err := d.Courier.Deliver(ctx, m); err != nil {
		return err
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func newCourier(s *store.Store, folder string) (*mail.Courier, error) {
	links, err := link.New(bytes.Repeat([]byte("k"), 32), "dir")
	if err != nil {
		return nil, err
	}
	return mail.New(mail.Options{Server: "file://" + folder, From: "postern@portal.example", PortalURLs: []string{"https://portal.example"}, Links: links, Directory: s})
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(*testing.T, *store.Store, string)) {
	for name, dsn := range map[string]func(testing.TB) string{
		"SQLite":     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "directory.db") },
		"PostgreSQL": postgres.DSN,
	} {
		t.Run(name, func(t *testing.T) {
			where := dsn(t)
			s, err := store.Open(t.Context(), store.Options{DSN: where})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, s, where)
		})
	}
}

const (
	dana   = "usr_01890a5d-ac96-774b-bcce-b302099a8058"
	resets = "msg_01890a5d-ac96-774b-bcce-b302099a8059"
)

// reset asks for a new password, and does what then has to be done.
func reset(tx pap.Tx, then error) error {
	now := time.Now()
	ends := now.Add(time.Hour)
	payload, err := json.Marshal(pap.Mail{About: dana, Generation: 3, ExpiresAt: &ends})
	if err != nil {
		return err
	}
	if err := tx.PutPerson(pap.Person{ID: dana, Kind: "personal", Username: "dana", Email: "dana@acme.example"}); err != nil {
		return err
	}
	if err := tx.PutReset(pap.Reset{User: dana, Generation: 3, ExpiresAt: ends}); err != nil {
		return err
	}
	if err := tx.PutMessage(pap.Message{ID: resets, Revision: tx.Revision(), Channel: pap.ChannelMail, Type: pap.MailPasswordReset,
		Recipient: "dana@acme.example", Payload: payload, CreatedAt: now, AvailableAt: now}); err != nil {
		return err
	}
	return then
}

// work delivers until the condition holds, or for as long.
func work(t *testing.T, s *store.Store, folder string, limit time.Duration, until func() bool) {
	t.Helper()
	c, err := newCourier(s, folder)
	if err != nil {
		t.Fatal(err)
	}
	w, err := outbox.New(outbox.Options{Store: s, Trail: pap.New(pap.Options{Store: s}), Routes: mails(c), Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	for end := time.Now().Add(limit); !until() && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	cancel()
	<-done
}

func kept(t *testing.T, s *store.Store) (m pap.Message) {
	t.Helper()
	err := s.Look(t.Context(), func(r pap.Reader) (err error) {
		m, err = r.Message(resets)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// written is what makes a mail the one it is: its Message-ID and its link.
func written(t *testing.T, folder string) (id, link string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, resets+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(text)))
	if err != nil && len(body) == 0 {
		t.Fatal(err)
	}
	id = regexp.MustCompile(`(?i)message-id: <.*>`).FindString(string(text))
	link = regexp.MustCompile(`https://portal\.example/password-reset#token=pst_pwd_[\w.-]+`).FindString(string(body))
	if id == "" || link == "" {
		t.Fatalf("got no id or no link in\n%s", text)
	}
	return id, link
}

func TestAServerThatIsKilledLeavesNoMailUnsent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, dsn string) {
		if _, err := s.Change(t.Context(), func(tx pap.Tx) error { return reset(tx, nil) }); err != nil {
			t.Fatal(err)
		}
		first, second := t.TempDir(), t.TempDir()
		server := exec.Command(os.Args[0])
		server.Env = append(os.Environ(), dyingVariable+"="+dsn+"|"+first)
		if out, err := server.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the server was not killed: %v\n%s", err, out)
		}
		if m := kept(t, s); m.DeliveredAt != nil || m.Attempts != 1 || m.LockedUntil == nil {
			t.Fatalf("got %+v, want it claimed and not delivered", m)
		}
		work(t, s, second, 20*time.Second, func() bool { return kept(t, s).DeliveredAt != nil })
		if m := kept(t, s); m.DeliveredAt == nil || m.Attempts != 2 {
			t.Fatalf("got %+v, want it delivered at the second attempt", m)
		}
		id, link := written(t, first)
		if again, linkAgain := written(t, second); again != id || linkAgain != link {
			t.Errorf("got %s with %s, and then %s with %s, want the same mail", id, link, again, linkAgain)
		}
	})
}

func TestNothingIsSentForWhatWasNotCommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, _ string) {
		over := errors.New("it is not to be")
		if _, err := s.Change(t.Context(), func(tx pap.Tx) error { return reset(tx, over) }); !errors.Is(err, over) {
			t.Fatalf("got %v, want %v", err, over)
		}
		folder := t.TempDir()
		work(t, s, folder, 300*time.Millisecond, func() bool { return false })
		if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
			t.Errorf("got %v, %v, want no mail", files, err)
		}
	})
}

func TestAMailThatIsOverIsNotSent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, _ string) {
		if _, err := s.Change(t.Context(), func(tx pap.Tx) error {
			if err := reset(tx, nil); err != nil {
				return err
			}
			return tx.PutReset(pap.Reset{User: dana, Generation: 4, ExpiresAt: time.Now().Add(time.Hour)})
		}); err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		work(t, s, folder, 10*time.Second, func() bool { return kept(t, s).FailedAt != nil })
		if m := kept(t, s); m.LastError != "obsolete" || m.FailedAt == nil {
			t.Errorf("got %+v, want it obsolete", m)
		}
		if files, _ := os.ReadDir(folder); len(files) != 0 {
			t.Errorf("got %v, want no mail", files)
		}
	})
}

func TestTheStoreKeepsEventsOfOneWebhookInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, _ string) {
		now := time.Now()
		if _, err := s.Change(t.Context(), func(tx pap.Tx) error {
			for _, hook := range []string{"whk_a", "whk_b"} {
				if err := tx.PutWebhook(pap.Webhook{ID: hook, URL: "https://receiver.example", State: pap.WebhookEnabled, Generation: 1, CreatedAt: now, Revision: tx.Revision()}); err != nil {
					return err
				}
				for i := range 3 {
					if err := tx.PutMessage(pap.Message{ID: fmt.Sprintf("msg_%s%d", hook, i), Revision: tx.Revision(), Channel: pap.ChannelWebhook, Type: "member.created",
						Recipient: hook, Payload: json.RawMessage(`{}`), CreatedAt: now, AvailableAt: now}); err != nil {
						return err
					}
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		claim := func() (ids string) {
			messages, err := s.ClaimMessages(t.Context(), pap.ChannelWebhook, time.Now(), time.Minute, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				ids += m.ID + " "
			}
			return strings.TrimSpace(ids)
		}
		if got, want := claim(), "msg_whk_a0 msg_whk_b0"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := claim(); got != "" {
			t.Errorf("got %q while the oldest are claimed, want none", got)
		}
		if err := s.MessageDelivered(t.Context(), "msg_whk_a0", time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := s.MessageFailed(t.Context(), "msg_whk_b0", "answered-5xx", time.Now().Add(time.Hour), false); err != nil {
			t.Fatal(err)
		}
		if got, want := claim(), "msg_whk_a1"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		depth, err := s.OutboxDepth(t.Context())
		if err != nil || depth[pap.ChannelWebhook].Waiting != 5 || depth[pap.ChannelMail].Waiting != 0 {
			t.Errorf("got %+v, %v, want 5 that wait", depth, err)
		}
	})
}
