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

# METADATA
# scope: document
# description: |
#   What an overlay forbids. Whatever is no set or list of reasons forbids too, in
#   the name of the rule that asks: a mistake in an overlay must not open a door.
each(forbids, rule) := forbids if is_set(forbids)

else := forbids if is_array(forbids)

else := [of(rule)] if rule
