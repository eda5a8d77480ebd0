package postern.tools_test

import rego.v2

import data.postern.tools

account_place := ["account:a1", "company:acme-south", "organization:acme", "realm:customer"]

# a tool for an account, asked by somebody who holds it on that account
for_account := {
	"resource": {"type": "tool", "id": "wan_analysis", "properties": {"account": "a1"}},
	"facts": {
		"user": {"id": "u1", "realm": "customer", "role": "regular", "tools": {"wan_analysis": 1}},
		"grants": [
			{"tool": "wan_analysis", "scope": "tool:wan_analysis"},
			{"tool": "wan_analysis", "scope": "account:a1"},
		],
		"place": array.concat(["tool:wan_analysis"], account_place),
		"account": {"id": "a1", "kind": "service"},
		"tool": {"id": "wan_analysis", "restricted": false},
	},
}

opened := [{"tool": "wan_analysis", "scope": "tool:wan_analysis"}]

rules := {reason.rule | some reason in tools.forbids}

test_named[name] if {
	some name, case in {
		"the resource": {"input": {"resource": {"type": "tool", "id": "a"}}, "named": "a"},
		"the context": {"input": {"resource": {"type": "account", "id": "b"}, "context": {"tool": "a"}}, "named": "a"},
		"the resource comes first": {
			"input": {"resource": {"type": "tool", "id": "a"}, "context": {"tool": "b"}},
			"named": "a",
		},
	}

	tools.named == case.named with input as case.input
}

test_nothing_is_named if {
	not tools.named with input as {"resource": {"type": "account", "id": "a1"}}
}

test_holds_for_an_account if {
	tools.holds == {"account:a1"} with input as for_account
	rules == set() with input as for_account
}

# its list of accounts is what counts, not that the tool opens
test_an_empty_list_has_no_account if {
	asked := object.union(for_account, {"facts": {"grants": opened, "user": {"tools": {"wan_analysis": 0}}}})
	tools.holds == set() with input as asked
	rules == {"access.tool_has_no_accounts"} with input as asked
}

test_another_account_is_not_this_one if {
	asked := object.union(for_account, {"facts": {"grants": opened}})
	rules == {"access.account_not_in_tool"} with input as asked
}

test_another_tool_is_not_this_one if {
	asked := object.union(for_account, {"facts": {"grants": [
		{"tool": "other", "scope": "account:a1"},
		{"tool": "wan_analysis", "scope": "account:a2"},
	]}})
	tools.holds == set() with input as asked
}

test_what_is_known_is_the_tool_in_question if {
	asked := object.union(for_account, {"facts": {"tool": {"id": "other"}}})
	rules == {"access.unknown_tool"} with input as asked
}

test_of_an_unknown_tool_nothing_else_is_said[accounts] if {
	some accounts in [0, 1]
	asked := object.union(for_account, {"facts": {
		"tool": {"id": "other"},
		"user": {"tools": {"wan_analysis": accounts}},
		"grants": opened,
	}})
	rules == {"access.unknown_tool"} with input as asked
}

test_who_holds_a_restricted_tool_only_lacks_the_account if {
	asked := object.union(for_account, {"facts": {"tool": {"restricted": true}, "grants": opened}})
	rules == {"access.account_not_in_tool"} with input as asked
}

boss := object.union(for_account, {"facts": {
	"user": {"role": "primary_contact", "tools": {"another": 1}},
	"grants": [{"role": "primary_contact", "scope": "organization:acme"}],
}})

test_a_primary_contact_holds_it_for_its_organization if {
	tools.holds == {"organization:acme"} with input as boss
	rules == set() with input as boss
}

without_list := json.remove(boss, ["/facts/user/tools/wan_analysis"])

test_a_primary_contact_does_not_hold[name] if {
	some name, case in {
		"a restricted tool": {
			"patch": {"facts": {"tool": {"restricted": true}}}, "remove": [],
			"rules": {"access.tool_not_granted", "access.tool_restricted"},
		},
		"a tool that may be restricted": {
			"patch": {}, "remove": ["/facts/tool/restricted"],
			"rules": {"access.tool_not_granted", "access.tool_restricted"},
		},
		"a tool of another organization": {
			"patch": {"facts": {"grants": [{"role": "primary_contact", "scope": "organization:beta"}]}},
			"remove": [], "rules": {"access.tool_not_granted"},
		},
		"anything as an operator": {
			"patch": {"facts": {"user": {"realm": "operator"}}}, "remove": [],
			"rules": {"access.tool_not_granted"},
		},
		"anything as something else": {
			"patch": {"facts": {"grants": [{"role": "administrator", "scope": "organization:acme"}]}},
			"remove": [], "rules": {"access.tool_not_granted"},
		},
	}

	asked := json.remove(object.union(without_list, case.patch), case.remove)
	tools.holds == set() with input as asked
	rules == case.rules with input as asked
}

opening := json.remove(
	object.union(without_list, {"facts": {"grants": [], "place": ["tool:wan_analysis"]}}),
	["/facts/account", "/resource/properties"],
)

test_a_primary_contact_opens_a_tool if {
	tools.holds == {"tool:wan_analysis"} with input as opening
}

test_a_primary_contact_does_not_open[name] if {
	some name, patch in {
		"a restricted tool": {"facts": {"tool": {"restricted": true}}},
		"as an operator": {"facts": {"user": {"realm": "operator"}}},
		"as something else": {"facts": {"user": {"role": "administrator"}}},
		"an account by it": {"facts": {"account": {"id": "a1"}, "place": account_place}},
		"a place that is no tool": {
			"resource": {"type": "company", "id": "acme-south"},
			"context": {"tool": "wan_analysis"},
		},
	}

	tools.holds == set() with input as object.union(opening, patch)
}

test_an_explicit_grant_of_a_restricted_tool_counts if {
	asked := object.union(for_account, {"facts": {"tool": {"restricted": true}}})
	tools.holds == {"account:a1"} with input as asked
	rules == set() with input as asked
	rules == set() with input as json.remove(asked, ["/facts/user/tools"])
}
