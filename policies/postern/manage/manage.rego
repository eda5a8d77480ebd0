# METADATA
# title: Management
# description: |
#   May this user manage that member, invitation or record of the directory so?
#   Nobody gives what they do not hold or appoints their equal (R6), nobody changes
#   their own access, and only the operator makes or touches a Primary Contact (R3).
# schemas:
#   - input: schema.manage
package postern.manage

import rego.v2

import data.postern.powers
import data.postern.reason

# METADATA
# title: Decision
# description: The decision, with the powers it rests on or the rules that forbid it.
# entrypoint: true
decision := {"decision": true, "context": {"reasons": permits}} if {
	allow
} else := {"decision": false, "context": {"reasons": forbids}}

# METADATA
# description: Nothing forbids it, not even that nothing permits it.
allow if forbids == set()

# METADATA
# title: A role permits it
# labels: {rule: manage.role}
# description: The user's roles that may do this, wherever they count.
permits contains {"rule": "manage.role", "role": grant.role, "scope": grant.scope} if {
	able := does.able[input.facts.user.realm]
	some grant in input.facts.grants
	portals := able[grant.role]
	portals == set() or input.context.portal in portals
}

# METADATA
# title: A credential may, by what it is for
# labels: {rule: manage.machine}
permits contains {"rule": "manage.machine", "role": grant.role, "scope": grant.scope} if {
	input.facts.user.kind == "credential"
	some grant in input.facts.grants
	does.machines[grant.role]
}

# METADATA
# title: Every member may, for itself
# labels: {rule: manage.self}
permits contains {"rule": "manage.self"} if for_itself

for_itself if {
	does.self
	input.facts.target.id == input.facts.user.id
}

# METADATA
# scope: document
# description: |
#   The powers that count where the target is: in a scope it lies in, or somewhere
#   in the user's own organization, which is the target's too. A user who is more
#   in another organization is no more for it here.
here contains power if {
	some power in permits
	power.scope in input.facts.target.reach
}

# the operator's own organization is for who holds its realm
here contains power if {
	input.facts.target.realm == "customer"
	concat(":", ["organization", input.facts.user.organization]) in input.facts.target.reach
	some power in permits
	power.role == input.facts.user.role
}

# METADATA
# scope: document
# description: |
#   What the request gives: its changes, unless the action only takes away. A new
#   role of a member counts wherever the old one did.
given contains change if {
	not does.takes
	some change in input.facts.changes
}

given contains object.union(grant, {"role": change.role}) if {
	does.whole
	some change in input.facts.changes
	some grant in input.facts.target.grants
	kinds(grant) == {"role"}
}

# METADATA
# scope: document
# description: |
#   All that the request puts its hand to: what it gives or takes away and, for
#   an action on the whole member, everything that the member has.
touched contains change if some change in given

touched contains change if some change in input.facts.changes

touched contains grant if {
	does.whole
	some grant in input.facts.target.grants
}

does := powers.actions[input.action.name]

# METADATA
# scope: document
# description: |
#   The user could give this, or take it away: a role below a role of its own, or
#   a tool of its own, there. One thing at a time: two would hide one another.
governs(change) if {
	kinds(change) == {"role"}
	some power in powers_over(change)
	outranks(power.role, change.role)
}

governs(change) if {
	kinds(change) == {"tool"}
	some power in powers_over(change)
	handles(power.role, change)
}

governs(change) if kinds(change) == {"cpni"}

kinds(change) := object.keys(change) & {"role", "tool", "cpni"}

powers_over(change) := here if unplaced(change)

else := {power |
	some power in permits
	power.scope in change.reach
}

# given without saying where: the directory will not let it count anywhere
unplaced(change) if object.keys(change) & {"scope", "reach"} == set()

outranks("operator", _)

outranks(role, other) if {
	powers.includes[role][other]
	above(role, other)
}

# the matrix knows no difference between a Primary Contact and an Administrator
above("primary_contact", _)

above(role, other) if not powers.includes[other][role]

above(_, _) if input.facts.settings.administrators_appoint == true

# METADATA
# scope: document
# description: The user has the tool to give, as granted or as one who has them all (R1).
handles(role, _) if role in {"operator", "primary_contact"}

handles(_, change) if {
	some grant in input.facts.grants
	grant.tool == change.tool
	grant.scope in change.reach
}

handles(_, change) if {
	unplaced(change)
	_ := input.facts.user.tools[change.tool]
}

of_operator if {
	some power in here
	power.role == "operator"
}

# METADATA
# title: There is no such user
# labels: {rule: manage.unknown_subject}
forbids contains reason.of(rego.metadata.rule()) if not input.facts.user

# METADATA
# title: The user is not active
# labels: {rule: manage.inactive}
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.user
	not input.facts.user.status == "active"
}

# METADATA
# title: There is no such action
# labels: {rule: manage.unknown_action}
forbids contains reason.of(rego.metadata.rule()) if not does

# METADATA
# title: None of the user's roles may do this
# labels: {rule: manage.powerless}
forbids contains reason.of(rego.metadata.rule()) if {
	does
	permits == set()
}

# METADATA
# title: Nobody changes their own access
# labels: {rule: manage.own_access}
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.target.id == input.facts.user.id
	input.action.name != "member.view"
	not does.self
}

# METADATA
# title: This is for the user alone
# labels: {rule: manage.not_self}
forbids contains reason.of(rego.metadata.rule()) if {
	does.self
	not for_itself
}

# METADATA
# title: A shared identity manages nobody
# labels: {rule: manage.shared_identity}
# description: Whoever reads a distribution list could be it (R37).
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.user
	not for_itself
	not input.facts.user.kind in {"personal", "credential"}
}

# METADATA
# title: A shared identity is no Primary Contact and no Administrator
# description: What an account group holds comes to members who were of a kind to get it.
# labels: {rule: manage.shared_role}
forbids contains reason.found(rego.metadata.rule(), {"role": change.role}) if {
	not does.grouping
	some change in given
	change.role in {"primary_contact", "administrator"}
	not input.facts.target.kind == "personal"
}

# METADATA
# title: This is outside the user's organization and scopes
# labels: {rule: manage.out_of_reach}
forbids contains reason.of(rego.metadata.rule()) if {
	permits != set()
	here == set()
	not for_itself
}

# the roles whose power holds the target whole, not only a part of it
covering contains power.role if {
	some power in permits
	power.scope in input.facts.target.reach
}

# METADATA
# title: This is about the whole organization, and no role of the user is
# labels: {rule: manage.wide}
forbids contains reason.of(rego.metadata.rule()) if {
	does.wide
	covering == set()
}

# METADATA
# title: This role or tool, there, is beyond the user's own
# labels: {rule: manage.beyond}
forbids contains reason.found(rego.metadata.rule(), {"change": change}) if {
	some change in touched
	not governs(change)
}

# METADATA
# title: It is not said which role is given
# labels: {rule: manage.role_unsaid}
# description: A role that nobody names is one that nobody compares.
forbids contains reason.of(rego.metadata.rule()) if {
	does.assigns
	{change | some change in input.facts.changes; kinds(change) == {"role"}} == set()
}

# METADATA
# title: The member's role is not below the user's own
# labels: {rule: manage.outranked}
forbids contains reason.of(rego.metadata.rule()) if {
	of_rank
	not outranked
}

# the action is about a member who has to be below the user (R6)
of_rank if does.whole

of_rank if does.ranked

outranked if {
	some power in here
	outranks(power.role, input.facts.target.role)
}

# METADATA
# title: Only the operator makes or touches a Primary Contact
# labels: {rule: manage.primary_contact}
forbids contains reason.of(rego.metadata.rule()) if {
	"primary_contact" in roles_touched
	not of_operator
	not handed_over
}

roles_touched contains change.role if some change in touched

roles_touched contains input.facts.target.role if of_rank

roles_touched contains "primary_contact" if does.appoints

# where the organization says so, its Primary Contact makes its successor (R3)
handed_over if {
	does.appoints
	input.facts.settings.primary_contacts_appoint == true
	covering.primary_contact
	not input.facts.target.role == "primary_contact"
}

# METADATA
# title: Only the operator grants this product tool
# labels: {rule: manage.tool_restricted}
forbids contains reason.found(rego.metadata.rule(), {"tool": change.tool}) if {
	some change in given
	not change.restricted == false
	not of_operator
}

# METADATA
# title: Only who holds the authorization to see customer proprietary network information passes it on
# labels: {rule: manage.cpni}
forbids contains reason.of(rego.metadata.rule()) if {
	authorizes
	not input.facts.user.cpni == true
	not of_operator
}

authorizes if {
	some change in given
	change.cpni != false
}

authorizes if {
	input.action.name == "member.cpni.authorize"
	not input.facts.changes[0]
}

# METADATA
# title: This role is not for users of the member's realm
# labels: {rule: manage.wrong_realm}
forbids contains reason.found(rego.metadata.rule(), {"role": change.role}) if {
	some change in given
	not input.facts.target.realm in powers.realms[change.role]
}

# METADATA
# title: The account group reaches beyond the user's own scopes
# labels: {rule: manage.account_group}
forbids contains reason.of(rego.metadata.rule()) if {
	does.grouping
	covering == set()
}

# METADATA
# title: Only the operator manages account groups of this kind
# labels: {rule: manage.operator_group}
forbids contains reason.of(rego.metadata.rule()) if {
	does.grouping
	not input.facts.target.kind == "service_group"
	not of_operator
	not covering.sync
}

# METADATA
# title: An overlay forbids it
# labels: {rule: manage.custom.forbid}
forbids contains forbid if {
	forbidden := data.custom.management.forbids
	some forbid in reason.each(forbidden, rego.metadata.rule())
}
