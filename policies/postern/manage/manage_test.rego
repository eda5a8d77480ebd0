package postern.manage_test

import rego.v2

import data.postern.manage

reach := {
	"account:a1": ["account:a1", "account_group:east", "company:acme-south", "organization:acme", "realm:customer"],
	"account:a2": ["account:a2", "company:acme-south", "organization:acme", "realm:customer"],
	"company:acme-south": ["company:acme-south", "organization:acme", "realm:customer"],
	"organization:acme": ["organization:acme", "realm:customer"],
	"realm:customer": ["realm:customer"],
	"company:beta": ["company:beta", "organization:beta", "realm:customer"],
}

over(what, scope) := object.union(what, {"scope": scope, "reach": reach[scope]})

tool(name, scope) := over({"tool": name, "restricted": false}, scope)

restricted(scope) := over({"tool": "dynamic_network_manager", "restricted": true}, scope)

regular := over({"role": "regular"}, "account:a1")

customer := {"id": "u1", "status": "active", "realm": "customer", "organization": "acme", "cpni": false, "tools": {}}

held(scope, given) := [object.union(grant, {"scope": scope}) | some grant in given]

primary := {"user": customer, "grants": held("organization:acme", [{"role": "primary_contact"}])}

# an Administrator of one account, with one tool there
local := {
	"user": object.union(customer, {"tools": {"wan_analysis": 1}}),
	"grants": held("account:a1", [{"role": "administrator"}, {"tool": "wan_analysis"}]),
}

# of the operator, but on the customer's account team
team := {
	"user": object.union(customer, {"realm": "operator"}),
	"grants": held("company:acme-south", [{"role": "administrator"}]),
}

staff := {
	"user": {"id": "o1", "status": "active", "realm": "operator", "organization": "carrier"},
	"grants": held("realm:customer", [{"role": "operator"}]),
}

colleague := {"id": "u2", "realm": "customer", "role": "read_only", "reach": reach["organization:acme"], "grants": []}

stranger := object.union(colleague, {"reach": reach["company:beta"]})

but(what, patch) := object.union(what, patch)

ask(actor, action, target, changes) := {
	"action": {"name": action},
	"context": {"portal": "enterprise"},
	"facts": object.union(actor, {"target": target, "changes": changes}),
}

rules(decision) := {reason.rule | some reason in decision.context.reasons}

decided(request) := decision if decision := manage.decision with input as request

allowed(request) if {
	decision := decided(request)
	decision.decision == true
	rules(decision) == {"manage.role"}
}

refused(request) := rules(decision) if {
	decision := decided(request)
	decision.decision == false
}

test_giving[name] if {
	some name, case in {
		"a primary contact gives a role in its organization": {"actor": primary, "change": regular},
		"a primary contact makes an administrator": {
			"actor": primary,
			"change": over({"role": "administrator"}, "company:acme-south"),
		},
		"a primary contact gives a tool that is not restricted": {
			"actor": primary,
			"change": tool("network_manager", "account:a2"),
		},
		"a primary contact gives a tool without accounts": {
			"actor": primary,
			"change": {"tool": "network_manager", "restricted": false},
		},
		"a primary contact gives a role that counts nowhere yet": {"actor": primary, "change": {"role": "regular"}},
		"an administrator gives what it holds": {"actor": local, "change": regular},
		"an administrator gives the tool it holds": {"actor": local, "change": tool("wan_analysis", "account:a1")},
		"an administrator gives the tool it holds without accounts": {
			"actor": local,
			"change": {"tool": "wan_analysis", "restricted": false},
		},
		"the account team administers its company": {"actor": team, "change": regular},
		"the operator makes a primary contact": {
			"actor": staff,
			"change": over({"role": "primary_contact"}, "organization:acme"),
		},
		"the operator grants a restricted tool": {"actor": staff, "change": restricted("account:a1")},
		"the operator authorizes": {"actor": staff, "change": {"cpni": true}},
		"who is authorized passes it on": {
			"actor": but(primary, {"user": {"cpni": true}}),
			"change": {"cpni": true},
		},
		"anybody may take the authorization away": {"actor": primary, "change": {"cpni": false}},
	}

	allowed(ask(case.actor, "member.create", colleague, [case.change]))
}

test_not_giving[name] if {
	some name, case in {
		"a primary contact makes no primary contact": {
			"actor": primary, "change": over({"role": "primary_contact"}, "organization:acme"),
			"rules": {"manage.primary_contact"},
		},
		"nor one without saying where": {
			"actor": primary, "change": {"role": "primary_contact"},
			"rules": {"manage.primary_contact"},
		},
		"a primary contact gives nothing elsewhere": {
			"actor": primary, "change": over({"role": "regular"}, "company:beta"),
			"rules": {"manage.beyond"},
		},
		"a primary contact gives no restricted tool": {
			"actor": primary, "change": restricted("account:a2"),
			"rules": {"manage.tool_restricted"},
		},
		"a tool that may be restricted counts as such": {
			"actor": primary, "change": over({"tool": "network_manager"}, "account:a2"),
			"rules": {"manage.tool_restricted"},
		},
		"a restricted tool is not passed on": {
			"actor": but(local, {"grants": array.concat(
				local.grants,
				held("account:a1", [{"tool": "dynamic_network_manager"}]),
			)}),
			"change": restricted("account:a1"), "rules": {"manage.tool_restricted"},
		},
		"a role smuggles in no tool": {
			"actor": primary, "change": over({"role": "read_only", "tool": "wan_analysis", "restricted": false}, "account:a2"),
			"rules": {"manage.beyond"},
		},
		"nor an authorization": {
			"actor": but(primary, {"user": {"cpni": true}}), "change": over({"role": "read_only", "cpni": true}, "account:a2"),
			"rules": {"manage.beyond"},
		},
		"not even the operator gives nothing at all": {
			"actor": staff, "change": over({}, "account:a2"),
			"rules": {"manage.beyond"},
		},
		"a scope that reaches nowhere": {
			"actor": primary, "change": {"role": "regular", "scope": "account:a1"},
			"rules": {"manage.beyond"},
		},
		"a tool is not given where the user has no power": {
			"actor": but(local, {"grants": array.concat(
				held("account:a1", [{"role": "administrator"}]),
				held("account:a2", [{"tool": "wan_analysis"}]),
			)}),
			"change": tool("wan_analysis", "account:a2"), "rules": {"manage.beyond"},
		},
		"a tool is not given where the user does not have it": {
			"actor": but(local, {"grants": array.concat(
				held("account:a1", [{"role": "administrator"}]),
				held("account:a2", [{"tool": "wan_analysis"}]),
			)}),
			"change": tool("wan_analysis", "account:a1"), "rules": {"manage.beyond"},
		},
		"an administrator gives no other tool": {
			"actor": local, "change": tool("network_manager", "account:a1"),
			"rules": {"manage.beyond"},
		},
		"nor another without accounts": {
			"actor": local, "change": {"tool": "network_manager", "restricted": false},
			"rules": {"manage.beyond"},
		},
		"an administrator gives no other account": {
			"actor": local, "change": over({"role": "regular"}, "account:a2"),
			"rules": {"manage.beyond"},
		},
		"an administrator gives no wider scope": {
			"actor": local, "change": over({"role": "regular"}, "company:acme-south"),
			"rules": {"manage.beyond"},
		},
		"an administrator appoints no administrator": {
			"actor": local, "change": over({"role": "administrator"}, "account:a1"),
			"rules": {"manage.beyond"},
		},
		"the account team makes no primary contact": {
			"actor": team, "change": over({"role": "primary_contact"}, "company:acme-south"),
			"rules": {"manage.beyond", "manage.primary_contact"},
		},
		"a role nobody knows is nobody's to give": {
			"actor": primary, "change": over({"role": "nonesuch"}, "account:a2"),
			"rules": {"manage.beyond", "manage.wrong_realm"},
		},
		"nor the operator's": {
			"actor": staff, "change": over({"role": "nonesuch"}, "account:a2"),
			"rules": {"manage.wrong_realm"},
		},
		"the operator's role is not for customers": {
			"actor": staff, "change": over({"role": "operator"}, "realm:customer"),
			"rules": {"manage.wrong_realm"},
		},
		"the operator's role is worth nothing to a customer": {
			"actor": {"user": customer, "grants": held("organization:acme", [{"role": "operator"}])},
			"change": regular, "rules": {"manage.powerless", "manage.beyond"},
		},
		"nobody else gives": {
			"actor": {"user": customer, "grants": held("company:acme-south", [{"role": "regular"}])},
			"change": regular, "rules": {"manage.powerless", "manage.beyond"},
		},
		"who is not authorized authorizes nobody": {
			"actor": primary, "change": {"cpni": true},
			"rules": {"manage.cpni"},
		},
		"in whatever words": {
			"actor": primary, "change": {"cpni": "yes"},
			"rules": {"manage.cpni"},
		},
	}

	refused(ask(case.actor, "member.create", colleague, [case.change])) == case.rules
}

test_an_administrator_appoints_administrators_where_that_is_set if {
	appointing := but(ask(local, "member.account.grant", colleague, [over({"role": "administrator"}, "account:a1")]), {"facts": {"settings": {"administrators_appoint": true}}})
	allowed(appointing)
	unset := but(appointing, {"facts": {"settings": {"administrators_appoint": "no"}}})
	refused(unset) == {"manage.beyond"}
	boss := but(appointing, {"facts": {"changes": [over({"role": "primary_contact"}, "account:a1")]}})
	refused(boss) == {"manage.primary_contact"}
}

test_an_action_without_changes_authorizes_too if {
	refused(ask(primary, "member.cpni.authorize", colleague, [])) == {"manage.cpni"}
	refused(json.remove(ask(primary, "member.cpni.authorize", colleague, []), ["/facts/changes"])) == {"manage.cpni"}
	allowed(ask(but(primary, {"user": {"cpni": true}}), "member.cpni.authorize", colleague, []))
	allowed(ask(primary, "member.cpni.authorize", colleague, [{"cpni": false}]))
	refused(json.remove(ask(primary, "member.cpni.authorize", colleague, []), ["/facts/user/cpni"])) == {"manage.cpni"}
}

test_taking_away[name] if {
	some name, case in {
		"a primary contact revokes a restricted tool": {
			"actor": primary, "action": "member.tool.revoke", "change": restricted("account:a1"),
			"rules": {"manage.role"},
		},
		"an administrator revokes the tool it holds": {
			"actor": local, "action": "member.tool.revoke", "change": tool("wan_analysis", "account:a1"),
			"rules": {"manage.role"},
		},
		"an administrator revokes no tool it does not hold": {
			"actor": local, "action": "member.tool.revoke", "change": tool("network_manager", "account:a1"),
			"rules": {"manage.beyond"},
		},
		"an administrator revokes an account it holds": {
			"actor": local, "action": "member.account.revoke", "change": regular,
			"rules": {"manage.role"},
		},
		"an administrator revokes no other account": {
			"actor": local, "action": "member.account.revoke", "change": over({"role": "regular"}, "account:a2"),
			"rules": {"manage.beyond"},
		},
		"nobody revokes a primary contact": {
			"actor": primary, "action": "member.account.revoke", "change": over({"role": "primary_contact"}, "organization:acme"),
			"rules": {"manage.primary_contact"},
		},
		"what is taken away may be of any realm": {
			"actor": staff, "action": "member.account.revoke", "change": over({"role": "operator"}, "account:a1"),
			"rules": {"manage.role"},
		},
	}

	rules(decided(ask(case.actor, case.action, colleague, [case.change]))) == case.rules
}

# one that takes away, one that gives, one about somebody who is no member yet
whole := {"member.delete", "member.clone", "invitation.resend"}

test_the_whole_member_needs_all_of_it[action] if {
	some action in whole
	one := but(colleague, {"role": "regular", "grants": [regular]})
	two := but(colleague, {"role": "regular", "grants": [regular, over({"role": "regular"}, "account:a2")]})
	refused(ask(local, action, two, [])) == {"manage.beyond"}
	allowed(ask(primary, action, two, []))
	allowed(ask(local, action, one, []))
}

test_the_whole_member_may_hold_a_restricted_tool[action] if {
	some action in whole
	favoured := but(colleague, {"grants": [restricted("account:a1")]})
	allowed(ask(primary, action, favoured, []))
	refused(ask(local, action, favoured, [])) == {"manage.beyond"}
}

test_a_whole_member_who_is_no_lower_is_out_of_hand[action] if {
	some action in whole
	peer := but(colleague, {"role": "administrator"})
	refused(ask(local, action, peer, [])) == {"manage.outranked"}
	allowed(ask(primary, action, peer, []))
	boss := but(colleague, {"role": "primary_contact"})
	refused(ask(primary, action, boss, [])) == {"manage.primary_contact"}
	refused(ask(local, action, boss, [])) == {"manage.primary_contact", "manage.outranked"}
	allowed(ask(staff, action, boss, []))
	refused(json.remove(ask(primary, action, colleague, []), ["/facts/target/role"])) == {"manage.outranked"}
}

test_granting_needs_only_what_is_granted if {
	two := but(colleague, {"grants": [over({"role": "regular"}, "account:a2")]})
	allowed(ask(local, "member.account.grant", two, [regular]))
}

test_a_new_role_counts_wherever_the_old_one_did if {
	mixed := {"user": customer, "grants": array.concat(
		held("account:a1", [{"role": "administrator"}]),
		held("account:a2", [{"role": "desk"}]),
	)}
	overlay := {
		"catalog": {"roles": {"desk": {"realms": ["customer"]}}},
		"roles": {"desk": {"member.role.assign", "service.view", "account.view"}, "look": {"service.view"}},
	}
	looking := object.union(overlay, {"catalog": {"roles": {"look": {"realms": ["customer"]}}}})
	here := but(colleague, {"role": "look", "grants": [over({"role": "look"}, "account:a1")]})
	there := but(colleague, {"role": "look", "grants": [over({"role": "look"}, "account:a2")]})
	manage.allow with input as ask(mixed, "member.role.assign", here, [{"role": "regular"}]) with data.custom as looking
	not manage.allow with input as ask(mixed, "member.role.assign", there, [{"role": "regular"}]) with data.custom as looking
	with_tool := but(here, {"grants": array.concat(here.grants, [tool("wan_analysis", "account:a1")])})
	holder := but(mixed, {"grants": array.concat(mixed.grants, held("account:a1", [{"tool": "wan_analysis"}]))})
	manage.allow with input as ask(holder, "member.role.assign", with_tool, [{"role": "regular"}]) with data.custom as looking
}

test_nobody_gives_more_than_they_may_do if {
	overlay := {
		"catalog": {"roles": {"desk": {"realms": ["customer"]}, "look": {"realms": ["customer"]}}},
		"roles": {"desk": {"member.account.grant", "service.view"}, "look": {"service.view"}},
	}
	desk := {"user": customer, "grants": held("organization:acme", [{"role": "desk"}])}
	given := {role |
		some role in ["desk", "look", "regular", "read_only", "support", "administrator", "primary_contact", "operator"]
		request := ask(desk, "member.account.grant", colleague, [over({"role": role}, "account:a1")])
		manage.allow with input as request with data.custom as overlay
	}
	given == {"look"}
}

test_only_the_operator_restores if {
	gone := but(colleague, {"role": "regular"})
	refused(ask(primary, "member.restore", gone, [])) == {"manage.powerless", "manage.outranked"}
	allowed(ask(staff, "member.restore", gone, []))
}

test_nobody_changes_their_own_access[action] if {
	some action in {"member.delete", "member.update", "member.account.grant", "access_request.decide"}
	self := but(colleague, {"id": "u1", "role": "regular"})
	"manage.own_access" in refused(ask(primary, action, self, []))
}

test_everybody_with_the_power_sees_themselves if {
	allowed(ask(primary, "member.view", but(colleague, {"id": "u1"}), []))
}

test_other_organizations if {
	refused(ask(primary, "member.view", stranger, [])) == {"manage.out_of_reach"}
	allowed(ask(staff, "member.view", stranger, []))
	guest := but(primary, {"user": {"organization": "beta"}})
	allowed(ask(guest, "member.view", colleague, []))
	homeless := json.remove(ask(primary, "member.view", stranger, []), ["/facts/user/organization"])
	refused(homeless) == {"manage.out_of_reach"}
	nowhere := json.remove(ask(staff, "member.view", stranger, []), ["/facts/target/reach"])
	refused(nowhere) == {"manage.out_of_reach"}
}

group := {"id": "g1", "kind": "service_group", "reach": reach["company:acme-south"]}

test_account_groups[action] if {
	some action in ["account_group.create", "account_group.update", "account_group.delete"]
	allowed(ask(primary, action, group, []))
	allowed(ask(team, action, group, []))
	refused(ask(local, action, group, [])) == {"manage.account_group"}
	refused(ask(primary, action, but(group, {"kind": "emedia_configuration"}), [])) == {"manage.operator_group"}
	allowed(ask(staff, action, but(group, {"kind": "emedia_configuration"}), []))
	refused(json.remove(ask(primary, action, group, []), ["/facts/target/kind"])) == {"manage.operator_group"}
}

test_account_groups_are_seen_by_more if {
	allowed(ask(local, "account_group.view", group, []))
	allowed(ask(primary, "account_group.view", but(group, {"kind": "emedia_configuration"}), []))
}

test_who_cannot_act_does_not_manage[name] if {
	view := ask(primary, "member.view", colleague, [])
	some name, case in {
		"suspended": {"request": but(view, {"facts": {"user": {"status": "suspended"}}}), "rules": {"manage.inactive"}},
		"without a status": {"request": json.remove(view, ["/facts/user/status"]), "rules": {"manage.inactive"}},
		"unknown": {
			"request": json.remove(view, ["/facts/user", "/facts/grants"]),
			"rules": {"manage.unknown_subject", "manage.powerless", "manage.out_of_reach"},
		},
		"unknown action": {
			"request": but(view, {"action": {"name": "member.explode"}}),
			"rules": {"manage.unknown_action"},
		},
		"without a realm": {"request": json.remove(view, ["/facts/user/realm"]), "rules": {"manage.powerless"}},
		"without grants": {"request": json.remove(view, ["/facts/grants"]), "rules": {"manage.powerless"}},
	}

	refused(case.request) == case.rules
}

test_a_role_bound_to_a_portal_manages_there if {
	overlay := {
		"catalog": {"roles": {"desk": {"realms": ["customer"], "portals": ["partner"]}}},
		"roles": {"desk": {"member.view"}},
	}
	desk := {"user": customer, "grants": held("organization:acme", [{"role": "desk"}])}
	view := ask(desk, "member.view", colleague, [])
	not manage.allow with input as view with data.custom as overlay
	not manage.allow with input as json.remove(view, ["/context"]) with data.custom as overlay
	manage.allow with input as but(view, {"context": {"portal": "partner"}}) with data.custom as overlay
}

test_a_role_for_a_portal_is_given_from_any if {
	allowed(ask(primary, "member.account.grant", colleague, [over({"role": "sales"}, "account:a1")]))
}

test_an_overlay_forbids if {
	overlay := {"management": {"forbids": {{"rule": "custom.freeze", "text": "No invitations today"}}}}
	decision := manage.decision with input as ask(primary, "member.invite", colleague, []) with data.custom as overlay
	decision == {"decision": false, "context": {"reasons": {{"rule": "custom.freeze", "text": "No invitations today"}}}}
}

test_a_mistaken_overlay_forbids if {
	overlay := {"management": {"forbids": true}}
	decision := manage.decision with input as ask(primary, "member.invite", colleague, []) with data.custom as overlay
	rules(decision) == {"manage.custom.forbid"}
}

test_a_refusal_says_what_was_beyond if {
	change := over({"role": "regular"}, "account:a2")
	some reason in decided(ask(local, "member.account.grant", colleague, [change])).context.reasons
	reason.change == change
}

test_an_allow_says_by_which_powers if {
	decided(ask(local, "member.account.grant", colleague, [regular])) == {"decision": true, "context": {"reasons": {
		{"rule": "manage.role", "role": "administrator", "scope": "account:a1"},
	}}}
}
