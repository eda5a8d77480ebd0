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
may[role] contains action if data.postern.roles[role][action]

may[role] contains action if {
	some action in data.custom.roles[role]
	not data.postern.roles[role]
	catalog.roles[role]
	catalog.actions[action]
}

# METADATA
# description: |
#   Every action with its attributes, and
#   able: by realm of the user the roles that may take it, each with the portals
#   it is bound to; no portal means that it counts in all of them;
#   blind: those of these roles that may not see money;
#   machines: the roles of credentials that may take it.
actions[name] := object.union(object.remove(does, object.keys(found)), found) if {
	some name, does in catalog.actions
	able := {realm: there |
		some realm, roles in members

		# no role brings what is for the operator to a customer
		realm == "operator" or not does.operator
		there := {role: portals |
			some role, portals in roles
			may[role][name]
		}
	}
	blind := {role |
		some role in object.keys(able[_])
		not may[role]["billing_account.view"]
	}
	machines := {role |
		some role, about in catalog.roles
		about.machine == true
		may[role][name]
	}
	found := {"able": able, "blind": blind, "machines": machines}
}

members := {realm: roles |
	some realm in ["customer", "operator"]
	roles := {role: portals |
		some role, where in catalog.roles
		realm in where.realms
		not where.machine
		portals := {portal | some portal in where.portals}
		portals != set() or not where.portals
	}
}

# METADATA
# description: By role, the roles that may do something, and nothing it may not do.
includes[role] contains other if {
	some role, other
	may[other] - may[role] == set()
}

# METADATA
# description: By role, the realms whose users may have it. No user has a machine's.
realms[role] := where.realms if {
	some role, where in catalog.roles
	not where.machine
}
