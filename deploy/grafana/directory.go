package main

// freshness is how old what decisions rest on is, and where it comes from.
func freshness() row {
	const asked = "postern_grants_cache_requests_total"
	return row{"Freshness and cache", []band{
		{
			{title: "Age of grants used", says: "A revocation takes no longer than this to count.", unit: "s", asks: quantiles("postern_decision_grants_age_seconds")},
			{title: "Change log last read", says: "Beyond POSTERN_MAX_STALENESS nothing is decided from memory.", unit: "s", asks: one(series("postern_grants_staleness_seconds"), "{{instance}}")},
			{title: "Revision", says: "Up to which the change log was followed: lines apart are servers behind.", asks: one(series("postern_directory_revision"), "{{instance}}")},
			{title: "Stale decisions", says: "On facts older than the bound, as POSTERN_SERVE_STALE_FOR allows.", unit: "reqps", asks: one(rate("instance", "postern_decisions_stale_total"), "{{instance}}")},
		},
		{
			{title: "Found by tier", says: "Share of keys that a tier had.", unit: shares, most: 1, asks: one(share("tier", asked, `result="hit"`), "{{tier}}")},
			{title: "Looked up", unit: "ops", asks: one(rate("tier, result", asked), "{{tier}} {{result}}")},
			{title: "Cached keys", asks: one(series("postern_grants_cache_entries"), "{{instance}}")},
			{title: "Cache memory", unit: "bytes", asks: one(series("postern_grants_cache_bytes"), "{{instance}}")},
		},
		{
			{title: "Entries dropped", says: "By what the look at the change log came about by, or else: a reset, a directory that went back.", unit: "ops", asks: one(rate("source", "postern_grants_invalidations_total"), "{{source}}")},
			{title: "Looks at the change log", unit: "ops", asks: one(rate("result", "postern_grants_polls_total"), "{{result}}")},
			{title: "Dependencies", says: "1: it answers.", most: 1, asks: one("min by (dependency) ("+series("postern_dependency_up")+")", "{{dependency}}")},
			{title: "Clock skew", says: "Of the directory's clock against that of each server.", unit: "s", low: true, asks: one(series("postern_clock_skew_seconds"), "{{instance}}")},
			{title: "Failed calls", unit: "ops", asks: one(rate("dependency, operation", "postern_dependency_errors_total"), "{{dependency}} {{operation}}")},
		},
		{
			{title: "A change counts after", says: "From when it was written; clocks that are apart add to it or hide it.", unit: "s", asks: quantiles("postern_grants_invalidation_lag_seconds")},
			{title: "99% by what was heard", says: "poll and feed: it was time to look; the others: somebody told, or asked.", unit: "s", asks: one(quantile(0.99, "source", "postern_grants_invalidation_lag_seconds"), "{{source}}")},
			{title: "Looks that brought changes", unit: "ops", asks: one(observed("source", "postern_grants_invalidation_lag_seconds"), "{{source}}")},
		},
		{
			{title: "Redis: written", unit: "ops", asks: one(rate("result", "postern_redis_writes_total"), "{{result}}")},
			{title: "Redis: announcements", says: "Changes that were heard of at once.", unit: "ops", asks: one(rate("instance", "postern_redis_wakes_total"), "{{instance}}")},
			{title: "Redis: left alone", says: "1: it does not answer, and is not asked.", most: 1, asks: one(series("postern_redis_breaker_open"), "{{instance}}")},
			{title: "What should not be", says: "Values in Redis that nobody with our secret wrote; times the directory went back.", steps: []step{{1, "red"}},
				asks: []ask{{grown("", "postern_cache_auth_failures_total"), "forged"}, {grown("", "postern_revision_regressions_total"), "went back"}}},
		},
	}}
}

// policies is what is decided by.
func policies() row {
	return row{"Policy", []band{{
		{title: "In force", says: "Servers by revision.", stack: true, asks: one("count by (source, revision) ("+series("postern_policy_info")+")", "{{source}} {{revision}}")},
		{title: "Put in force and refused", asks: one(grown("source, result", "postern_policy_activations_total"), "{{source}} {{result}}")},
		{title: "In force for", unit: "s", asks: one("time() - max by (source) ("+series("postern_policy_activation_timestamp_seconds")+")", "{{source}}")},
		{
			title: "Files last seen as in force", says: "Since then they cannot be read, keep changing, or hold what was refused. An embedded core has no files.", unit: "s",
			steps: []step{{900, "orange"}}, asks: one("time() - min by (source) ("+series("postern_policy_last_success_timestamp_seconds")+")", "{{source}}"),
		},
		{title: "Evaluations that do not end", asks: one(series("postern_policy_stuck_evaluations"), "{{instance}}")},
	}}}
}

// directory is who is in it, and what is changed. The gauges are those of the
// servers that administer, which all say the same.
func directory() row {
	const events = "postern_audit_events_total"
	return row{"Directory and invitations", []band{
		{
			{title: "Organizations", kind: stat, asks: one("max("+series("postern_organizations")+")", "")},
			{title: "Users", kind: stat, asks: one("max("+series("postern_users")+")", "")},
			{title: "Open invitations", kind: stat, asks: one("max("+series("postern_invitations", `state="open"`)+")", "")},
			{title: "Oldest open invitation", kind: stat, unit: "s", asks: one("max("+series("postern_invitations_oldest_open_age_seconds")+")", "")},
		},
		{
			{title: "Memberships", stack: true, asks: one("max by (state) ("+series("postern_memberships")+")", "{{state}}")},
			{title: "Invitations", asks: one("max by (state) ("+series("postern_invitations")+")", "{{state}}")},
			{title: "Invitations by event", asks: one(grown("type", events, `type=~"invitation[.].*"`), "{{type}}")},
			{title: "Grants by event", says: "Roles, accounts and tools that were given or taken.",
				asks: one(grown("type", events, `type=~"member[.](grants_changed|role_changed|tool_granted|tool_revoked|cloned|cpni_changed)"`), "{{type}}")},
		},
		{
			{title: "Members by event", asks: one(grown("type", events, `type=~"member[.](created|activated|suspended|reactivated|removed|restored|purged)"`), "{{type}}")},
			{title: "All other events", says: "Of the audit trail.", asks: one(grown("type", events, `type!~"(member|invitation)[.].*"`), "{{type}}")},
			{title: "Administration", says: "Requests of the management listener.", unit: "reqps", stack: true, asks: one(rate("code", "postern_http_requests_total", `listener="management"`), "{{code}}")},
			{title: "Too many requests", says: "That were refused: of an address, of a credential, or for mails.", unit: "reqps", asks: one(rate("limit", "postern_rate_limited_requests_total"), "{{limit}}")},
		},
	}}
}
