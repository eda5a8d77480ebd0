package pap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/link"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
	"github.com/postern-authz/postern/policies"
)

// postgres is a PostgreSQL server for the time of all tests.
var postgres storetest.Postgres

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.Stop()
	os.Exit(code)
}

// core is the embedded policy in force, made once for all tests.
var core = sync.OnceValues(func() (*policy.Engine, error) {
	e, err := policy.New(policy.Options{Core: policy.Embedded(policies.FS)})
	if err != nil {
		return nil, err
	}
	return e, e.Load(context.Background())
})

// start is when the clock of every house stands at first.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// sqlite is the DSN of a furnished house of its own.
func sqlite(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "directory.db")
	file, err := furnishedFile()
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// postgresql is the same on PostgreSQL.
func postgresql(t testing.TB) string {
	t.Helper()
	furnishedDatabase.once.Do(func() {
		furnishedDatabase.dsn = postgres.DSN(t)
		if err := furnishNew(furnishedDatabase.dsn); err != nil {
			t.Fatal(err)
		}
	})
	return postgres.Copy(t, furnishedDatabase.dsn)
}

// furnishedFile and furnishedDatabase are houses that nothing has happened in.
// They are made once and copied: migrating takes longer than most tests.
var (
	furnishedFile = sync.OnceValues(func() (file []byte, err error) {
		dir, err := os.MkdirTemp("", "house")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // the system removes it otherwise
		path := filepath.Join(dir, "directory.db")
		if err := furnishNew("sqlite:" + path); err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	})
	furnishedDatabase struct {
		once sync.Once
		dsn  string
	}
)

// furnishNew makes the schema in an empty database, and the portal in it.
func furnishNew(dsn string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{DSN: dsn, Now: func() time.Time { return start }})
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(ctx), furnish(ctx, s, portal), s.Close())
}

// onBoth runs a test on SQLite and on PostgreSQL, each with a house of its own.
func onBoth(t *testing.T, test func(*testing.T, *house)) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": sqlite, "PostgreSQL": postgresql} {
		t.Run(name, func(t *testing.T) { test(t, newHouse(t, dsn(t))) })
	}
}

// A house is a portal in a real store under the real policy: the organizations
// harbour (operator), acme, globex and bright (a partner), see portal. Its
// clock moves only when a test moves it.
type house struct {
	*pap.PAP
	t     testing.TB
	store *store.Store
	pdp   *pdp.PDP

	mu  sync.Mutex
	now time.Time
}

// open is a house on SQLite.
func open(t testing.TB) *house {
	t.Helper()
	return newHouse(t, sqlite(t))
}

// newHouse opens the house in the database of the DSN: see sqlite and postgresql.
func newHouse(t testing.TB, dsn string) *house {
	t.Helper()
	engine, err := core()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, now: start}
	h.store = h.openStore(dsn)
	pip := grant.New(grant.Options{Source: h.store, PollInterval: time.Hour, MaxStaleness: 1 << 60, Now: h.clock})
	following, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- pip.Follow(following) }()
	t.Cleanup(func() { stop(); <-done })
	for pip.Fresh() != nil {
		time.Sleep(time.Millisecond)
	}
	h.pdp = pdp.New(pdp.Options{Policies: engine, Facts: pip})
	h.PAP = pap.New(pap.Options{
		Store: h.store, Judge: h.pdp, Links: links(t), Passwords: passwords{},
		PortalURLs: []string{"https://portal.example"}, Now: h.clock, Registerer: h.counted(),
	})
	return h
}

// counted wants every event that happens in the house to be counted under a type
// of its own.
func (h *house) counted() prometheus.Registerer {
	registry := prometheus.NewRegistry()
	h.t.Cleanup(func() {
		families, err := registry.Gather()
		if err != nil {
			h.t.Error(err)
		}
		for _, m := range families[0].GetMetric() {
			if m.GetLabel()[0].GetValue() == "other" && m.GetCounter().GetValue() > 0 {
				h.t.Error("an event is of a type that metrics do not list: add it to eventTypes")
			}
		}
	})
	return registry
}

// furnish imports records, as NDJSON.
func furnish(ctx context.Context, s *store.Store, ndjson string) error {
	read := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(strings.TrimSpace(ndjson))), nil }
	source := directory.Source{Name: "test.ndjson", Open: read}
	report, err := directory.Import(ctx, s, directory.ImportOptions{Sources: []directory.Source{source}})
	if err != nil {
		return fmt.Errorf("import: %w: %v", err, report.Errors)
	}
	return nil
}

// openStore opens a store that goes by the house's clock.
func (h *house) openStore(dsn string) *store.Store {
	h.t.Helper()
	s, err := store.Open(h.t.Context(), store.Options{DSN: dsn, Now: h.clock})
	if err == nil {
		err = s.Migrate(h.t.Context())
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = s.Close() })
	return s
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// wait moves the clock.
func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// put imports records, as NDJSON.
func (h *house) put(ndjson string) {
	h.t.Helper()
	if err := furnish(h.t.Context(), h.store, ndjson); err != nil {
		h.t.Fatal(err)
	}
}

// settle gives a customer settings, as JSON, and takes its seat limit away.
func (h *house) settle(organization, settings string) {
	h.t.Helper()
	_, err := h.store.Update(h.t.Context(), func(tx directory.Tx) error {
		return tx.PutOrganization(directory.Organization{ID: organization, Kind: "customer", Name: strings.ToUpper(organization), Settings: []byte(settings)})
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// user is the id of the user with that name.
func (h *house) user(name string) string {
	h.t.Helper()
	documents, _, err := h.store.Read(h.t.Context(), []authz.Key{authz.LoginKey(name)})
	if err != nil || documents[0].Login == "" {
		h.t.Fatalf("user %s: got %+v, %v", name, documents, err)
	}
	return documents[0].Login
}

// member is the id of the membership of the user with that name.
func (h *house) member(organization, name string) string {
	h.t.Helper()
	documents, _, err := h.store.Read(h.t.Context(), []authz.Key{{Kind: authz.KindUser, ID: h.user(name)}})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range documents[0].User.Memberships {
		if m.Organization == organization {
			return m.ID
		}
	}
	h.t.Fatalf("%s is no member of %s", name, organization)
	return ""
}

// as is a call by the user with that name, who has signed in.
func (h *house) as(name string) pap.Call {
	h.t.Helper()
	return pap.Call{RequestID: "request-1", Principal: pap.Principal{Kind: pap.JWT, ID: "https://idp.example " + name, Actor: h.user(name)}}
}

// operator is a call with the operator key, which acts for nobody.
func (h *house) operator() pap.Call { return with(pap.ScopeOperator) }

// with is a call with a service token of those scopes, which acts for nobody.
func with(scopes ...pap.Scope) pap.Call {
	return pap.Call{RequestID: "request-1", Principal: pap.Principal{Kind: pap.ServiceToken, ID: "token-1", Scopes: scopes}}
}

// matching is the call with If-Match.
func matching(call pap.Call, seen authz.Revision) pap.Call {
	call.IfMatch = &seen
	return call
}

// decide asks the PDP, at a revision or later, whether the user with that id
// may do something. kind is account, company, tool and so on. A busy machine may
// need a moment to read that revision.
func (h *house) decide(user, action, kind, id string, at authz.Revision) bool {
	h.t.Helper()
	query := pdp.Query{API: pdp.APIEvaluation, AtLeast: at, Items: []pdp.Item{{Request: authz.Request{
		Subject: authz.Subject{Type: "user", ID: user}, Action: authz.Action{Name: action},
		Resource: authz.Resource{Type: kind, ID: id},
	}}}}
	for begun := time.Now(); ; {
		result, err := h.pdp.Evaluate(h.t.Context(), query)
		if err == nil {
			err = result.Outcomes[0].Err
		}
		switch {
		case err == nil:
			return result.Outcomes[0].Decision.Allow
		case !errors.Is(err, authz.ErrUnavailable) || time.Since(begun) > time.Minute:
			h.t.Fatalf("decide %s %s on %s %s: %v", user, action, kind, id, err)
		}
	}
}

// events are the types of an organization's audit events, oldest first.
func (h *house) events(organization string) (types []string) {
	h.t.Helper()
	for _, e := range h.trail(organization) {
		types = append(types, e.Type)
	}
	return types
}

// trail is an organization's audit events, oldest first.
func (h *house) trail(organization string) (events []pap.Event) {
	h.t.Helper()
	h.look(func(r pap.Reader) (err error) {
		events, err = r.Events(pap.EventQuery{Organization: organization, Limit: 1000})
		return err
	})
	return events
}

// mails are the mails in the outbox, newest first.
func (h *house) mails(organization string) (mails []pap.Message) {
	h.t.Helper()
	h.look(func(r pap.Reader) (err error) {
		mails, err = r.Messages(pap.MessageQuery{Organization: organization, Channel: pap.ChannelMail, Page: pap.Page{Size: 200}})
		return err
	})
	return mails
}

// look reads what the directory holds.
func (h *house) look(see func(pap.Reader) error) {
	h.t.Helper()
	if err := h.Store.Look(h.t.Context(), see); err != nil {
		h.t.Fatal(err)
	}
}

// refused checks that an error is the refusal with that reason.
func refused(t testing.TB, err error, reason string) {
	t.Helper()
	var r *pap.Refusal
	if !errors.As(err, &r) || r.Reason != reason {
		t.Errorf("got %v, want a refusal for the reason %s", err, reason)
	}
}

// links are those of a directory whose secret is no secret.
func links(t testing.TB) *link.Links {
	t.Helper()
	l, err := link.New([]byte(strings.Repeat("s", link.MinSecret)), "directory")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// passwords are quick and safe for tests alone.
type passwords struct{}

func (passwords) Hash(_ context.Context, password string) (string, error) {
	if len(password) < 8 {
		return "", fmt.Errorf("too short: %w", authz.ErrInvalid)
	}
	return "hash of " + password, nil
}

func (passwords) Check(_ context.Context, hash, password string) (bool, error) {
	return strings.TrimPrefix(hash, "old ") == "hash of "+password, nil
}

func (passwords) Outdated(hash string) bool { return strings.HasPrefix(hash, "old ") }
