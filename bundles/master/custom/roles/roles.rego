# METADATA
# title: Roles of the Master user's portal
# description: Narrow ones, for people who do one thing (R20).
package custom.roles

import rego.v2

import data.postern.catalog

# METADATA
# title: Technical
# description: Runs services and repairs them; buys nothing and sees no bill.
technical contains action if {
	some action, does in catalog.actions
	does.section in {"accounts", "service_management", "repairs", "reports"}
	does.kind in {"view", "download", "change", "troubleshoot"}
	not does.financial
	not does.cpni
}

# METADATA
# title: Finance
# description: Reads and pays bills, and sees what was ordered.
finance contains action if {
	some action, does in catalog.actions
	does.section in {"accounts", "billing"}
}

finance contains "order.view"

# METADATA
# title: Abuse
# description: Answers reports of abuse, as tickets.
abuse contains action if {
	some action, does in catalog.actions
	does.section in {"accounts", "repairs"}
	action != "diagnostic.run"
}
