# METADATA
# title: Rules of this portal for managing users
# description: They add to what the core forbids.
# schemas:
#   - input: schema.manage
package custom.management

import rego.v2

import data.postern.reason

# METADATA
# title: A user is in one of the five groups of this portal
# labels: {rule: custom.packetfabric.five_groups}
# description: Its highest is Admin; nobody stands above, so nobody is Primary Contact.
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.target.realm == "customer"
	some change in input.facts.changes
	_ := change.role
	not change.role in {"administrator", "regular", "read_only", "support", "sales"}
}
