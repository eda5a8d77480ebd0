package main

// overview is what to look at first.
func overview() row {
	return row{"Overview", []band{{
		{title: "Decided", says: "Per second, by all ways of asking.", kind: stat, unit: "reqps", asks: one(rate("", "postern_decisions_total"), "")},
		{title: "Allowed", says: "Share of decisions that allow.", kind: stat, unit: shares, asks: one(share("", "postern_decisions_total", `decision="allow"`), "")},
		{
			title: "Errors", says: "Share of decisions that could not be made; the objective is 0.05%.", kind: stat, unit: shares,
			steps: []step{{0.0005, "orange"}, {0.0072, "red"}}, asks: one(share("", "postern_decisions_total", `decision="error"`), ""),
		},
		{
			title: "99% within", says: "The objective is 99.9% within 5 ms.", kind: stat, unit: "s",
			steps: []step{{0.005, "orange"}, {0.05, "red"}}, asks: one(quantile(0.99, "", "postern_decision_duration_seconds"), ""),
		},
		{title: "Servers", says: "Scraped, and up.", kind: stat, asks: one("sum(up{"+job+"})", "")},
		{
			title: "Policy revisions", says: "More than one of a layer for long: servers disagree.", kind: stat, steps: []step{{2, "red"}},
			asks: one("max(count by (source) (count by (source, revision) ("+series("postern_policy_info")+")))", ""),
		},
	}}}
}

// decisions is who asks for what, what comes of it, and how long it takes.
func decisions() row {
	const made, took = "postern_decisions_total", "postern_decision_duration_seconds"
	const actions = "postern_decision_actions_total"
	return row{"Decisions", []band{
		{
			{title: "By outcome", unit: "reqps", stack: true, asks: one(rate("decision", made), "{{decision}}")},
			{title: "By API", says: "The way in which they were asked for.", unit: "reqps", stack: true, asks: one(rate("api", made), "{{api}}")},
			{title: "By role", says: "The role that permitted; none is for denials.", unit: "reqps", stack: true, asks: one(rate("role", made), "{{role}}")},
		},
		{
			{title: "Denials by reason", says: "The rules of the policy that denied.", unit: "reqps", stack: true, asks: one(rate("reason", "postern_denials_total"), "{{reason}}")},
			{title: "By action", says: "The ten most asked for.", unit: "reqps", asks: one("topk(10, "+rate("action", actions)+")", "{{action}}")},
			{
				title: "Denied share by action", says: "Where users run into walls.", unit: shares, most: 1,
				asks: one("topk(10, "+share("action", actions, `decision="deny"`)+")", "{{action}}"),
			},
		},
		{
			{title: "Latency", says: "From a query to its answer.", unit: "s", asks: append(quantiles(took), ask{quantile(0.999, "", took), "99.9%"})},
			{title: "Latency, all of it", kind: "heatmap", unit: "s", asks: one(buckets(took), "{{le}}")},
			{title: "99% by stage", says: "Where the time goes: parse and encode are before and after the latency of a decision.", unit: "s", asks: one(quantile(0.99, "stage", "postern_decision_stage_duration_seconds"), "{{stage}}")},
			{title: "Batch size", asks: quantiles("postern_decision_batch_size")},
		},
	}}
}
