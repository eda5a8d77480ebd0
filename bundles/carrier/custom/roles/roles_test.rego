package custom.roles_test

import rego.v2

import data.custom.roles
import data.postern.access
import data.postern.catalog
import data.postern.matrix

ask(action, role, kind) := {
	"action": {"name": action},
	"facts": {
		"user": {"id": "u1", "status": "active", "realm": "customer", "organization": "acme"},
		"grants": [{"role": role, "scope": "account:a1"}],
		"place": ["account:a1", "company:acme", "organization:acme", "realm:customer"],
		"account": {"id": "a1", "kind": kind},
	},
}

test_there_are_ten_roles_for_customers if {
	offered := {role |
		some role, about in catalog.roles
		"customer" in about.realms
	}
	count(offered) == 10
	object.keys(matrix.roles) - offered == {"operator", "sync", "identity", "replicate"}
}

test_each_is_for_one_section[role] if {
	some role in ["billing", "orders", "service_management", "repairs"]
	{catalog.actions[action].section | some action in roles[role]} == {role, "accounts"}
}

test_none_of_them_manages if {
	kinds := {catalog.actions[action].kind |
		some role in ["billing", "orders", "service_management", "repairs"]
		some action in roles[role]
	}
	kinds == {"view", "download", "change", "troubleshoot"}
	overlay := {"catalog": {"actions": {"account.hide": {"section": "billing", "kind": "manage"}}}}
	not "account.hide" in roles.billing with data.custom.catalog as overlay.catalog
}

test_what_they_may_do[name] if {
	some name, case in {
		"billing pays": {"action": "payment.make", "role": "billing", "kind": "billing", "allow": true},
		"billing orders nothing": {"action": "order.create", "role": "billing", "kind": "service", "allow": false},
		"orders are placed": {"action": "order.create", "role": "orders", "kind": "service", "allow": true},
		"and no bill is read": {"action": "invoice.view", "role": "orders", "kind": "service", "allow": false},
		"services are changed": {"action": "service.upgrade", "role": "service_management", "kind": "service", "allow": true},
		"repairs run diagnostics": {"action": "diagnostic.run", "role": "repairs", "kind": "service", "allow": true},
		"and delete no service": {"action": "service.delete", "role": "repairs", "kind": "service", "allow": false},
		"nor look into a billing account": {"action": "ticket.view", "role": "repairs", "kind": "billing", "allow": false},
	}

	decision := access.decision with input as ask(case.action, case.role, case.kind)
	decision.decision == case.allow
}
