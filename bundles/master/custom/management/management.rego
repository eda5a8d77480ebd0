# METADATA
# title: Rules of the Master user's portal for managing users
# description: They add to what the core forbids.
# schemas:
#   - input: schema.manage
package custom.management

import rego.v2

import data.postern.catalog
import data.postern.reason

# METADATA
# title: Who manages users here has a second factor
# labels: {rule: custom.master.second_factor}
# description: Where the organization asks for it (mfa.required). Nobody needs one for what is its own.
forbids contains reason.of(rego.metadata.rule()) if {
	input.facts.settings.mfa_required == true
	not catalog.actions[input.action.name].self
	not input.facts.user.kind == "credential"
	not input.facts.user.mfa == true
}
