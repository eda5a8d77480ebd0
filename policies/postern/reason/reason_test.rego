package postern.reason_test

import rego.v2

import data.postern.reason

spoken := {"title": "No", "labels": {"rule": "access.no"}}

test_of if reason.of(spoken) == {"rule": "access.no", "text": "No"}

test_found if reason.found(spoken, {"role": "x"}) == {"rule": "access.no", "text": "No", "role": "x"}

test_each[name] if {
	some name, case in {
		"a set": {"forbids": {"a"}, "want": {"a"}},
		"a list": {"forbids": ["a"], "want": ["a"]},
		"an empty set": {"forbids": set(), "want": set()},
		"true": {"forbids": true, "want": [{"rule": "access.no", "text": "No"}]},
		"false": {"forbids": false, "want": [{"rule": "access.no", "text": "No"}]},
		"one reason": {"forbids": {"rule": "custom.x"}, "want": [{"rule": "access.no", "text": "No"}]},
	}

	reason.each(case.forbids, spoken) == case.want
}
