# METADATA
# title: Rules of this portal for managing users
# description: They add to what the core forbids.
# schemas:
#   - input: schema.manage
package custom.management

import rego.v2

import data.postern.reason

# METADATA
# title: Permissions are chosen from those of this portal
# labels: {rule: custom.expereo.offered}
# description: Nobody sells here, and there is no partner portal.
forbids contains reason.of(rego.metadata.rule()) if {
	some change in input.facts.changes
	change.role == "sales"
}
