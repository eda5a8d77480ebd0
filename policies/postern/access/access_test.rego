package postern.access_test

import rego.v2

import data.postern.access
import data.postern.catalog

place := [
	"account:a1",
	"contract:k1+delivery:d1",
	"account:k1",
	"account:d1",
	"account_group:east",
	"company:acme-south",
	"organization:acme",
	"realm:customer",
]

user := {
	"id": "u1", "kind": "personal", "status": "active", "realm": "customer", "organization": "acme",
	"affiliation": "customer", "role": "regular", "cpni": false, "mfa": false, "tools": {},
}

# somebody who is this all over the company, and asks for that
ask(role, action) := {
	"subject": {"type": "user", "id": "u1"},
	"action": {"name": action},
	"resource": {"type": "account", "id": "a1"},
	"context": {"portal": "enterprise"},
	"facts": {
		"user": object.union(user, {"role": role}),
		"grants": [{"role": role, "scope": "company:acme-south"}],
		"place": place,
		"account": {"id": "a1", "kind": "service"},
	},
}

but(request, patch) := object.union(request, patch)

without(request, path) := json.remove(request, [path])

rules(decision) := {reason.rule | some reason in decision.context.reasons}

permitted := {"access.role", "access.tool"}

# the decision itself, for requests that tests write down
decided(request) := decision if decision := access.decision with input as request

test_roles[name] if {
	some name, case in {
		"a primary contact does everything": {
			"role": "primary_contact", "yes": ["service.delete", "invoice.view", "member.invite", "quote.create"],
			"no": ["member.restore"],
		},
		"an administrator does what a primary contact does": {
			"role": "administrator", "yes": ["service.delete", "invoice.view", "member.role.assign"],
			"no": ["member.restore"],
		},
		"a regular user changes services and manages nobody": {
			"role": "regular", "yes": ["service.create", "service.upgrade", "service.delete", "payment.make"],
			"no": ["member.invite", "member.view"],
		},
		"a read-only user downloads and changes nothing": {
			"role": "read_only", "yes": ["service.view", "document.download", "invoice.download"],
			"no": ["service.configure", "ticket.create", "quote.create"],
		},
		"support troubleshoots and sees no money": {
			"role": "support", "yes": ["diagnostic.run", "ticket.create", "service.view"],
			"no": ["service.create", "billing_account.view", "invoice.download"],
		},
	}

	every action in case.yes {
		decision := decided(ask(case.role, action))
		decision.decision == true
		decision.context.reasons == {{"rule": "access.role", "role": case.role, "scope": "company:acme-south"}}
	}
	every action in case.no {
		refused := decided(ask(case.role, action))
		refused.decision == false
		rules(refused) == {"access.role_lacks_action"}
	}
}

test_an_operator_manages_everywhere if {
	staff := but(ask("operator", "member.restore"), {"facts": {
		"user": {"realm": "operator"},
		"grants": [{"role": "operator", "scope": "realm:customer"}],
	}})
	access.allow with input as staff
	not access.allow with input as but(staff, {"action": {"name": "service.create"}})
}

test_a_role_counts_only_for_its_realms if {
	claimed := ask("operator", "member.view")
	rules(decided(claimed)) == {"access.role_lacks_action"}
	team := but(ask("primary_contact", "service.view"), {"facts": {"user": {"realm": "operator"}}})
	rules(decided(team)) == {"access.role_lacks_action"}
}

test_scopes[name] if {
	some name, case in {
		"the account": {"scope": "account:a1", "allow": true},
		"its account group": {"scope": "account_group:east", "allow": true},
		"its company": {"scope": "company:acme-south", "allow": true},
		"its organization": {"scope": "organization:acme", "allow": true},
		"everywhere": {"scope": "realm:customer", "allow": true},
		"contract and delivery together": {"scope": "contract:k1+delivery:d1", "allow": true},
		"another account": {"scope": "account:a2", "allow": false},
		"another delivery": {"scope": "contract:k1+delivery:d2", "allow": false},
		"half a scope": {"scope": "company", "allow": false},
	}

	request := but(ask("regular", "service.view"), {"facts": {"grants": [{"role": "regular", "scope": case.scope}]}})
	decision := decided(request)
	decision.decision == case.allow
	case.allow or rules(decision) == {"access.out_of_scope"}
}

test_every_grant_that_permits_is_a_reason if {
	twice := but(ask("regular", "service.view"), {"facts": {"grants": [
		{"role": "regular", "scope": "account:a1"},
		{"role": "read_only", "scope": "company:acme-south"},
		{"role": "regular", "scope": "account:a2"},
		{"tool": "wan_analysis", "scope": "account:a1"},
	]}})
	decided(twice) == {"decision": true, "context": {"reasons": {
		{"rule": "access.role", "role": "regular", "scope": "account:a1"},
		{"rule": "access.role", "role": "read_only", "scope": "company:acme-south"},
	}}}
}

test_sales_works_in_the_partner_portal[name] if {
	quote := ask("sales", "quote.create")
	some name, case in {
		"in it": {"request": but(quote, {"context": {"portal": "partner"}}), "allow": true},
		"in another": {"request": quote, "allow": false},
		"in a portal of a list": {"request": but(quote, {"context": {"portal": ["partner"]}}), "allow": false},
		"without a portal": {"request": without(quote, "/context/portal"), "allow": false},
		"without a context": {"request": without(quote, "/context"), "allow": false},
	}

	decision := decided(case.request)
	decision.decision == case.allow
	case.allow or rules(decision) == {"access.wrong_portal"}
}

test_sales_elsewhere_is_told_its_role if {
	some reason in decided(ask("sales", "quote.create")).context.reasons
	reason.roles == {"sales"}
}

test_what_sales_may_not_do_no_portal_helps if {
	delete := ask("sales", "service.delete")
	rules(decided(delete)) == {"access.role_lacks_action"}
	rules(decided(but(delete, {"context": {"portal": "partner"}}))) == {"access.role_lacks_action"}
}

regular_cannot := ask("regular", "member.invite")

test_denials[name] if {
	view := ask("regular", "service.view")
	some name, case in {
		"suspended": {"request": but(view, {"facts": {"user": {"status": "suspended"}}}), "rules": {"access.inactive"}},
		"removed": {"request": but(view, {"facts": {"user": {"status": "removed"}}}), "rules": {"access.inactive"}},
		"without a status": {"request": without(view, "/facts/user/status"), "rules": {"access.inactive"}},
		"unknown subject": {
			"request": json.remove(view, ["/facts/user", "/facts/grants"]),
			"rules": {"access.unknown_subject"},
		},
		"unknown resource": {
			"request": but(json.remove(view, ["/facts/place", "/facts/account"]), {"facts": {"grants": []}}),
			"rules": {"access.unknown_resource"},
		},
		"unknown action": {
			"request": but(view, {"action": {"name": "service.explode"}}),
			"rules": {"access.unknown_action"},
		},
		"unknown action out of scope": {
			"request": but(view, {"action": {"name": "service.explode"}, "facts": {"grants": []}}),
			"rules": {"access.unknown_action"},
		},
		"no action": {"request": without(view, "/action"), "rules": {"access.unknown_action"}},
		"nothing known": {
			"request": but(json.remove(view, ["/facts"]), {"action": {"name": "service.explode"}}),
			"rules": {"access.unknown_subject", "access.unknown_resource", "access.unknown_action"},
		},
		"no grants": {"request": but(view, {"facts": {"grants": []}}), "rules": {"access.out_of_scope"}},
		"without grants": {"request": without(view, "/facts/grants"), "rules": {"access.out_of_scope"}},
		"a tool is no role": {
			"request": but(view, {"facts": {"grants": [{"tool": "wan_analysis", "scope": "account:a1"}]}}),
			"rules": {"access.out_of_scope"},
		},
		"wrong role": {"request": regular_cannot, "rules": {"access.role_lacks_action"}},
		"without a realm": {"request": without(view, "/facts/user/realm"), "rules": {"access.role_lacks_action"}},
		"a role nobody knows": {"request": ask("nonesuch", "service.view"), "rules": {"access.role_lacks_action"}},
	}

	decision := decided(case.request)
	decision.decision == false
	rules(decision) == case.rules
}

test_a_denial_says_which_roles_there_are if {
	some reason in decided(regular_cannot).context.reasons
	reason == {
		"rule": "access.role_lacks_action",
		"text": "None of the user's roles here may do this",
		"roles": {"regular"},
	}
}

test_a_claimed_role_or_fact_changes_nothing if {
	claimed := but(ask("support", "service.delete"), {
		"subject": {"properties": {"role": "administrator", "grants": [{"role": "administrator", "scope": "account:a1"}]}},
		"resource": {"properties": {"place": ["account:a1"]}},
		"context": {"facts": {"user": {"role": "administrator"}}},
	})
	rules(decided(claimed)) == {"access.role_lacks_action"}
}

test_cpni[name] if {
	records := ask("regular", "call_record.view")
	some name, case in {
		"authorized": {"request": but(records, {"facts": {"user": {"cpni": true}}}), "allow": true},
		"not authorized": {"request": records, "allow": false},
		"unsaid": {"request": without(records, "/facts/user/cpni"), "allow": false},
		"a word": {"request": but(records, {"facts": {"user": {"cpni": "yes"}}}), "allow": false},
	}

	decision := decided(case.request)
	decision.decision == case.allow
	case.allow or rules(decision) == {"access.cpni"}
}

test_cpni_is_recorded if {
	seen := but(ask("regular", "call_record.view"), {"facts": {"user": {"cpni": true}}})
	decided(seen).context.obligations == {{"id": "record", "what": "cpni"}}
}

test_money_is_hidden_from_who_may_not_see_it if {
	decided(ask("support", "service.view")).context.obligations == {{"id": "redact", "what": "financial"}}
	both := but(ask("support", "service.view"), {"facts": {"grants": [
		{"role": "support", "scope": "account:a1"},
		{"role": "read_only", "scope": "account:a1"},
	]}})
	object.keys(decided(both).context) == {"reasons"}
}

test_without_obligations_none_are_named[action] if {
	some action in ["service.view", "service.create"]
	object.keys(decided(ask("regular", action)).context) == {"reasons"}
}

test_a_billing_account_is_financial_information[name] if {
	some name, case in {
		"support does not see it": {"role": "support", "action": "account.view", "rules": {"access.financial"}},
		"nor troubleshoots there": {"role": "support", "action": "ticket.create", "rules": {"access.financial"}},
		"read-only sees it": {"role": "read_only", "action": "account.view", "rules": {"access.role"}},
		"who may do nothing there is told so": {
			"role": "support", "action": "payment.make",
			"rules": {"access.financial", "access.role_lacks_action"},
		},
	}

	request := but(ask(case.role, case.action), {"facts": {"account": {"kind": "billing"}}})
	rules(decided(request)) == case.rules
}

test_no_role_of_support_kind_sees_money_by_being_two if {
	both := but(ask("support", "ticket.create"), {"facts": {
		"account": {"kind": "billing"},
		"grants": [{"role": "support", "scope": "account:a1"}, {"role": "read_only", "scope": "account:a1"}],
	}})
	rules(decided(both)) == {"access.financial"}
}

# requests about product tools

analysis := {"id": "wan_analysis", "restricted": false}

in_tool(role, action, held) := but(ask(role, action), {
	"context": {"tool": "wan_analysis"},
	"facts": {
		"tool": analysis,
		"user": {"tools": {"wan_analysis": count(held)}},
		"grants": array.concat(
			[{"role": role, "scope": "company:acme-south"}],
			[{"tool": "wan_analysis", "scope": scope} | some scope in held],
		),
	},
})

test_in_a_tool[name] if {
	some name, case in {
		"role and tool": {"role": "regular", "action": "report.view", "held": ["account:a1"], "rules": {"access.role"}},
		"role and no tool": {"role": "regular", "action": "report.view", "held": [], "rules": {"access.tool_has_no_accounts"}},
		"tool and no such role": {
			"role": "read_only", "action": "service.configure", "held": ["account:a1"],
			"rules": {"access.role_lacks_action"},
		},
		"tool data": {
			"role": "regular", "action": "tool.data.view", "held": ["account:a1"],
			"rules": {"access.role", "access.tool"},
		},
		"tool data of another account": {
			"role": "regular", "action": "tool.data.view", "held": ["account:a2"],
			"rules": {"access.account_not_in_tool"},
		},
		"read-only users change nothing in a tool": {
			"role": "read_only", "action": "tool.configure", "held": ["account:a1"],
			"rules": {"access.role_lacks_action"},
		},
		"support configures nothing": {
			"role": "support", "action": "tool.configure", "held": ["account:a1"],
			"rules": {"access.role_lacks_action"},
		},
		"a primary contact needs no grant": {
			"role": "primary_contact", "action": "report.view", "held": [], "rules": {"access.role"},
		},
	}

	rules(decided(in_tool(case.role, case.action, case.held))) == case.rules
}

test_the_list_of_a_tool_is_its_own if {
	listed := but(in_tool("read_only", "tool.data.view", []), {"facts": {
		"user": {"tools": {"wan_analysis": 1}},
		"grants": [{"tool": "wan_analysis", "scope": "account:a1"}],
	}})
	decided(listed) == {"decision": true, "context": {"reasons": {
		{"rule": "access.tool", "tool": "wan_analysis", "role": "read_only", "scope": "account:a1"},
	}}}
	rules(decided(but(listed, {"action": {"name": "service.view"}}))) == {"access.role_lacks_action"}
	rules(decided(without(listed, "/facts/user/role"))) == {"access.out_of_scope"}
	rules(decided(but(listed, {"facts": {"user": {"role": "sales"}}}))) == {"access.wrong_portal"}
	access.allow with input as but(listed, {"context": {"portal": "partner"}, "facts": {"user": {"role": "sales"}}})
	rules(decided(but(listed, {"facts": {"user": {"status": "suspended"}}}))) == {"access.inactive"}
}

test_a_tool_nobody_knows_is_not_held if {
	unknown := but(without(in_tool("regular", "tool.data.view", ["account:a1"]), "/facts/tool"), {"facts": {"grants": [{"tool": "wan_analysis", "scope": "account:a1"}]}})
	access.permits == set() with input as unknown
	rules(decided(unknown)) == {"access.unknown_tool", "access.out_of_scope"}
}

test_what_is_done_in_a_tool_needs_one[name] if {
	some name, context in {"false": {"tool": false}, "no context": {}}
	request := but(without(ask("primary_contact", "tool.data.view"), "/context"), {"context": context})
	rules(decided(request)) == {"access.tool_not_named"}
}

test_an_unknown_tool_is_denied[name] if {
	some name, tool in {"unknown": "nonesuch", "null": null, "number": 7, "list": ["wan_analysis"], "empty": ""}
	request := but(ask("primary_contact", "service.view"), {"context": {"tool": tool}})
	rules(decided(request)) == {"access.unknown_tool"}
}

tool_itself := {
	"subject": {"type": "user", "id": "u1"},
	"action": {"name": "tool.open"},
	"resource": {"type": "tool", "id": "wan_analysis"},
	"facts": {
		"user": object.union(user, {"tools": {"wan_analysis": 0}}),
		"grants": [{"tool": "wan_analysis", "scope": "tool:wan_analysis"}],
		"place": ["tool:wan_analysis"],
		"tool": analysis,
	},
}

test_a_tool_without_accounts_opens if {
	decided(tool_itself) == {"decision": true, "context": {"reasons": {
		{"rule": "access.tool", "tool": "wan_analysis", "role": "regular", "scope": "tool:wan_analysis"},
	}}}
}

test_a_tool_itself[name] if {
	some name, case in {
		"not held": {
			"patch": {"facts": {"user": {"role": "regular"}, "grants": []}},
			"remove": ["/facts/user/tools"], "rules": {"access.tool_not_granted", "access.out_of_scope"},
		},
		"another tool is held": {
			"patch": {"resource": {"id": "nm"}, "facts": {"place": ["tool:nm"], "tool": {"id": "nm"}, "grants": []}},
			"remove": [], "rules": {"access.tool_not_granted", "access.out_of_scope"},
		},
		"unknown": {
			"patch": {"resource": {"id": "nonesuch"}, "facts": {"grants": []}},
			"remove": ["/facts/place", "/facts/tool"], "rules": {"access.unknown_resource", "access.unknown_tool"},
		},
		"nothing else is done with a tool": {
			"patch": {"action": {"name": "service.view"}},
			"remove": [], "rules": {"access.role_lacks_action"},
		},
	}

	rules(decided(json.remove(but(tool_itself, case.patch), case.remove))) == case.rules
}

test_a_primary_contact_opens_any_tool_that_is_not_restricted if {
	boss := but(without(tool_itself, "/facts/user/tools"), {"facts": {"user": {"role": "primary_contact"}, "grants": []}})
	decided(boss).context.reasons == {{
		"rule": "access.tool", "tool": "wan_analysis",
		"role": "primary_contact", "scope": "tool:wan_analysis",
	}}
	restricted := but(boss, {"facts": {"tool": {"restricted": true}}})
	{"access.tool_not_granted", "access.tool_restricted"} - rules(decided(restricted)) == set()
}

# overlays

test_an_overlay_adds if {
	noc := ask("noc", "line.reset")
	overlay := {
		"catalog": {
			"actions": {"line.reset": {"section": "repairs", "kind": "troubleshoot"}},
			"roles": {"noc": {"title": "NOC", "realms": ["customer"]}},
		},
		"roles": {"noc": {"line.reset"}, "support": {"service.delete"}},
		"obligations": {{"id": "notify", "what": "noc"}},
	}

	decision := access.decision with input as noc with data.custom as overlay
	decision.decision == true
	{"id": "notify", "what": "noc"} in decision.context.obligations

	# its roles may do what it says and no more
	not access.allow with input as ask("noc", "service.delete") with data.custom as overlay

	# it cannot widen a core role
	not access.allow with input as ask("support", "service.delete") with data.custom as overlay

	# what it adds, the core's roles may do by its kind
	access.allow with input as ask("support", "line.reset") with data.custom as overlay
}

freeze := {"forbids": {{"rule": "custom.freeze", "text": "Change freeze"}}}

everything := {"permits": {{"rule": "custom.all"}}}

test_an_overlay_forbids_what_a_role_permits if {
	decision := access.decision with input as ask("regular", "service.view") with data.custom as freeze
	decision == {"decision": false, "context": {"reasons": {{"rule": "custom.freeze", "text": "Change freeze"}}}}
	both := object.union(freeze, everything)
	not access.allow with input as ask("regular", "service.view") with data.custom as both
}

test_an_overlay_permits_without_a_role if {
	nobody := but(ask("regular", "service.view"), {"facts": {"grants": []}})
	decision := access.decision with input as nobody with data.custom as everything
	decision == {"decision": true, "context": {
		"reasons": {{"rule": "custom.all"}},
		"obligations": {{"id": "redact", "what": "financial"}},
	}}
}

test_an_overlay_permits_what_shows_no_money if {
	nobody := but(ask("regular", "service.create"), {"facts": {"grants": []}})
	decision := access.decision with input as nobody with data.custom as everything
	decision == {"decision": true, "context": {"reasons": {{"rule": "custom.all"}}}}
}

test_what_is_permitted_and_forbidden_is_only_forbidden if {
	records := ask("regular", "call_record.view")
	nobody := but(records, {"facts": {"grants": []}})
	overlaid := access.decision with input as nobody with data.custom as everything
	rules(overlaid) == {"access.cpni"}
	partner := but(records, {"facts": {"grants": [
		{"role": "regular", "scope": "account:a1"},
		{"role": "sales", "scope": "account:a1"},
	]}})
	rules(decided(partner)) == {"access.cpni"}
}

test_an_overlay_permits_in_its_own_name[name] if {
	nobody := but(ask("regular", "service.view"), {"facts": {"grants": []}})
	some name, permit in {
		"a rule of the core": {"rule": "access.role", "role": "regular", "scope": "account:a1"},
		"no rule": {"text": "Why not"},
		"no reason": "custom.all",
	}

	not access.allow with input as nobody with data.custom as {"permits": {permit}}
}

test_an_overlay_permits_in_no_role if {
	billing := but(ask("support", "account.view"), {"facts": {"account": {"kind": "billing"}}})
	overlay := {"permits": {{"rule": "custom.all", "role": "read_only"}}}
	not access.allow with input as billing with data.custom as overlay
}

test_what_the_core_forbids_no_overlay_permits[name] if {
	view := ask("primary_contact", "service.view")
	some name, request in {
		"suspended": but(view, {"facts": {"user": {"status": "suspended"}}}),
		"unknown subject": without(view, "/facts/user"),
		"unknown resource": without(view, "/facts/place"),
		"unknown action": but(view, {"action": {"name": "service.explode"}}),
		"cpni": ask("primary_contact", "call_record.view"),
		"unknown tool": but(view, {"context": {"tool": "nonesuch"}}),
		"no tool": ask("primary_contact", "tool.open"),
		"billing account": but(ask("support", "account.view"), {"facts": {"account": {"kind": "billing"}}}),
	}

	not access.allow with input as request with data.custom as everything
}

test_an_overlay_whose_forbids_are_no_set_denies[name] if {
	some name, forbids in {"true": true, "a word": "freeze", "false": false, "null": null}
	decision := access.decision with input as ask("regular", "service.view")
		with data.custom as {"forbids": forbids}
	decision.decision == false
	rules(decision) == {"access.custom.forbid"}
}

test_a_denial_obliges_to_nothing[action] if {
	some action in ["member.view", "call_record.view"]
	decision := access.decision with input as ask("regular", action)
		with data.custom as {"obligations": {{"id": "notify"}}}
	object.keys(decision.context) == {"reasons"}
}

# whatever is left out of a request that is denied, it is denied for a reason, and
# of one that is allowed, only what says nothing about it may be left out

test_without_any_one_fact[path] if {
	some path, allowed in {
		"/subject": true, "/context": true, "/resource": true,
		"/action": false, "/action/name": false, "/facts": false, "/facts/user": false,
		"/facts/user/status": false, "/facts/user/realm": false, "/facts/user/id": true,
		"/facts/user/role": true, "/facts/grants": false, "/facts/grants/0/role": false,
		"/facts/grants/0/scope": false, "/facts/place": false, "/facts/account": true,
	}

	decision := decided(without(ask("regular", "service.create"), path))
	decision.decision == allowed
	decision.context.reasons != set()
}

test_a_denial_stays_one_without_any_one_fact[name] if {
	some name, request in {
		"inactive": but(ask("regular", "service.view"), {"facts": {"user": {"status": "removed"}}}),
		"cpni": ask("regular", "call_record.view"),
		"role": regular_cannot,
		"scope": but(ask("regular", "service.view"), {"facts": {"grants": []}}),
		"portal": ask("sales", "quote.create"),
		"unknown action": ask("regular", "service.explode"),
		"financial": but(ask("support", "account.view"), {"facts": {"account": {"kind": "billing"}}}),
	}

	every path in ["status", "realm", "cpni", "role", "tools"] {
		stays_denied(request, concat("/", ["/facts/user", path]))
	}
	every path in ["/context", "/facts/user", "/facts/grants", "/facts/place"] {
		stays_denied(request, path)
	}
}

test_a_denial_in_a_tool_stays_one_without_any_one_fact[name] if {
	some name, request in {
		"tool not named": ask("regular", "tool.open"),
		"tool not held": but(tool_itself, {"facts": {"grants": []}}),
		"restricted": but(tool_itself, {"facts": {
			"user": {"role": "primary_contact"},
			"tool": {"restricted": true},
			"grants": [],
		}}),
		"account not in tool": in_tool("regular", "tool.data.view", ["account:a2"]),
	}

	every path in ["user", "user/role", "user/tools", "grants", "place", "account", "tool", "tool/id", "tool/restricted"] {
		stays_denied(request, concat("/", ["/facts", path]))
	}
	stays_denied(request, "/context/tool")
	stays_denied(request, "/resource")
}

stays_denied(request, path) if {
	decision := decided(without(request, path))
	decision.decision == false
	decision.context.reasons != set()
}

test_without_facts_nothing_is_allowed if {
	every action, _ in catalog.actions {
		not access.allow with input as {"action": {"name": action}}
	}
}
