# METADATA
# title: Roles
# description: |
#   What each role may do, wherever it counts. Where that is, its grants say. An
#   overlay's roles live in data.custom.roles.
package postern.roles

import rego.v2

import data.postern.catalog

# METADATA
# title: Primary Contact
# description: Does everything, for its whole organization (R1, R2). Only the operator makes one (R3).
primary_contact contains action if {
	some action, does in catalog.actions
	not does.operator
	not does.self
}

# METADATA
# title: Administrator
# description: Does what a Primary Contact does, for the accounts and tools it was given (R6, R12).
administrator contains action if {
	some action, does in catalog.actions
	not does.operator
	not does.self
}

# METADATA
# title: Regular
# description: Adds, removes and changes services; manages nobody (R13).
regular contains action if {
	some action, does in catalog.actions
	does.kind in {"view", "download", "change", "troubleshoot"}
	not does.operator
}

# METADATA
# title: Read-Only
# description: Views everything, downloads documents and invoices, changes nothing (R14).
read_only contains action if {
	some action, does in catalog.actions
	does.kind in {"view", "download"}
	not does.operator
}

# METADATA
# title: Support
# description: Troubleshoots. Sees nothing financial and causes nothing financial (R15).
support contains action if {
	some action, does in catalog.actions
	does.kind in {"view", "download", "troubleshoot"}
	not does.financial
	not does.operator
}

# METADATA
# scope: document
# title: Sales
# description: Reads, and writes quotes (R16). Counts in the partner portal only.
sales contains action if {
	some action, does in catalog.actions
	does.kind in {"view", "download"}
	not does.operator
}

sales contains action if {
	some action, does in catalog.actions
	does.section == "quoting"
	does.kind != "manage"
	not does.operator
}

# METADATA
# title: Operator
# description: The operator's staff. Looks and manages everywhere; touches no service.
operator contains action if {
	some action, does in catalog.actions
	does.kind in {"view", "manage"}
}

# METADATA
# title: Sync
# description: A credential that keeps companies, accounts and account groups up to date.
sync contains action if {
	some action, does in catalog.actions
	does.machine == "sync"
}

# METADATA
# title: Identity
# description: A credential that reports second factors and checks passwords (R84).
identity contains action if {
	some action, does in catalog.actions
	does.machine == "identity"
}

# METADATA
# title: Replicate
# description: A server that decides and follows the directory of another.
replicate contains action if {
	some action, does in catalog.actions
	does.machine == "replicate"
}
