# METADATA
# title: Access
# description: |
#   May this user do this here? An active user, a known action, a place of the
#   directory; then something must permit it and nothing may forbid it.
# schemas:
#   - input: schema.access
#   - input.facts: schema.facts
package postern.access

import rego.v2

import data.postern.powers
import data.postern.reason
import data.postern.tools

# METADATA
# title: Decision
# description: |
#   The decision (AuthZEN 1.0 §5.5) with its reasons, always, and with the duties
#   that come with it, if there are any.
# entrypoint: true
decision := {"decision": true, "context": {"reasons": permits}} if {
	allow
	obligations == set()
} else := {"decision": true, "context": {"reasons": permits, "obligations": obligations}} if {
	allow
} else := {"decision": false, "context": {"reasons": refusals}}

# METADATA
# description: What is missing of these, lacks tells.
allow if {
	input.facts.user.status == "active"
	input.facts.place
	powers.actions[input.action.name]
	permits != set()
	forbids == set()
}

refusals := forbids | lacks

# METADATA
# title: A role permits it
# labels: {rule: access.role}
permits contains {"rule": "access.role", "role": grant.role, "scope": grant.scope} if {
	able := powers.actions[input.action.name].able[input.facts.user.realm]
	some grant in input.facts.grants
	portals := able[grant.role]
	portals == set() or input.context.portal in portals
	grant.scope in input.facts.place
}

# METADATA
# title: A product tool permits it
# labels: {rule: access.tool}
permits contains {"rule": "access.tool", "tool": tools.named, "role": role, "scope": scope} if {
	input.facts.tool
	powers.actions[input.action.name].tool
	role := input.facts.user.role
	portals := powers.actions[input.action.name].able[input.facts.user.realm][role]
	portals == set() or input.context.portal in portals
	some scope in tools.holds
}

# METADATA
# title: An overlay permits it
# labels: {rule: access.custom.permit}
# description: It speaks for itself and for no role or rule of the core.
permits contains object.remove(permit, ["role"]) if {
	some permit in data.custom.permits
	startswith(permit.rule, "custom.")
}

# METADATA
# title: The user may not see customer proprietary network information
# labels: {rule: access.cpni}
forbids contains reason.of(rego.metadata.rule()) if {
	powers.actions[input.action.name].cpni
	not input.facts.user.cpni == true
}

# METADATA
# title: This is a billing account, and no role of the user there may see money
# labels: {rule: access.financial}
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.account.kind == "billing"
	not sees_money
}

# METADATA
# title: This is done in a product tool, and none was named
# labels: {rule: access.tool_not_named}
forbids contains reason.of(rego.metadata.rule()) if {
	powers.actions[input.action.name].tool
	not tools.named
}

forbids contains refusal if {
	input.context.tool
	some refusal in tools.forbids
}

forbids contains refusal if {
	input.resource.type == "tool"
	some refusal in tools.forbids
}

# METADATA
# title: An overlay forbids it
# labels: {rule: access.custom.forbid}
forbids contains forbid if {
	forbidden := data.custom.forbids
	some forbid in reason.each(forbidden, rego.metadata.rule())
}

# a role that permits this may see what is financial
sees_money if {
	able := powers.actions["billing_account.view"].able[input.facts.user.realm]
	some permit in permits
	able[permit.role]
}

# METADATA
# title: There is no such user
# labels: {rule: access.unknown_subject}
lacks contains reason.of(rego.metadata.rule()) if not input.facts.user

# METADATA
# title: The user is not active
# labels: {rule: access.inactive}
lacks contains reason.of(rego.metadata.rule()) if {
	input.facts.user
	not input.facts.user.status == "active"
}

# METADATA
# title: There is no such resource
# labels: {rule: access.unknown_resource}
lacks contains reason.of(rego.metadata.rule()) if not input.facts.place

# METADATA
# title: There is no such action
# labels: {rule: access.unknown_action}
lacks contains reason.of(rego.metadata.rule()) if not powers.actions[input.action.name]

# METADATA
# title: No role of the user counts here
# labels: {rule: access.out_of_scope}
lacks contains reason.of(rego.metadata.rule()) if {
	input.facts.user
	input.facts.place
	permits == set()
	present == set()
	powers.actions[input.action.name]
}

# METADATA
# title: The user's role does this in another portal
# labels: {rule: access.wrong_portal}
lacks contains reason.found(rego.metadata.rule(), {"roles": elsewhere}) if {
	permits == set()
	elsewhere != set()
}

# METADATA
# title: None of the user's roles here may do this
# labels: {rule: access.role_lacks_action}
lacks contains reason.found(rego.metadata.rule(), {"roles": present}) if {
	permits == set()
	present != set()
	elsewhere == set()
	powers.actions[input.action.name]
}

# the user's roles that count here
present contains grant.role if {
	some grant in input.facts.grants
	grant.scope in input.facts.place
}

present contains input.facts.user.role if {
	input.facts.tool
	some _ in tools.holds
}

# those of them that are bound to other portals
elsewhere contains role if {
	able := powers.actions[input.action.name].able[input.facts.user.realm]
	some role in present
	able[role] != set()
}

# METADATA
# title: Hide everything financial
# labels: {rule: access.redact}
obligations contains {"id": "redact", "what": "financial"} if {
	blind := powers.actions[input.action.name].blind
	blind != set()
	{permit.role | some permit in permits} - blind == set()
}

# METADATA
# title: Record that customer proprietary network information was seen
# labels: {rule: access.record}
obligations contains {"id": "record", "what": "cpni"} if powers.actions[input.action.name].cpni

# METADATA
# title: An overlay obliges it
# labels: {rule: access.custom.oblige}
obligations contains obligation if some obligation in data.custom.obligations
