package custom.management_test

import rego.v2

import data.postern.manage

rules(decision) := {reason.rule | some reason in decision.context.reasons}

view := {
	"action": {"name": "member.view"},
	"facts": {
		"user": {
			"id": "u1", "kind": "personal", "status": "active", "realm": "customer",
			"organization": "nest", "role": "primary_contact", "mfa": true,
		},
		"grants": [{"role": "primary_contact", "scope": "organization:nest"}],
		"target": {"id": "u2", "realm": "customer", "reach": ["organization:nest", "realm:customer"]},
		"settings": {"mfa_required": true},
	},
}

test_with_a_second_factor if manage.allow with input as view

test_without_one[name] if {
	some name, request in {
		"none": object.union(view, {"facts": {"user": {"mfa": false}}}),
		"unsaid": json.remove(view, ["/facts/user/mfa"]),
	}

	decision := manage.decision with input as request
	rules(decision) == {"custom.master.second_factor"}
}

test_where_it_is_not_asked_for[name] if {
	without := json.remove(view, ["/facts/user/mfa"])
	some name, request in {
		"set to no": object.union(without, {"facts": {"settings": {"mfa_required": false}}}),
		"unset": json.remove(without, ["/facts/settings"]),
	}

	manage.allow with input as request
}

test_for_what_is_ones_own if {
	own := object.union(view, {"action": {"name": "self.view"}, "facts": {"user": {"mfa": false}, "target": {"id": "u1"}}})
	manage.allow with input as own
}

test_a_credential_has_none if {
	key := {"id": "credential:k1", "kind": "credential", "status": "active", "realm": "operator"}
	grants := [{"role": "operator", "scope": "realm:customer"}]
	without := json.remove(view, ["/facts/user", "/facts/grants"])
	request := object.union(without, {"facts": {"user": key, "grants": grants}})
	manage.allow with input as request
}
