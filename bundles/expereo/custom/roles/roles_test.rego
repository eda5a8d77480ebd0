package custom.roles_test

import rego.v2

import data.custom.roles
import data.postern.powers

test_a_case_handler_handles_cases if {
	roles.case_handler == {"account.view", "service.view", "ticket.view", "ticket.create", "ticket.update", "diagnostic.run"}
	"case_handler" in powers.actions["service.view"].blind
}

test_whatever_is_added if {
	overlay := {"actions": {
		"case.close": {"section": "repairs", "kind": "troubleshoot"},
		"case.hide": {"section": "repairs", "kind": "manage"},
		"service.map": {"section": "service_management", "kind": "view"},
		"service.draw": {"section": "service_management", "kind": "change"},
		"order.map": {"section": "orders", "kind": "view"},
		"order.try": {"section": "orders", "kind": "troubleshoot"},
	}}
	gained := roles.case_handler & object.keys(overlay.actions) with data.custom.catalog as overlay
	gained == {"case.close", "service.map"}
}
