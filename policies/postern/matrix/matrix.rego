# METADATA
# title: Matrix
# description: Every role with everything it may do, for people to read and review.
package postern.matrix

import rego.v2

import data.postern.catalog
import data.postern.powers

# METADATA
# title: Table
# description: Every action, with the roles that may take it.
# entrypoint: true
table := {action: takers |
	some action, _ in catalog.actions
	takers := {role |
		some role, taken in powers.may
		taken[action]
	}
}

# METADATA
# title: Roles
# description: Every role by its id, with its title; also those that may do nothing.
# entrypoint: true
roles := {role: object.get(about, "title", role) | some role, about in catalog.roles}
