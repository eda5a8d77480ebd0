# METADATA
# title: Powers
# description: |
#   What the roles come to, as tables to look up in. Nothing here reads the
#   input, so it is worked out once per generation and not once per decision.
package postern.powers

import rego.v2

import data.postern.catalog

# METADATA
# scope: document
# description: By role, the actions it may take. An overlay adds roles; it never widens one.
may[role] contains action if {
	some role, actions in data.postern.roles
	some action in actions
}

may[role] contains action if {
	some role, actions in data.custom.roles
	catalog.roles[role]
	not data.postern.roles[role]
	some action in actions
	catalog.actions[action]
}

# METADATA
# description: |
#   Every action with its attributes, and
#   able: by realm of the user the roles that may take it, each with the portals
#   it is bound to; no portal means that it counts in all of them;
#   blind: whether one of these roles may not see money.
actions[name] := object.union(does, {"able": able_to, "blind": blind}) if {
	some name, does in catalog.actions
	able_to := object.get(able, name, {})
	blind := {role | some role in object.keys(able_to[_]); not may[role]["billing_account.view"]} != set()
}

# no role brings what is for the operator to a customer
able[action][realm][role] := portals if {
	some role, taken in may
	where := catalog.roles[role]
	portals := {portal | some portal in where.portals}
	portals != set() or not where.portals
	some realm in where.realms
	some action in taken
	realm == "operator" or not catalog.actions[action].operator
}

# METADATA
# description: By role, the roles that may do nothing it may not do.
includes[role] contains other if {
	some role, actions in may
	some other, others in may
	others - actions == set()
}

# METADATA
# description: By role, the realms whose users may have it.
realms[role] := about.realms if some role, about in catalog.roles
