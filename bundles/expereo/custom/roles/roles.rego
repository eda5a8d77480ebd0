# METADATA
# title: Roles of this portal
# description: Beside the core's, one for people who only follow up on cases.
package custom.roles

import rego.v2

import data.postern.catalog

# METADATA
# title: Case Handler
# description: Sees accounts and services, opens and follows cases, sees no money.
case_handler contains action if {
	some action, does in catalog.actions
	does.section in {"accounts", "service_management"}
	does.kind == "view"
}

case_handler contains action if {
	some action, does in catalog.actions
	does.section == "repairs"
	does.kind in {"view", "troubleshoot"}
}
