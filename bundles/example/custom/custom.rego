# METADATA
# title: Rules of this overlay
# description: They add to what the core permits, forbids and obliges to.
# schemas:
#   - input: schema.access
#   - input.facts: schema.facts
package custom

import rego.v2

import data.postern.catalog
import data.postern.reason

# METADATA
# title: Whoever works for the operator may note an outage
# labels: {rule: custom.outage}
permits contains reason.of(rego.metadata.rule()) if {
	input.action.name == "outage.note"
	input.facts.user.realm == "operator"
}

# METADATA
# title: Nothing that costs money is done outside business hours
# labels: {rule: custom.business_hours}
forbids contains reason.of(rego.metadata.rule()) if {
	catalog.actions[input.action.name].financial == "impact"
	not business_hours
}

business_hours if {
	now := [time.now_ns(), "Europe/Amsterdam"]
	not time.weekday(now) in {"Saturday", "Sunday"}
	[hour, _, _] := time.clock(now)
	hour in numbers.range(8, 17)
}

# METADATA
# title: The security desk hears of every change that costs money
# labels: {rule: custom.security_desk}
obligations contains {"id": "notify", "what": "security-desk"} if {
	catalog.actions[input.action.name].financial == "impact"
}
