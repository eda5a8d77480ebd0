package custom.management_test

import rego.v2

import data.postern.manage

rules(decision) := {reason.rule | some reason in decision.context.reasons}

everywhere := ["company:fab-one", "organization:fab", "realm:customer"]

admin := {
	"user": {"id": "u1", "kind": "personal", "status": "active", "realm": "customer", "organization": "fab", "role": "administrator"},
	"grants": [{"role": "administrator", "scope": "company:fab-one"}],
}

operator := {
	"user": {"id": "credential:k1", "kind": "credential", "status": "active", "realm": "operator"},
	"grants": [{"role": "operator", "scope": "realm:customer"}, {"role": "operator", "scope": "realm:operator"}],
}

invite(actor, role) := {
	"action": {"name": "member.invite"},
	"facts": object.union(actor, {
		"target": {"id": "", "kind": "personal", "realm": "customer", "reach": ["organization:fab", "realm:customer"]},
		"settings": {"administrators_appoint": true},
		"changes": [{"role": role, "scope": "company:fab-one", "reach": everywhere}],
	}),
}

test_an_admin_invites_into_any_group[role] if {
	some role in ["administrator", "regular", "read_only", "support", "sales"]
	manage.allow with input as invite(admin, role)
	manage.allow with input as invite(operator, role)
}

test_there_is_no_sixth_group[role] if {
	some role in ["primary_contact", "operator"]
	decision := manage.decision with input as invite(operator, role)
	"custom.packetfabric.five_groups" in rules(decision)
}

test_a_tool_is_no_group if {
	change := {"tool": "quotes", "restricted": false, "scope": "company:fab-one", "reach": everywhere}
	base := invite(operator, "regular")
	request := object.union(base, {"action": {"name": "member.tool.grant"}, "facts": {"target": {"role": "regular"}, "changes": [change]}})
	manage.allow with input as request
}

test_the_operators_own_people_have_other_roles if {
	base := invite(operator, "operator")
	home := {"id": "", "kind": "personal", "realm": "operator", "reach": ["organization:home", "realm:operator"]}
	without := json.remove(base, ["/facts/target", "/facts/changes"])
	request := object.union(without, {"facts": {"target": home, "changes": [{"role": "operator"}]}})
	manage.allow with input as request
}
