# METADATA
# title: Lists
# description: |
#   What a user may see, as filters of a database: POST /v1/compile/custom/lists/services
#   gives the rule as SQL or UCAST. Known are the subject and its grants; the rows of
#   the table are not.
# compile:
#   unknowns: [input.services, input.notices]
# schemas:
#   - input.facts: schema.facts
package custom.lists

import rego.v2

import data.postern.powers

# METADATA
# title: The services that the user may see
# description: |
#   Those of an account, a company or an organization in which one of its roles may.
#   An end customer's grants of accounts count for these accounts alone (R36).
# entrypoint: true
services if {
	input.facts.user.status == "active"
	input.services.account in seen("account:")
}

services if {
	input.facts.user.status == "active"
	input.services.company in seen("company:")
}

services if {
	input.facts.user.status == "active"
	input.services.organization in seen("organization:")
}

# METADATA
# title: The notices that the user may read
# description: |
#   Those for everybody in the user's organization. Equality is what every kind of
#   filter has; UCAST for LINQ and the smallest UCAST have no "in".
# entrypoint: true
notices if {
	input.facts.user.status == "active"
	input.notices.organization == input.facts.user.organization
}

# the ids of one kind in which a role of the user may see services
seen(kind) := {id |
	able := powers.actions["service.view"].able[input.facts.user.realm]
	some grant in input.facts.grants
	portals := able[grant.role]
	portals == set() or input.context.portal in portals
	startswith(grant.scope, kind)
	id := trim_prefix(grant.scope, kind)
}
