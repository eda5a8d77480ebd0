# METADATA
# title: Reasons
# description: How a rule that spoke is told to the caller.
package postern.reason

import rego.v2

# METADATA
# description: The id and the words of a rule, from its own METADATA.
of(rule) := {"rule": rule.labels.rule, "text": rule.title}

# METADATA
# description: The same, with what the rule found.
found(rule, what) := object.union(of(rule), what)
