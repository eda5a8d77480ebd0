# METADATA
# title: Catalog
# description: |
#   The actions and roles there are: the core's, and those an overlay adds. An
#   overlay adds; it never redefines.
package postern.catalog

import rego.v2

# METADATA
# scope: document
# description: Every action there is, with its attributes.
actions[name] := action if some name, action in data.catalog.actions

actions[name] := action if {
	some name, action in data.custom.catalog.actions
	not data.catalog.actions[name]
}

# METADATA
# scope: document
# description: Every role there is, with the realms and portals it counts in.
roles[name] := role if some name, role in data.catalog.roles

roles[name] := role if {
	some name, role in data.custom.catalog.roles
	not data.catalog.roles[name]
}
