# METADATA
# title: Roles of this overlay
# description: A role is here and in the overlay's catalog, or it is nowhere.
package custom.roles

import rego.v2

import data.postern.catalog

# METADATA
# title: Network Operations Center
# description: Watches and repairs, and sees no call records.
noc contains action if {
	some action, does in catalog.actions
	does.section in {"repairs", "reports"}
	not does.cpni
}

# METADATA
# title: Auditor
# description: Sees everything, downloads nothing, changes nothing.
auditor contains action if {
	some action, does in catalog.actions
	does.kind == "view"
}

# METADATA
# title: Treasurer
# description: Handles bills and payments.
treasurer contains action if {
	some action, does in catalog.actions
	does.section == "billing"
}

# METADATA
# title: Reseller
# description: Quotes and orders, in the partner portal.
reseller contains action if {
	some action, does in catalog.actions
	does.section in {"quoting", "orders"}
}
