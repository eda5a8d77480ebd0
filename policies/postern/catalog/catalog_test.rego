package postern.catalog_test

import rego.v2

import data.postern.catalog
import data.postern.roles

overlay := {"catalog": {
	"actions": {"line.reset": {"kind": "troubleshoot"}, "payment.make": {"kind": "view"}},
	"roles": {"noc": {"realms": ["customer"]}, "sales": {"realms": ["customer", "operator"]}},
}}

test_an_overlay_adds if {
	catalog.actions["line.reset"].kind == "troubleshoot" with data.custom as overlay
	catalog.roles.noc.realms == ["customer"] with data.custom as overlay
}

test_an_overlay_never_redefines if {
	catalog.actions["payment.make"] == data.catalog.actions["payment.make"] with data.custom as overlay
	catalog.roles.sales == data.catalog.roles.sales with data.custom as overlay
}

test_without_an_overlay_there_is_the_core if {
	catalog.actions == data.catalog.actions
	catalog.roles == data.catalog.roles
}

test_attributes_are_known if {
	every action in catalog.actions {
		action.kind in {"view", "download", "change", "troubleshoot", "manage", "identify", "self"}
		object.get(action, "machine", "sync") in {"sync", "identity", "replicate"}
		object.get(action, "financial", "impact") in {"information", "impact"}
		object.keys(action) - {
			"section", "kind", "financial", "cpni", "operator", "tool",
			"whole", "ranked", "takes", "grouping", "wide", "assigns", "appoints", "self", "machine",
		} == set()
	}
}

test_sections_are_known if {
	sections := {action.section | some action in catalog.actions}
	sections == {
		"accounts", "service_management", "orders", "billing", "repairs",
		"reports", "quoting", "tools", "users", "directory",
	}
}

test_every_role_has_its_rule if {
	object.keys(catalog.roles) == object.keys(roles)
	every role in catalog.roles {
		role.realms[0] in {"customer", "operator"}
	}
}

with_attribute(name) := {action |
	some action, does in catalog.actions
	does[name]
}

test_what_touches_the_whole_member if {
	with_attribute("whole") == {
		"member.clone", "member.update", "member.suspend", "member.reactivate", "member.delete", "member.restore",
		"member.purge", "member.password.reset", "member.role.assign", "member.transfer", "member.cpni.authorize",
		"invitation.update", "invitation.resend", "invitation.revoke",
	}
}

test_what_needs_somebody_below if {
	with_attribute("ranked") == {"member.account.grant", "member.account.revoke", "member.tool.grant", "member.tool.revoke"}
}

test_what_only_takes_away if {
	with_attribute("takes") == {
		"member.suspend", "member.delete", "member.purge", "member.account.revoke",
		"member.tool.revoke", "invitation.revoke",
	}
}

test_what_else_is_special if {
	with_attribute("operator") == {
		"member.restore", "member.purge", "member.mfa.report", "credential.verify",
		"organization.create", "organization.update", "company.update", "company.delete",
		"account.update", "account.delete", "tool.update", "role.update",
		"service_token.view", "service_token.create", "service_token.revoke", "directory.follow",
	}
	with_attribute("cpni") == {"call_record.view"}
	with_attribute("tool") == {"tool.open", "tool.data.view", "tool.data.download", "tool.configure"}
	with_attribute("grouping") == {"account_group.create", "account_group.update", "account_group.delete"}
	with_attribute("wide") == {"organization.view", "audit.view", "webhook.view", "webhook.update"}
	with_attribute("assigns") == {"member.create", "member.invite", "member.clone", "member.role.assign"}
	with_attribute("appoints") == {"member.transfer"}
	with_attribute("self") == {"self.view", "self.update"}
}

test_no_member_is_a_machine if {
	{role | some role, about in catalog.roles; about.machine} == {"sync", "identity", "replicate"}
}
