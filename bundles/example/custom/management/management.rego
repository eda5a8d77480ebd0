# METADATA
# title: Rules of this overlay for managing users
# description: They add to what the core forbids.
# schemas:
#   - input: schema.manage
package custom.management

import rego.v2

import data.postern.reason

# METADATA
# title: Who manages users here has a second factor
# labels: {rule: custom.second_factor}
forbids contains reason.of(rego.metadata.rule()) if not input.facts.user.mfa == true
