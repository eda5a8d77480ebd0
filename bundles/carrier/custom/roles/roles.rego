# METADATA
# title: Roles of the carrier's portal
# description: |
#   One for each main section of the portal (R10): whoever has it sees the accounts
#   and does everything there, and nothing elsewhere.
package custom.roles

import rego.v2

import data.postern.catalog

# METADATA
# title: Billing
# description: Reads bills and pays them.
billing contains action if some action in section("billing")

# METADATA
# title: Orders
# description: Orders, and cancels orders.
orders contains action if some action in section("orders")

# METADATA
# title: Service Management
# description: Adds, changes and removes services.
service_management contains action if some action in section("service_management")

# METADATA
# title: Repairs
# description: Opens tickets and runs diagnostics.
repairs contains action if some action in section("repairs")

# METADATA
# description: What is done in a section, with a view of the accounts.
section(name) := {action |
	some action, does in catalog.actions
	does.section in {name, "accounts"}
	does.kind != "manage"
}
