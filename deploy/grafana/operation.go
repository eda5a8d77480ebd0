package main

// leaving is what leaves Postern by itself.
func leaving() row {
	return row{"Decision log and mail", []band{{
		{title: "Decision log events", unit: "ops", asks: one(rate("sink, result", "postern_decision_log_events_total"), "{{sink}} {{result}}")},
		{title: "Decision log events that wait", asks: one(series("postern_decision_log_buffered_events"), "{{instance}} {{sink}}")},
		{title: "Messages", says: "Mails and webhooks: attempts by what came of them.", unit: "ops", asks: one(rate("channel, result", "postern_outbox_deliveries_total"), "{{channel}} {{result}}")},
		{title: "Messages that wait", asks: one("max by (channel) ("+series("postern_outbox_waiting_messages")+")", "{{channel}}")},
		{title: "Oldest message that waits", unit: "s", steps: []step{{900, "orange"}}, asks: one("max by (channel) ("+series("postern_outbox_oldest_message_age_seconds")+")", "{{channel}}")},
	}}}
}

// served is what comes in over HTTP.
func served() row {
	const requests = "postern_http_requests_total"
	return row{"HTTP", []band{
		{
			{title: "Requests by answer", unit: "reqps", stack: true, asks: one(rate("listener, code", requests), "{{listener}} {{code}}")},
			{title: "99% by route", unit: "s", asks: one(quantile(0.99, "route", "postern_http_request_duration_seconds"), "{{route}}")},
			{title: "Requests in flight", asks: one("sum by (listener) ("+series("postern_http_requests_in_flight")+")", "{{listener}}")},
		},
		{
			{title: "Refused callers", unit: "reqps", asks: one(rate("listener, reason", "postern_auth_failures_total"), "{{listener}} {{reason}}")},
			{title: "Refused connections", unit: "reqps", asks: one(rate("listener, reason", "postern_http_connections_refused_total"), "{{listener}} {{reason}}")},
			{title: "Panics", says: "Each is a bug.", steps: []step{{1, "red"}}, asks: one(grown("listener", "postern_panics_total"), "{{listener}}")},
			{title: "Certificates end in", unit: "s", steps: []step{{0, "red"}, {7 * 24 * 3600, "green"}}, asks: one(series("postern_tls_certificate_expiry_timestamp_seconds")+" - time()", "{{instance}} {{listener}}")},
			{title: "Tokens of sidecars end in", unit: "s", steps: []step{{0, "red"}, {7 * 24 * 3600, "green"}}, asks: one(series("postern_directory_token_expiry_timestamp_seconds")+" - time()", "{{instance}}")},
			{title: "New certificates", asks: one(grown("listener, result", "postern_tls_reloads_total"), "{{listener}} {{result}}")},
		},
	}}
}

// resources is what it costs.
func resources() row {
	return row{"Resources", []band{
		{
			{title: "CPU", asks: one(rate("instance", "process_cpu_seconds_total"), "{{instance}}")},
			{title: "Memory", unit: "bytes", asks: []ask{{series("process_resident_memory_bytes"), "{{instance}}"}, {series("go_memstats_heap_inuse_bytes"), "{{instance}} heap"}}},
			{title: "Goroutines", asks: one(series("go_goroutines"), "{{instance}}")},
			{title: "Free disk", unit: "bytes", asks: one(series("postern_disk_free_bytes"), "{{instance}} {{holds}}")},
			{title: "Open files", asks: one(series("process_open_fds"), "{{instance}}")},
		},
		{
			{title: "Database connections", says: "In use, by pool.", asks: one(series("go_sql_in_use_connections"), "{{instance}} {{db_name}}")},
			{title: "Waits for a database connection", unit: "ops", asks: one(rate("instance, db_name", "go_sql_wait_count_total"), "{{instance}} {{db_name}}")},
			{title: "Longest garbage collection", unit: "s", asks: one("max by (instance) ("+series("go_gc_duration_seconds")+")", "{{instance}}")},
			{title: "Versions", says: "Servers by what they run.", stack: true, asks: one("count by (version, goversion) ("+series("postern_build_info")+")", "{{version}} {{goversion}}")},
		},
	}}
}
