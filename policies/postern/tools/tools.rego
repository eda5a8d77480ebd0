# METADATA
# title: Tools
# description: |
#   The product tool a request speaks of: its resource, or else the tool its
#   context names. A role never implies a tool (R63), and a tool's list of
#   accounts is its own (R31).
# schemas:
#   - input: schema.access
#   - input.facts: schema.facts
package postern.tools

import rego.v2

import data.postern.reason

# METADATA
# scope: document
# description: The tool in question. Undefined when there is none.
named := input.resource.id if input.resource.type == "tool"

else := input.context.tool

# METADATA
# scope: document
# description: |
#   The scopes of the place in which the user holds the tool. The scope of the
#   tool itself opens it and says nothing about accounts (R30). A Primary Contact
#   holds every tool that is not restricted, for its whole organization (R1, R29).
holds contains grant.scope if {
	some grant in input.facts.grants
	grant.tool == named
	grant.scope in input.facts.place
	not input.facts.account or not startswith(grant.scope, "tool:")
}

holds contains grant.scope if {
	unrestricted
	some grant in input.facts.grants
	grant.role == "primary_contact"
	grant.scope in input.facts.place
}

holds contains scope if {
	unrestricted
	input.facts.user.role == "primary_contact"
	opening
	scope := input.facts.place[0]
}

unrestricted if {
	input.facts.tool.restricted == false
	input.facts.user.realm == "customer"
}

# the tool itself is asked about, not an account in it
opening if {
	input.resource.type == "tool"
	not input.facts.account
}

# METADATA
# title: There is no such product tool
# labels: {rule: access.unknown_tool}
forbids contains reason.of(rego.metadata.rule()) if {
	tool := named
	not input.facts.tool.id == tool
}

# METADATA
# title: The user does not hold this product tool
# labels: {rule: access.tool_not_granted}
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.tool.id == named
	holds == set()
	not given
}

# METADATA
# title: Only the operator grants this product tool
# labels: {rule: access.tool_restricted}
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.tool.id == named
	not input.facts.tool.restricted == false
	holds == set()
	not given
}

# METADATA
# title: No account was added to this product tool for the user
# labels: {rule: access.tool_has_no_accounts}
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.tool.id == named
	holds == set()
	given == 0
}

# METADATA
# title: This account was not added to this product tool for the user
# labels: {rule: access.account_not_in_tool}
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.tool.id == named
	holds == set()
	given != 0
}

# on how many accounts the user has the tool
given := input.facts.user.tools[named]
