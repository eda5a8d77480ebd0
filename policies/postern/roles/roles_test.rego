package postern.roles_test

import rego.v2

import data.postern.catalog
import data.postern.roles

kinds(role) := {catalog.actions[action].kind | some action in roles[role]}

all_but_operators := {name |
	some name, does in catalog.actions
	not does.operator
	not does.self
}

test_a_primary_contact_does_everything_but_the_operators if roles.primary_contact == all_but_operators

test_an_administrator_does_the_same if roles.administrator == all_but_operators

test_regular_users_do_everything_but_manage if {
	roles.regular == {name |
		some name in all_but_operators
		catalog.actions[name].kind != "manage"
	}
	"service.delete" in roles.regular
	not "member.view" in roles.regular
}

test_read_only_users_change_nothing if {
	kinds("read_only") == {"view", "download"}
	{"invoice.view", "invoice.download", "document.download", "service.view"} - roles.read_only == set()
}

test_support_has_nothing_to_do_with_money if {
	kinds("support") == {"view", "download", "troubleshoot"}
	every name, does in catalog.actions {
		not does.financial or not name in roles.support
	}
	{"diagnostic.run", "ticket.create", "ticket.update"} - roles.support == set()
}

test_sales_reads_and_writes_quotes if {
	changes := {action | some action in roles.sales; catalog.actions[action].kind == "change"}
	changes == {"quote.create", "quote.update", "quote.delete"}
	kinds("sales") == {"view", "download", "change"}
}

test_the_operator_looks_and_manages if {
	kinds("operator") == {"view", "manage"}
	"member.restore" in roles.operator
}

# what everybody does for itself is of no role
test_no_role_brings_what_everybody_may if {
	every actions in roles {
		not "self.view" in actions
	}
}

test_sync_keeps_the_directory if {
	roles.sync == {
		"company.view", "company.update", "company.delete", "account.update", "account.delete",
		"account_group.view", "account_group.create", "account_group.update", "account_group.delete",
	}
}

test_identity_reports_what_nobody_else_may if {
	roles.identity == {"member.mfa.report", "credential.verify"}
	every role, actions in roles {
		role == "identity" or actions & roles.identity == set()
	}
}

# however an overlay's action is made
test_an_action_for_the_operator_is_for_nobody_else[kind] if {
	some kind in ["view", "download", "change", "troubleshoot", "manage", "juggle"]
	overlay := {"catalog": {"actions": {"x": {"kind": kind, "section": "quoting", "operator": true}}}}
	takers := {role |
		some role, actions in roles with data.custom as overlay
		"x" in actions
	}
	takers - {"operator"} == set()
}

test_an_action_of_a_kind_nobody_knows_is_for_administrators_only if {
	overlay := {"catalog": {"actions": {"x": {"kind": "juggle", "section": "repairs"}}}}
	takers := {role |
		some role, actions in roles with data.custom as overlay
		"x" in actions
	}
	takers == {"primary_contact", "administrator"}
}

test_managing_quoting_is_not_for_sales if {
	overlay := {"catalog": {"actions": {"x": {"kind": "manage", "section": "quoting"}}}}
	not "x" in roles.sales with data.custom as overlay
}
