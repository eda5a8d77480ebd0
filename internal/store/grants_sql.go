package store

// grantTables are the tables of grants by kind, in the order of what needs what.
//
// find gives, for each row: its number, the membership, its user, the company
// the account is in, whether the thing is known, whether what it needs was
// granted, whether the row differs from what is there, and whether it changes
// the user's document.
func grantTables() [grantKinds]grantTable {
	return [grantKinds]grantTable{
		grantCompany:      companyGrants(),
		grantAccount:      accountGrants(),
		grantAccountGroup: accountGroupGrants(),
		grantTool:         toolGrants(),
		grantToolAccount:  toolAccountGrants(),
	}
}

// A company is in the document only with all its accounts.
func companyGrants() grantTable {
	return grantTable{
		noun: "company",
		find: `
			SELECT r.n, COALESCE(m.id, ''), COALESCE(m.user_id, ''), '', c.id IS NOT NULL, TRUE,
				(g.all_accounts, g.granted_by) IS DISTINCT FROM (r.all_accounts, r.granted_by),
				COALESCE(g.all_accounts, FALSE) IS DISTINCT FROM r.all_accounts` + granted + `
			LEFT JOIN companies c ON c.organization_id = r.organization AND c.id = r.thing
			LEFT JOIN membership_companies g ON g.membership_id = m.id AND g.company_id = c.id`,
		write: `
			INSERT INTO membership_companies (organization_id, membership_id, company_id, all_accounts, granted_by, granted_at)
			SELECT m.organization_id, m.id, r.value->>2, CAST(r.value->>4 AS BOOLEAN), r.value->>6, CAST(r.value->>7 AS BIGINT)
			FROM {rows} r CROSS JOIN memberships m WHERE m.id = r.value->>0
			ON CONFLICT (membership_id, company_id) DO UPDATE SET all_accounts = excluded.all_accounts,
				granted_by = excluded.granted_by, granted_at = excluded.granted_at`,
		delete: `
			DELETE FROM membership_companies
			WHERE (membership_id, company_id) IN (SELECT value->>0, value->>1 FROM {rows}) RETURNING membership_id`,
	}
}

func accountGrants() grantTable {
	return grantTable{
		noun: "account",
		find: `
			SELECT r.n, COALESCE(m.id, ''), COALESCE(m.user_id, ''), COALESCE(a.company_id, ''), a.id IS NOT NULL, c.company_id IS NOT NULL,
				g.account_id IS NULL OR (g.expires_at, g.granted_by) IS DISTINCT FROM (r.expires_at, r.granted_by),
				g.account_id IS NULL OR g.expires_at IS DISTINCT FROM r.expires_at` + granted + `
			LEFT JOIN accounts a ON a.organization_id = r.organization AND a.id = r.account
			LEFT JOIN membership_companies c ON c.membership_id = m.id AND c.company_id = a.company_id
			LEFT JOIN account_grants g ON g.membership_id = m.id AND g.account_id = a.id`,
		write: `
			INSERT INTO account_grants (membership_id, company_id, account_id, expires_at, granted_by, granted_at)
			SELECT value->>0, value->>1, value->>3, CAST(value->>5 AS BIGINT), value->>6, CAST(value->>7 AS BIGINT) FROM {rows} WHERE TRUE
			ON CONFLICT (membership_id, account_id) DO UPDATE SET expires_at = excluded.expires_at,
				granted_by = excluded.granted_by, granted_at = excluded.granted_at`,
		delete: `
			DELETE FROM account_grants
			WHERE (membership_id, account_id) IN (SELECT value->>0, value->>2 FROM {rows}) RETURNING membership_id`,
	}
}

func accountGroupGrants() grantTable {
	return grantTable{
		noun: "account group",
		find: `
			SELECT r.n, COALESCE(m.id, ''), COALESCE(m.user_id, ''), '', a.id IS NOT NULL, TRUE,
				g.granted_by IS DISTINCT FROM r.granted_by, g.account_group_id IS NULL` + granted + `
			LEFT JOIN account_groups a ON a.organization_id = r.organization AND a.id = r.thing
			LEFT JOIN account_group_grants g ON g.membership_id = m.id AND g.account_group_id = a.id`,
		write: `
			INSERT INTO account_group_grants (organization_id, membership_id, account_group_id, granted_by, granted_at)
			SELECT m.organization_id, m.id, r.value->>2, r.value->>6, CAST(r.value->>7 AS BIGINT)
			FROM {rows} r CROSS JOIN memberships m WHERE m.id = r.value->>0
			ON CONFLICT (membership_id, account_group_id) DO UPDATE SET granted_by = excluded.granted_by, granted_at = excluded.granted_at`,
		delete: `
			DELETE FROM account_group_grants
			WHERE (membership_id, account_group_id) IN (SELECT value->>0, value->>1 FROM {rows}) RETURNING membership_id`,
	}
}

func toolGrants() grantTable {
	return grantTable{
		noun: "tool",
		find: `
			SELECT r.n, COALESCE(m.id, ''), COALESCE(m.user_id, ''), '', o.id IS NOT NULL, TRUE,
				g.tool_id IS NULL OR (g.expires_at, g.granted_by) IS DISTINCT FROM (r.expires_at, r.granted_by),
				g.tool_id IS NULL OR g.expires_at IS DISTINCT FROM r.expires_at` + granted + `
			LEFT JOIN tools o ON o.id = r.thing
			LEFT JOIN tool_grants g ON g.membership_id = m.id AND g.tool_id = o.id`,
		write: `
			INSERT INTO tool_grants (membership_id, tool_id, tool_restricted, expires_at, granted_by, granted_at)
			SELECT r.value->>0, o.id, o.restricted, CAST(r.value->>5 AS BIGINT), r.value->>6, CAST(r.value->>7 AS BIGINT)
			FROM {rows} r CROSS JOIN tools o WHERE o.id = r.value->>2
			ON CONFLICT (membership_id, tool_id) DO UPDATE SET expires_at = excluded.expires_at,
				granted_by = excluded.granted_by, granted_at = excluded.granted_at`,
		delete: `
			DELETE FROM tool_grants
			WHERE (membership_id, tool_id) IN (SELECT value->>0, value->>1 FROM {rows}) RETURNING membership_id`,
	}
}

func toolAccountGrants() grantTable {
	return grantTable{
		noun: "account",
		find: `
			SELECT r.n, COALESCE(m.id, ''), COALESCE(m.user_id, ''), COALESCE(a.company_id, ''), a.id IS NOT NULL,
				c.company_id IS NOT NULL AND o.tool_id IS NOT NULL,
				g.granted_by IS DISTINCT FROM r.granted_by, g.account_id IS NULL` + granted + `
			LEFT JOIN accounts a ON a.organization_id = r.organization AND a.id = r.account
			LEFT JOIN membership_companies c ON c.membership_id = m.id AND c.company_id = a.company_id
			LEFT JOIN tool_grants o ON o.membership_id = m.id AND o.tool_id = r.thing
			LEFT JOIN tool_account_grants g ON g.membership_id = m.id AND g.tool_id = r.thing AND g.account_id = a.id`,
		write: `
			INSERT INTO tool_account_grants (membership_id, tool_id, company_id, account_id, granted_by, granted_at)
			SELECT value->>0, value->>2, value->>1, value->>3, value->>6, CAST(value->>7 AS BIGINT) FROM {rows} WHERE TRUE
			ON CONFLICT (membership_id, tool_id, account_id) DO UPDATE SET granted_by = excluded.granted_by, granted_at = excluded.granted_at`,
		delete: `
			DELETE FROM tool_account_grants
			WHERE (membership_id, tool_id, account_id) IN (SELECT value->>0, value->>1, value->>2 FROM {rows}) RETURNING membership_id`,
	}
}
