package custom.management_test

import rego.v2

import data.postern.manage

view := {
	"action": {"name": "member.view"},
	"facts": {
		"user": {"id": "u1", "kind": "personal", "status": "active", "realm": "customer", "organization": "acme", "mfa": true},
		"grants": [{"role": "primary_contact", "scope": "organization:acme"}],
		"target": {"id": "u2", "reach": ["organization:acme"]},
	},
}

test_with_a_second_factor if manage.allow with input as view

test_without_a_second_factor[name] if {
	some name, request in {
		"none": object.union(view, {"facts": {"user": {"mfa": false}}}),
		"unsaid": json.remove(view, ["/facts/user/mfa"]),
	}

	decision := manage.decision with input as request
	{reason.rule | some reason in decision.context.reasons} == {"custom.second_factor"}
}
