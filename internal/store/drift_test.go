package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/drift"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

// found is all that drift.Check finds, a line each.
func found(t testing.TB, s drift.Source) []string {
	t.Helper()
	var lines []string
	_, err := drift.Check(t.Context(), s, drift.Report{Found: func(f drift.Finding) error {
		lines = append(lines, f.String())
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestADirectoryThatNobodyTouchedHasNoDrift(t *testing.T) {
	for name, dsn := range engines() {
		t.Run(name, func(t *testing.T) {
			s := storetest.Open(t, dsn(t))
			if lines := found(t, s); lines != nil {
				t.Errorf("empty: got %q", lines)
			}
			storetest.Fill(t, s)
			summary, err := drift.Check(t.Context(), s, drift.Report{})
			if err != nil || summary.Findings != 0 || summary.Documents < 20 || summary.Events != 3 || summary.Entries < 4 {
				t.Errorf("got %+v, %v, want everything looked at and nothing found", summary, err)
			}
			text, _ := takeBackup(t, s)
			if lines := found(t, restored(t, dsn(t), text)); lines != nil {
				t.Errorf("restored: got %q", lines)
			}
		})
	}
	for round := range *rounds {
		s := storetest.Open(t, sqliteDSN(t))
		rapid.Custom(func(rt *rapid.T) bool { storetest.Draw(rt, s); return true }).Example(round)
		if lines := found(t, s); lines != nil {
			t.Fatalf("round %d: got %q", round, lines)
		}
	}
}

// unbound is what makes an engine take what its schema forbids.
func unbound() map[string]string {
	return map[string]string{"SQLite": `PRAGMA foreign_keys = OFF; `, "PostgreSQL": `SET session_replication_role = replica; `}
}

func TestDriftIsFoundAndNamed(t *testing.T) {
	databases := filled(t)
	unbound := unbound()
	unsealed := map[string]string{
		"SQLite":     `DROP TRIGGER audit_events_stay; DROP TRIGGER audit_events_remain; `,
		"PostgreSQL": `SET session_replication_role = replica; `,
	}
	for _, c := range []struct {
		name   string
		before map[string]string
		sql    string
		want   []string // parts of lines, each in another
	}{
		{"a membership says that its organization is of another kind", unbound,
			`UPDATE memberships SET organization_kind = 'partner' WHERE user_id = (SELECT id FROM users WHERE username_key = 'dana') AND organization_id = 'acme'`,
			[]string{"user usr_", "decisions are made on in acme: mem_", "partner customer active", "table memberships: 1 rows refer to rows of organizations"}},
		{"an account says that it is another organization's", unbound, `UPDATE accounts SET organization_id = 'resale' WHERE id = 's2'`,
			[]string{"account s2: decisions are made on organization resale partner", "and the records say organization acme customer", "table accounts"}},
		{"a username is found under another", unbound, `UPDATE users SET username_key = 'mallory' WHERE username_key = 'ina'`,
			[]string{"login ina: decisions are made on no such thing, and the records say user usr_9"}},
		{"a membership is found under another name", unbound, `UPDATE memberships SET login_key = 'mallory' WHERE temporary_username = 'tmp-mem_1'`,
			[]string{"membership mem_1: it is found by another username"}},
		{"a seat too many", nil, `UPDATE organizations SET seats_used = seats_used + 1 WHERE id = 'acme'`, []string{"organization acme: it counts"}},
		{"a name that could be given again", nil, `DELETE FROM usernames WHERE username_key = 'ina'`, []string{"user usr_9: its username is not among"}},
		{"an account that is gone", unbound, `DELETE FROM accounts WHERE id = 's1'`,
			[]string{"table account_grants: 1 rows refer to rows of accounts that are not there"}},
		{"an audit event that was changed", unsealed, `UPDATE audit_events SET target = 'mem_9' WHERE id = 'evt_1'`,
			[]string{`audit trail of acme: audit event 1 of organization "acme" is not as it was written`}},
		{"an audit event that was taken out", unsealed, `DELETE FROM audit_events WHERE id = 'evt_1'`,
			[]string{`audit trail of acme: audit event 2 of organization "acme" follows 0: rows are missing`}},
		{"an audit event of the future", nil, `UPDATE directory SET revision = 1; DELETE FROM changes WHERE revision > 1`,
			[]string{"audit trail of acme: audit event 1 is of revision 2, and the directory is at 1"}},
		{"an entry that is missing in the change log", nil, `DELETE FROM changes WHERE revision = 1 AND seq = 3`,
			[]string{"change log of revision 1: entry 4 follows 2"}},
		{"a stamp that is missing", nil, `DELETE FROM changes WHERE revision = 2 AND seq = 0`, []string{"change log of revision 2: it begins with entry 1"}},
		{"a stamp that is none", nil, `UPDATE changes SET key = 'x' WHERE revision = 2 AND seq = 0`, []string{"change log of revision 2: its stamp is no stamp"}},
		{"a revision that is missing", nil, `UPDATE directory SET revision = revision + 1`, []string{"change log of revision 4: missing"}},
		{"entries of the future", nil, `UPDATE changes SET revision = 9 WHERE revision = 2`, []string{"change log of revision 2: missing", "change log of revisions 4 to 8: missing", "change log of revision 9: it is of the future"}},
		{"entries that should be forgotten", nil, `UPDATE directory SET change_floor = 1`, []string{"change log of revision 1: it should be forgotten"}},
	} {
		for name, dsn := range databases {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				at := dsn(t)
				storetest.Execute(t, at, c.before[name]+c.sql)
				wantLines(t, found(t, unprepared(t, at)), c.want)
			})
		}
	}
}

// A forgetful directory makes decisions on nothing of what was granted on one
// account.
type forgetful struct{ *store.Store }

type forgetfulState struct{ drift.State }

func (f forgetful) Inspect(ctx context.Context, fn func(drift.State) error) error {
	return f.Store.Inspect(ctx, func(s drift.State) error { return fn(forgetfulState{s}) })
}

func (f forgetfulState) Documents(keys []authz.Key) ([]authz.Document, error) {
	documents, err := f.State.Documents(keys)
	for i := range documents {
		documents[i].Granted = nil
	}
	return documents, err
}

func TestDriftOfNarrowUsersIsFoundAndNamed(t *testing.T) {
	for name, dsn := range filled(t) {
		for _, listed := range []int{-1, 1} {
			t.Run(fmt.Sprintf("%s/%d listed", name, listed), func(t *testing.T) {
				at := dsn(t)
				s := storetest.OpenListing(t, at, listed)
				if lines := found(t, s); lines != nil {
					t.Errorf("nobody touched it: got %q", lines)
				}
				wantLines(t, found(t, forgetful{s}), []string{
					"user_account usr_", " s1: decisions are made on no such thing, and the records say granted to mem_", ": its role until", ": tool wan",
				})
				storetest.Execute(t, at, unbound()[name]+
					`UPDATE memberships SET organization_kind = 'partner' WHERE user_id = (SELECT id FROM users WHERE username_key = 'dana') AND organization_id = 'acme'`)
				wantLines(t, found(t, s), []string{"user usr_", "decisions are made on in acme: mem_", "partner customer active"})
			})
		}
	}
}

// filled are databases with storetest.Fill in them, by the engine's name.
func filled(t *testing.T) map[string]func(testing.TB) string {
	t.Helper()
	fill := func(t testing.TB, dsn string) string {
		s, err := store.Open(t.Context(), store.Options{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		storetest.Fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	template := fill(t, postgres.DSN(t))
	return map[string]func(testing.TB) string{
		"SQLite":     func(t testing.TB) string { return fill(t, sqliteDSN(t)) },
		"PostgreSQL": func(t testing.TB) string { return postgres.Copy(t, template) },
	}
}

func wantLines(t *testing.T, lines, want []string) {
	t.Helper()
	all := strings.Join(lines, "\n")
	for _, part := range want {
		if !strings.Contains(all, part) {
			t.Errorf("got no %q in\n%s", part, all)
		}
	}
}

func TestADatabaseThatIsDamagedIsNamed(t *testing.T) {
	for _, c := range []struct {
		name, engine, sql string
		want              []string
	}{
		{"an index that lacks rows", "SQLite",
			`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' WHERE contract_id IS NOT NULL', '') WHERE name = 'accounts_by_contract'`,
			[]string{"database file: ", "accounts_by_contract"}},
		{"a trigger that is gone", "SQLite", `DROP TRIGGER audit_events_remain`, []string{"trigger audit_events_remain: missing"}},
		{"a trigger that is gone", "PostgreSQL", `DROP TRIGGER audit_events_stay ON audit_events`, []string{"trigger audit_events_stay: missing"}},
		{"triggers that are off", "PostgreSQL", `ALTER TABLE audit_events DISABLE TRIGGER ALL`, []string{"trigger audit_events_stay: disabled on audit_events"}},
		{"a constraint that was not checked", "PostgreSQL",
			`ALTER TABLE webhooks ADD CONSTRAINT never CHECK (generation > 5) NOT VALID`, []string{"constraint never: it was never checked on the rows of webhooks"}},
	} {
		t.Run(c.engine+"/"+c.name, func(t *testing.T) {
			at := engines()[c.engine](t)
			storetest.Fill(t, storetest.Open(t, at))
			storetest.Execute(t, at, c.sql)
			wantLines(t, found(t, unprepared(t, at)), c.want)
		})
	}
}
