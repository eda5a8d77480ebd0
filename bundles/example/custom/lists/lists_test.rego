package custom.lists_test

import rego.v2

import data.custom.lists

holds(grants, status) := {
	"user": {"id": "u1", "status": status, "realm": "customer", "organization": "acme"},
	"grants": grants,
}

test_services_are_seen_where_a_role_may_see_them[name] if {
	some name, case in {
		"an account of the user's": {"scope": "account:a1", "seen": true},
		"its company": {"scope": "company:south", "seen": true},
		"its organization": {"scope": "organization:acme", "seen": true},
		"another account": {"scope": "account:a2", "seen": false},
		"a company of the account's name": {"scope": "company:a1", "seen": false},
	}

	seen := {true | lists.services with input.facts as holds([{"role": "read_only", "scope": case.scope}], "active")
		with input.services as {"account": "a1", "company": "south", "organization": "acme"}}
	count(seen) > 0 == case.seen
}

test_a_tool_lists_no_services if {
	not lists.services with input.facts as holds([{"tool": "wan_analysis", "scope": "account:a1"}], "active")
		with input.services as {"account": "a1"}
}

test_whoever_is_not_active_sees_none if {
	every scope in {"account:a1", "company:south", "organization:acme"} {
		not lists.services with input.facts as holds([{"role": "read_only", "scope": scope}], "suspended")
			with input.services as {"account": "a1", "company": "south", "organization": "acme"}
	}
}

test_a_user_without_grants_sees_none if {
	not lists.services with input.facts as holds([], "active") with input.services as {"account": "a1"}
}

test_notices_are_for_the_organization[name] if {
	some name, case in {
		"the user's own": {"organization": "acme", "status": "active", "seen": true},
		"another one": {"organization": "globex", "status": "active", "seen": false},
		"the own one of a user who is suspended": {"organization": "acme", "status": "suspended", "seen": false},
	}

	seen := {true | lists.notices with input.facts as holds([], case.status) with input.notices as {"organization": case.organization}}
	count(seen) > 0 == case.seen
}
