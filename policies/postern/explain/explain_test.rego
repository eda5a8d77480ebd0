package postern.explain_test

import rego.v2

import data.postern.explain

ask(action, grants) := {
	"subject": {"type": "user", "id": "u1"},
	"action": {"name": action},
	"resource": {"type": "account", "id": "a1"},
	"context": {"portal": "enterprise"},
	"facts": {
		"user": {
			"id": "u1", "status": "active", "realm": "customer", "organization": "acme",
			"role": "read_only", "tools": {},
		},
		"grants": grants,
		"place": ["account:a1", "company:acme", "organization:acme"],
		"account": {"id": "a1", "kind": "service"},
	},
}

in_tool(request) := object.union(request, {
	"context": {"tool": "wan_analysis"},
	"facts": {"tool": {"id": "wan_analysis", "restricted": false}},
})

wanted(what) := object.union(what, {"scope": "account:a1"})

everywhere(role) := {"role": role, "scope": "company:acme"}

smallest(remedies) := {remedy.grants |
	least := min({remedy.powers | some remedy in remedies})
	some remedy in remedies
	remedy.powers == least
}

test_a_role if {
	remedies := explain.remedies with input as ask("service.delete", [everywhere("read_only")])
	{remedy.grants | some remedy in remedies} == {
		[wanted({"role": "regular"})],
		[wanted({"role": "administrator"})],
	}
	smallest(remedies) == {[wanted({"role": "regular"})]}
}

test_powers_count_actions if {
	some remedy in explain.remedies with input as ask("ticket.create", [])
	remedy.grants == [wanted({"role": "support"})]
	remedy.powers == count(data.postern.powers.may.support)
}

test_a_tool if {
	request := in_tool(ask("report.view", [everywhere("read_only")]))
	remedies := explain.remedies with input as request
	remedies == {{"grants": [wanted({"tool": "wan_analysis"})], "powers": 0}}
}

# a tool is all that its own data takes, and a role there brings too much
test_a_tool_before_a_role if {
	remedies := explain.remedies with input as in_tool(ask("tool.data.view", []))
	smallest(remedies) == {[wanted({"tool": "wan_analysis"})]}
}

test_a_role_and_a_tool if {
	remedies := explain.remedies with input as in_tool(ask("diagnostic.run", []))
	smallest(remedies) == {[wanted({"role": "support"}), wanted({"tool": "wan_analysis"})]}
}

test_the_account_and_not_the_tool_it_is_asked_in if {
	request := object.union(in_tool(ask("tool.data.view", [everywhere("read_only")])), {
		"resource": {"type": "tool", "id": "wan_analysis"},
		"facts": {"place": ["tool:wan_analysis", "account:a1", "company:acme", "organization:acme"]},
	})
	remedies := explain.remedies with input as request
	remedies == {{"grants": [wanted({"tool": "wan_analysis"})], "powers": 0}}
}

test_a_tool_itself if {
	request := json.remove(
		object.union(in_tool(ask("tool.open", [])), {
			"resource": {"type": "tool", "id": "wan_analysis"},
			"facts": {"place": ["tool:wan_analysis"]},
		}),
		["/facts/account"],
	)
	remedies := explain.remedies with input as request
	smallest(remedies) == {[{"tool": "wan_analysis", "scope": "tool:wan_analysis"}]}
}

test_no_remedy[name] if {
	restricted := {"facts": {"tool": {"restricted": true}}}
	some name, request in {
		"already allowed": ask("service.view", [everywhere("regular")]),
		"not a matter of grants": ask("call_record.view", [everywhere("regular")]),
		"only the operator restores": ask("member.restore", []),
		"only the operator grants a restricted tool": object.union(in_tool(ask("report.view", [everywhere("regular")])), restricted),
		"unknown resource": json.remove(ask("service.view", []), ["/facts/place"]),
		"unknown subject": json.remove(ask("service.view", []), ["/facts/user"]),
	}

	remedies := explain.remedies with input as request
	remedies == set()
}
