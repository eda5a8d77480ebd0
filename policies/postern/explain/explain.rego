# METADATA
# title: Explain
# description: |
#   What would have allowed it: the grants that, given to the user for just this
#   resource, turn the denial around. Each one is tried before it is offered.
# schemas:
#   - input: schema.access
#   - input.facts: schema.facts
package postern.explain

import rego.v2

import data.postern.access
import data.postern.catalog
import data.postern.powers
import data.postern.tools

# METADATA
# title: Remedies
# description: |
#   Verified ways to be allowed, each with the number of actions it would give
#   the user: the smallest is the one to ask for.
# entrypoint: true
remedies contains {"grants": wanted, "powers": gained(wanted)} if {
	some roles in role_parts
	wanted := array.concat(roles, tool_part)
	wanted != []
	tried := array.concat(input.facts.grants, wanted)
	access.allow with input.facts.grants as tried
}

role_parts contains []

# only the operator makes a Primary Contact, so nobody may ask to be one
role_parts contains [{"role": role, "scope": narrowest}] if {
	access.permits == set()
	some role, _ in catalog.roles
	role != "primary_contact"
}

# nor for a tool that only the operator grants
tool_part := [{"tool": tool, "scope": narrowest} |
	tool := tools.named
	input.facts.tool.restricted == false
	tools.holds == set()
]

# the account, where there is one: the tool in question is no account of it
narrowest := [scope |
	some scope in input.facts.place
	not input.facts.account or not startswith(scope, "tool:")
][0]

gained(wanted) := count({action |
	some grant in wanted
	some action in powers.may[grant.role]
})
