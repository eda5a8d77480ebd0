package storetest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// testInvariants writes SQL past the store: what the seeds forbid, the schema
// itself refuses (management rules R3, R7, R16, R24, R29, R36, R81).
func testInvariants(t *testing.T, newDSN func(testing.TB) string) {
	const member = `INSERT INTO memberships (id, organization_id, organization_kind, user_id, login_key, temporary_username, temporary_username_key,
		affiliation, state, role_id, role_partner_only, role_operator_only, role_assigned_by, created_at) VALUES `
	const tool = `INSERT INTO tool_grants (membership_id, tool_id, tool_restricted, granted_by, granted_at) VALUES `
	const toolAccount = `INSERT INTO tool_account_grants (membership_id, tool_id, company_id, account_id, granted_by, granted_at) VALUES `
	const account = `INSERT INTO account_grants (membership_id, company_id, account_id, granted_by, granted_at) VALUES `
	const company = `INSERT INTO membership_companies (organization_id, membership_id, company_id, granted_by, granted_at) VALUES `
	const invitation = `INSERT INTO invitations (id, organization_id, membership_id, state, created_at, expires_at, accepted_at, accepted_user_id,
		email, email_key, generation, deliver, ttl, inviter, inviter_id, changed_revision) VALUES `
	const link = `,'a@x','a@x',1,'none',1,'{}','u1',1)`
	const event = `INSERT INTO audit_events (organization_id, sequence, id, revision, at, type, target, actor, actor_id, previous_hash, hash) SELECT `
	const like = `, revision, at, type, target, actor, actor_id, previous_hash, hash FROM audit_events`
	cases := []struct {
		name    string
		sql     string
		allowed bool
	}{
		{"a customer's user makes a primary contact",
			member + `('x','o1','customer','u3','u3',NULL,NULL,'customer','active','primary_contact',FALSE,TRUE,'user',1)`, false},
		{"the same, with a lie about the role's flag",
			member + `('x','o1','customer','u3','u3',NULL,NULL,'customer','active','primary_contact',FALSE,FALSE,'user',1)`, false},
		{"the operator makes the account team primary contact",
			member + `('x','o1','customer','u3','u3',NULL,NULL,'account_team','active','primary_contact',FALSE,TRUE,'operator',1)`, false},
		{"the operator makes the account team administrator",
			member + `('x','o1','customer','u3','u3',NULL,NULL,'account_team','active','administrator',FALSE,FALSE,'operator',1)`, true},
		{"sales in a customer organization",
			member + `('x','o1','customer','u3','u3',NULL,NULL,'customer','active','sales',TRUE,FALSE,'operator',1)`, false},
		{"the same, with a lie about the organization's kind",
			member + `('x','o1','partner','u3','u3',NULL,NULL,'customer','active','sales',TRUE,FALSE,'operator',1)`, false},
		{"sales in a partner organization",
			member + `('x','o2','partner','u3','u3',NULL,NULL,'customer','active','sales',TRUE,FALSE,'user',1)`, true},
		{"a second membership of the same user",
			member + `('x','o1','customer','u2','u2',NULL,NULL,'customer','active','regular',FALSE,FALSE,'user',1)`, false},
		{"a second membership beside a removed one",
			`UPDATE memberships SET state = 'removed' WHERE id = 'm2';` +
				member + `('x','o1','customer','u2','u2',NULL,NULL,'customer','active','regular',FALSE,FALSE,'user',1)`, false},
		{"an active membership without a user",
			member + `('x','o1','customer',NULL,'nobody',NULL,NULL,'customer','active','regular',FALSE,FALSE,'user',1)`, false},
		{"a membership with another user's login",
			member + `('x','o1','customer','u3','u1',NULL,NULL,'customer','active','regular',FALSE,FALSE,'user',1)`, false},
		{"two open invitations",
			member + `('x','o1','customer',NULL,'tmp-1','tmp-1','tmp-1','customer','invited','regular',FALSE,FALSE,'user',1),
				('y','o1','customer',NULL,'tmp-2','tmp-2','tmp-2','customer','invited','administrator',FALSE,FALSE,'user',1)`, true},
		{"an invitation without a temporary username",
			member + `('x','o1','customer',NULL,'tmp-1',NULL,NULL,'customer','invited','regular',FALSE,FALSE,'user',1)`, false},
		{"an account outside the authorized companies", account + `('m2','c2','a3','user',1)`, false},
		{"an account with another company's name", account + `('m2','c1','a3','user',1)`, false},
		{"another organization's company", company + `('o1','m2','c3','user',1)`, false},
		{"the same, with a lie about the organization", company + `('o3','m2','c3','user',1)`, false},
		{"a customer's user grants a restricted tool", tool + `('m2','ddos',TRUE,'user',1)`, false},
		{"the same, with a lie about the restriction", tool + `('m2','ddos',FALSE,'user',1)`, false},
		{"the operator grants a restricted tool", tool + `('m2','ddos',TRUE,'operator',1)`, true},
		{"an account for a tool that was not granted", toolAccount + `('m2','ddos','c1','a1','user',1)`, false},
		{"an account of an authorized company for a tool", toolAccount + `('m2','nm','c1','a2','user',1)`, true},
		{"an account outside the authorized companies for a tool", toolAccount + `('m2','nm','c2','a3','user',1)`, false},
		{"a tool becomes restricted that users granted", `UPDATE tools SET restricted = TRUE WHERE id = 'nm'`, false},
		{"an account moves to a company that is not authorized", `UPDATE accounts SET company_id = 'c2' WHERE id = 'a1'`, false},
		{"an account that nobody has moves", `UPDATE accounts SET company_id = 'c2' WHERE id = 'a2'`, true},
		{"more seats than the limit", `UPDATE organizations SET seats_used = 3 WHERE id = 'o1'`, false},
		{"a limit below the seats", `UPDATE organizations SET seats_used = 2, seat_limit = 1 WHERE id = 'o1'`, false},
		{"a removed user's address is used again",
			`UPDATE users SET removed_at = 5 WHERE id = 'u2';
			 INSERT INTO users (id, username, username_key, email, email_key, created_at) VALUES ('u9','u9','u9','r@x','r@x',6)`, false},
		{"a service account in another organization's contract account",
			`INSERT INTO accounts (id, organization_id, company_id, kind, name, contract_id) VALUES ('s','o1','c1','service','','a9')`, false},
		{"a service account in a delivery account as its contract account",
			`INSERT INTO accounts (id, organization_id, company_id, kind, name, contract_id) VALUES ('s','o1','c1','service','','d1')`, false},
		{"a contract account in a contract account",
			`INSERT INTO accounts (id, organization_id, company_id, kind, name, contract_id) VALUES ('s','o1','c1','contract','','a2')`, false},
		{"a service account in a contract and a delivery account",
			`INSERT INTO accounts (id, organization_id, company_id, kind, name, contract_id, delivery_id) VALUES ('s','o1','c1','service','','a2','d1')`, true},
		{"another organization's account in an account group",
			`INSERT INTO account_group_members (organization_id, account_group_id, account_id) VALUES ('o1','g1','a9')`, false},
		{"settings that are no object", `UPDATE organizations SET settings = '[]' WHERE id = 'o1'`, false},
		{"a second state of the directory",
			`INSERT INTO directory (id, directory_id, revision, change_floor) VALUES (2, '0123456789abcdef0123456789abcdef', 0, 0)`, false},
		{"an invitation that is pending", invitation + `('i1','o1','m3','pending',1,2,NULL,NULL` + link, true},
		{"an invitation that was accepted", invitation + `('i1','o1','m3','accepted',1,2,1,'u3'` + link, true},
		{"an invitation that nobody accepted", invitation + `('i1','o1','m3','accepted',1,2,NULL,NULL` + link, false},
		{"a pending invitation that somebody accepted", invitation + `('i1','o1','m3','pending',1,2,1,'u3'` + link, false},
		{"an invitation that ends before it begins", invitation + `('i1','o1','m3','pending',2,2,NULL,NULL` + link, false},
		{"a second invitation of a membership",
			invitation + `('i1','o1','m3','revoked',1,2,NULL,NULL` + link + `, ('i2','o1','m3','pending',1,2,NULL,NULL` + link, false},
		{"an invitation of another organization's membership", invitation + `('i1','o3','m3','pending',1,2,NULL,NULL` + link, false},
		{"a username that is given twice", `INSERT INTO usernames (username_key, user_id) VALUES ('n1','u1'), ('n1','u2')`, false},
		{"a password that nobody set", `INSERT INTO credentials (user_id, hash, set_at, set_by) VALUES ('u1','x',1,'chance')`, false},
		{"the next audit event", event + `organization_id, 2, 'e2'` + like, true},
		{"an audit event in the place of another", event + `organization_id, 1, 'e2'` + like, false},
		{"an audit event before the first", event + `organization_id, 0, 'e2'` + like, false},
		{"an audit event is changed", `UPDATE audit_events SET target = 'm2'`, false},
		{"an audit event is deleted", `DELETE FROM audit_events`, false},
		{"a company is taken back with both lists",
			toolAccount + `('m2','nm','c1','a2','user',1); DELETE FROM membership_companies WHERE membership_id = 'm2' AND company_id = 'c1'`, true},
	}
	db := rawDatabase(t, newDSN)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := tryAndUndo(t, db, c.sql)
			if allowed := err == nil; allowed != c.allowed {
				t.Errorf("allowed: got %v (%v), want %v", allowed, err, c.allowed)
			}
		})
	}
	t.Run("a company that is taken back leaves neither list", func(t *testing.T) {
		left := 0
		row := db.QueryRow(`SELECT (SELECT count(*) FROM account_grants) + (SELECT count(*) FROM tool_account_grants)`)
		if err := row.Scan(&left); err != nil || left != 1 {
			t.Fatalf("grants before: got %d, %v, want 1", left, err)
		}
		if _, err := db.Exec(`DELETE FROM membership_companies`); err != nil {
			t.Fatal(err)
		}
		row = db.QueryRow(`SELECT (SELECT count(*) FROM account_grants) + (SELECT count(*) FROM tool_account_grants)`)
		if err := row.Scan(&left); err != nil || left != 0 {
			t.Errorf("grants after: got %d, %v, want 0", left, err)
		}
	})
}

// rawDatabase is a connection to a migrated database with a few records.
func rawDatabase(t *testing.T, newDSN func(testing.TB) string) *sql.DB {
	t.Helper()
	dsn := newDSN(t)
	Open(t, dsn)
	db := rawOpen(t, dsn)
	for _, statement := range []string{
		`INSERT INTO organizations (id, kind, name, seat_limit, created_at) VALUES ('o1','customer','Acme',2,1), ('o2','partner','Res',NULL,1), ('o3','customer','Other',NULL,1)`,
		`INSERT INTO companies (id, organization_id, name) VALUES ('c1','o1','South'), ('c2','o1','East'), ('c3','o3','Foreign')`,
		`INSERT INTO accounts (id, organization_id, company_id, kind, name) VALUES
			('a1','o1','c1','contract','1'), ('a2','o1','c1','contract','2'), ('a3','o1','c2','contract','3'), ('a9','o3','c3','contract','9'), ('d1','o1','c1','delivery','4')`,
		`INSERT INTO account_groups (id, organization_id, kind, name) VALUES ('g1','o1','service_group','G')`,
		`INSERT INTO tools (id, name, restricted) VALUES ('nm','Network Manager',FALSE), ('ddos','DDoS',TRUE)`,
		`INSERT INTO users (id, username, username_key, email, email_key, created_at) VALUES ('u1','u1','u1','pc@x','pc@x',1), ('u2','u2','u2','r@x','r@x',1), ('u3','u3','u3','t@v','t@v',1)`,
		`INSERT INTO memberships (id, organization_id, organization_kind, user_id, login_key, affiliation, state, role_id, role_partner_only, role_operator_only, role_assigned_by, created_at) VALUES
			('m1','o1','customer','u1','u1','customer','active','primary_contact',FALSE,TRUE,'operator',1),
			('m2','o1','customer','u2','u2','customer','active','regular',FALSE,FALSE,'user',1)`,
		`INSERT INTO memberships (id, organization_id, organization_kind, login_key, temporary_username, temporary_username_key, affiliation, state,
			role_id, role_partner_only, role_operator_only, role_assigned_by, created_at) VALUES
			('m3','o1','customer','tmp-3','tmp-3','tmp-3','customer','invited','regular',FALSE,FALSE,'user',1)`,
		`INSERT INTO membership_companies (organization_id, membership_id, company_id, granted_by, granted_at) VALUES ('o1','m2','c1','user',1)`,
		`INSERT INTO account_grants (membership_id, company_id, account_id, granted_by, granted_at) VALUES ('m2','c1','a1','user',1)`,
		`INSERT INTO tool_grants (membership_id, tool_id, tool_restricted, granted_by, granted_at) VALUES ('m2','nm',FALSE,'user',1)`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	const event = `INSERT INTO audit_events (organization_id, sequence, id, revision, at, type, target, actor, actor_id, previous_hash, hash)
		VALUES ('o1', 1, 'e1', 1, 1, 'member.created', 'm1', '{}', 'u1', $1, $2)`
	if _, err := db.Exec(event, []byte{}, make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	return db
}

// rawOpen opens the database without the store.
func rawOpen(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver, name := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+path+"?_foreign_keys=1&_busy_timeout=5000"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// tryAndUndo runs statements as one transaction and says what refused them;
// constraints that hold only at its end are asked for before it is undone.
func tryAndUndo(t *testing.T, db *sql.DB, statements string) error {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // that is the purpose
	for statement := range strings.SplitSeq(statements, ";") {
		if _, err := tx.Exec(statement); err != nil {
			return err
		}
	}
	if strings.Contains(fmt.Sprintf("%T", db.Driver()), "sqlite") {
		return violations(tx)
	}
	_, err = tx.Exec(`SET CONSTRAINTS ALL IMMEDIATE`)
	return err
}

func violations(tx *sql.Tx) error {
	rows, err := tx.Query(`PRAGMA foreign_key_check`)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err below says the same
	if rows.Next() {
		return fmt.Errorf("a foreign key does not hold")
	}
	return rows.Err()
}
