package custom_test

import rego.v2

import data.postern.access

ask(action, role) := {
	"action": {"name": action},
	"context": {"portal": "enterprise"},
	"facts": {
		"user": {"id": "u1", "status": "active", "realm": "customer", "organization": "acme"},
		"grants": [{"role": role, "scope": "company:acme"}],
		"place": ["account:a1", "company:acme", "organization:acme", "realm:customer"],
		"account": {"id": "a1", "kind": "service"},
	},
}

rules(decision) := {reason.rule | some reason in decision.context.reasons}

noon := time.parse_rfc3339_ns("2026-11-20T12:00:00+01:00")

test_business_hours[name] if {
	some name, case in {
		"a Friday at noon": {"at": "2026-11-20T12:00:00+01:00", "open": true},
		"as they begin": {"at": "2026-11-20T08:00:00+01:00", "open": true},
		"before they begin": {"at": "2026-11-20T07:59:59+01:00", "open": false},
		"as they end": {"at": "2026-11-20T18:00:00+01:00", "open": false},
		"a Saturday at noon": {"at": "2026-11-21T12:00:00+01:00", "open": false},
	}

	decision := access.decision with input as ask("service.create", "regular")
		with time.now_ns as time.parse_rfc3339_ns(case.at)
	decision.decision == case.open
	case.open or rules(decision) == {"custom.business_hours"}
}

test_what_costs_nothing_is_done_at_any_hour if {
	access.allow with input as ask("service.view", "regular")
		with time.now_ns as time.parse_rfc3339_ns("2026-11-21T03:00:00+01:00")
}

test_the_security_desk_hears_of_payments if {
	decision := access.decision with input as ask("payment.make", "treasurer") with time.now_ns as noon
	decision.decision == true
	{"id": "notify", "what": "security-desk"} in decision.context.obligations
}

test_and_not_of_looking if {
	decision := access.decision with input as ask("invoice.view", "treasurer")
	object.keys(decision.context) == {"reasons"}
}

test_the_operators_staff_notes_outages if {
	note := object.union(ask("outage.note", "read_only"), {"facts": {"user": {"realm": "operator"}}})
	rules(access.decision) == {"custom.outage"} with input as note
	not access.allow with input as ask("outage.note", "read_only")
	not access.allow with input as object.union(note, {"action": {"name": "service.create"}}) with time.now_ns as noon
}
