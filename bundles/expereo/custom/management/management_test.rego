package custom.management_test

import rego.v2

import data.postern.manage

invite(role) := {
	"action": {"name": "member.invite"},
	"facts": {
		"user": {"id": "u1", "kind": "personal", "status": "active", "realm": "customer", "organization": "reach", "role": "primary_contact"},
		"grants": [{"role": "primary_contact", "scope": "organization:reach"}],
		"target": {"id": "", "kind": "personal", "realm": "customer", "reach": ["organization:reach", "realm:customer"]},
		"changes": [{"role": role}],
	},
}

test_what_is_offered[role] if {
	some role in ["administrator", "regular", "read_only", "support", "case_handler"]
	manage.allow with input as invite(role)
}

test_what_is_not if {
	decision := manage.decision with input as invite("sales")
	{reason.rule | some reason in decision.context.reasons} == {"custom.expereo.offered"}
}
