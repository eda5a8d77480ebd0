package postern.manage_test

import rego.v2

import data.postern.manage

reach := {
	"account:a1": ["account:a1", "account_group:east", "company:acme-south", "organization:acme", "realm:customer"],
	"account:a2": ["account:a2", "company:acme-south", "organization:acme", "realm:customer"],
	"company:acme-south": ["company:acme-south", "organization:acme", "realm:customer"],
	"organization:acme": ["organization:acme", "realm:customer"],
	"realm:customer": ["realm:customer"],
	"organization:carrier": ["organization:carrier", "realm:operator"],
	"company:beta": ["company:beta", "organization:beta", "realm:customer"],
}

over(what, scope) := object.union(what, {"scope": scope, "reach": reach[scope]})

tool(name, scope) := over({"tool": name, "restricted": false}, scope)

restricted(scope) := over({"tool": "dynamic_network_manager", "restricted": true}, scope)

regular := over({"role": "regular"}, "account:a1")

customer := {
	"id": "u1", "kind": "personal", "status": "active", "realm": "customer",
	"organization": "acme", "role": "regular", "cpni": false, "tools": {},
}

held(scope, given) := [object.union(grant, {"scope": scope}) | some grant in given]

primary := {"user": object.union(customer, {"role": "primary_contact"}), "grants": held("organization:acme", [{"role": "primary_contact"}])}

# an Administrator of one account, with one tool there
local := {
	"user": object.union(customer, {"role": "administrator", "tools": {"wan_analysis": 1}}),
	"grants": held("account:a1", [{"role": "administrator"}, {"tool": "wan_analysis"}]),
}

# of the operator, but on the customer's account team
team := {
	"user": object.union(customer, {"role": "administrator", "realm": "operator"}),
	"grants": held("company:acme-south", [{"role": "administrator"}]),
}

staff := {
	"user": {
		"id": "o1", "kind": "personal", "status": "active", "realm": "operator",
		"organization": "carrier", "role": "operator",
	},
	"grants": held("realm:customer", [{"role": "operator"}]),
}

# a credential that acts by itself
machine(role, scopes) := {
	"user": {"id": "credential:k1", "kind": "credential", "status": "active", "realm": "operator", "cpni": false},
	"grants": [{"role": role, "scope": scope} | some scope in scopes],
}

everywhere := ["realm:customer", "realm:operator"]

colleague := {
	"id": "u2", "kind": "personal", "realm": "customer", "role": "read_only",
	"reach": reach["organization:acme"], "grants": [],
}

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

	allowed(ask(case.actor, "member.account.grant", colleague, [case.change]))
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
			"change": regular, "rules": {"manage.powerless", "manage.beyond", "manage.outranked"},
		},
		"nobody else gives": {
			"actor": {"user": customer, "grants": held("company:acme-south", [{"role": "regular"}])},
			"change": regular, "rules": {"manage.powerless", "manage.beyond", "manage.outranked"},
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

	refused(ask(case.actor, "member.account.grant", colleague, [case.change])) == case.rules
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
whole := {"member.delete", "member.update", "invitation.resend"}

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

test_a_part_of_a_member_is_for_those_above_it[action] if {
	some action, change in {
		"member.tool.grant": tool("wan_analysis", "account:a1"),
		"member.tool.revoke": tool("wan_analysis", "account:a1"),
		"member.account.grant": regular,
		"member.account.revoke": regular,
		"member.cpni.authorize": {"cpni": false},
	}
	refused(ask(local, action, but(colleague, {"role": "administrator"}), [change])) == {"manage.outranked"}
	allowed(ask(primary, action, but(colleague, {"role": "administrator"}), [change]))
	refused(ask(primary, action, but(colleague, {"role": "primary_contact"}), [change])) == {"manage.primary_contact"}
	allowed(ask(staff, action, but(colleague, {"role": "primary_contact"}), [change]))
	refused(json.remove(ask(local, action, colleague, [change]), ["/facts/target/role"])) == {"manage.outranked"}
	allowed(ask(local, action, colleague, [change]))
}

test_granting_needs_only_what_is_granted if {
	two := but(colleague, {"grants": [over({"role": "regular"}, "account:a2")]})
	allowed(ask(local, "member.account.grant", two, [regular]))
}

test_a_new_role_counts_wherever_the_old_one_did if {
	mixed := {"user": local.user, "grants": array.concat(
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
		looker := but(colleague, {"role": "look"})
		request := ask(desk, "member.account.grant", looker, [over({"role": role}, "account:a1")])
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

group := {"id": "g1", "realm": "customer", "kind": "service_group", "reach": reach["company:acme-south"]}

test_account_groups[action] if {
	some action in ["account_group.create", "account_group.update", "account_group.delete"]
	allowed(ask(primary, action, group, []))
	allowed(ask(team, action, group, []))
	refused(ask(local, action, group, [])) == {"manage.account_group"}
	refused(ask(primary, action, but(group, {"kind": "emedia_configuration"}), [])) == {"manage.operator_group"}
	allowed(ask(staff, action, but(group, {"kind": "emedia_configuration"}), []))
	refused(json.remove(ask(primary, action, group, []), ["/facts/target/kind"])) == {"manage.operator_group"}
}

# what comes into a group is given to everybody who holds it
filling(actor, role) := ask(actor, "account_group.update", group, [over({"role": role}, "account:a2")])

test_filling_a_group_gives_to_its_holders if {
	allowed(filling(primary, "administrator"))
	allowed(filling(team, "regular"))
	refused(filling(team, "administrator")) == {"manage.beyond"}
	refused(filling(local, "regular")) == {"manage.account_group", "manage.beyond"}
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
			"rules": {"manage.unknown_subject", "manage.powerless"},
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
	decision := manage.decision with input as ask(primary, "member.invite", colleague, [regular]) with data.custom as overlay
	decision == {"decision": false, "context": {"reasons": {{"rule": "custom.freeze", "text": "No invitations today"}}}}
}

test_a_mistaken_overlay_forbids if {
	overlay := {"management": {"forbids": true}}
	decision := manage.decision with input as ask(primary, "member.invite", colleague, [regular]) with data.custom as overlay
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

test_for_oneself[action] if {
	some action in ["self.view", "self.update"]
	anybody := {"user": customer, "grants": []}
	myself := but(colleague, {"id": "u1"})
	every actor in [anybody, json.remove(anybody, ["/grants"]), but(anybody, {"user": {"kind": "group"}})] {
		decided(ask(actor, action, myself, [])) == {"decision": true, "context": {"reasons": {{"rule": "manage.self"}}}}
	}
	nowhere := json.remove(ask(anybody, action, myself, []), ["/facts/target/reach"])
	rules(decided(nowhere)) == {"manage.self"}
	refused(ask(but(anybody, {"user": {"status": "suspended"}}), action, myself, [])) == {"manage.inactive"}
}

test_not_for_another[name] if {
	update := ask(primary, "self.update", colleague, [])
	others := {"manage.not_self", "manage.powerless"}
	some name, case in {
		"a colleague": {"request": update, "rules": others},
		"the operator": {"request": ask(staff, "self.update", colleague, []), "rules": others},
		"a key of the operator": {
			"request": ask(machine("operator", everywhere), "self.update", colleague, []),
			"rules": others,
		},
		"a shared identity": {
			"request": but(update, {"facts": {"user": {"kind": "group"}}}),
			"rules": (others | {"manage.shared_identity"}),
		},
		"nobody in particular": {"request": json.remove(update, ["/facts/target/id"]), "rules": others},
		"for nobody in particular": {
			"request": json.remove(update, ["/facts/target/id", "/facts/user/id"]),
			"rules": others,
		},
	}

	refused(case.request) == case.rules
}

test_what_is_for_oneself_is_nothing_else if {
	refused(ask({"user": customer, "grants": []}, "member.update", but(colleague, {"id": "u1"}), [])) == {
		"manage.own_access", "manage.powerless", "manage.outranked",
	}
}

test_a_shared_identity_manages_nobody[name] if {
	view := ask(primary, "member.view", colleague, [])
	some name, request in {
		"of kind group": but(view, {"facts": {"user": {"kind": "group"}}}),
		"of no kind": json.remove(view, ["/facts/user/kind"]),
		"of another kind": but(view, {"facts": {"user": {"kind": "robot"}}}),
	}

	refused(request) == {"manage.shared_identity"}
}

test_a_shared_identity_gets_no_role_that_manages[name] if {
	some name, case in {
		"administrator": {"role": "administrator", "kind": "group", "rules": {"manage.shared_role"}},
		"primary contact": {"role": "primary_contact", "kind": "group", "rules": {"manage.shared_role"}},
		"administrator, of no kind": {"role": "administrator", "kind": null, "rules": {"manage.shared_role"}},
		"regular": {"role": "regular", "kind": "group", "rules": {"manage.role"}},
		"administrator, of one person": {"role": "administrator", "kind": "personal", "rules": {"manage.role"}},
	}

	target := but(colleague, {"kind": case.kind})
	request := ask(staff, "member.role.assign", target, [over({"role": case.role}, "organization:acme")])
	rules(decided(request)) == case.rules
	case.kind != null or rules(decided(json.remove(request, ["/facts/target/kind"]))) == case.rules
}

test_a_shared_identity_loses_the_role_it_should_not_have if {
	shared := but(colleague, {"kind": "group", "role": "administrator", "grants": [over({"role": "administrator"}, "account:a1")]})
	allowed(ask(primary, "member.delete", shared, []))
	allowed(ask(primary, "member.role.assign", shared, [{"role": "regular"}]))
}

organization := {"id": "acme", "realm": "customer", "reach": reach["organization:acme"]}

test_what_is_about_a_whole_organization[action] if {
	some action in ["organization.view", "audit.view", "webhook.view", "webhook.update"]
	every actor in [primary, staff, machine("operator", everywhere), machine("operator", ["organization:acme"])] {
		allowed(ask(actor, action, organization, []))
	}
	every actor in [local, but(local, {"grants": held("company:acme-south", [{"role": "administrator"}])})] {
		refused(ask(actor, action, organization, [])) == {"manage.wide"}
	}
	refused(json.remove(ask(primary, action, organization, []), ["/facts/target/reach"])) == {"manage.out_of_reach", "manage.wide"}
}

test_administrators_see_the_directory_they_work_in[action] if {
	some action in ["member.check", "company.view", "account_group.view", "tool.view", "role.view"]
	allowed(ask(local, action, organization, []))
}

test_only_the_operator[action] if {
	some action in [
		"organization.create", "organization.update", "tool.update", "role.update",
		"service_token.view", "service_token.create", "service_token.revoke",
	]
	refused(ask(primary, action, organization, [])) == {"manage.powerless"}
	refused(ask(machine("sync", everywhere), action, organization, [])) == {"manage.powerless"}
	allowed(ask(staff, action, organization, []))
	allowed(ask(machine("operator", everywhere), action, organization, []))
}

home := {
	"id": "carrier", "kind": "personal", "role": "regular",
	"realm": "operator", "reach": reach["organization:carrier"], "grants": [],
}

test_the_operators_own_organization_is_for_its_keys[action] if {
	some action in ["member.view", "member.check", "member.update", "member.delete", "organization.update", "service_token.create"]
	"manage.out_of_reach" in refused(ask(staff, action, home, []))
	"manage.out_of_reach" in refused(json.remove(ask(staff, action, home, []), ["/facts/target/realm"]))
	allowed(ask(machine("operator", everywhere), action, home, []))
	"manage.out_of_reach" in refused(ask(machine("operator", ["realm:customer"]), action, home, []))
}

test_more_elsewhere_is_no_more_here[name] if {
	invite := ask(primary, "member.invite", colleague, [{"role": "read_only"}])
	elsewhere := but(invite, {"facts": {"grants": held("organization:beta", [{"role": "primary_contact"}])}})
	some name, case in {
		"a regular user": {
			"request": but(elsewhere, {"facts": {"user": {"role": "regular"}}}),
			"rules": {"manage.out_of_reach", "manage.beyond"},
		},
		"a user of no role": {
			"request": json.remove(elsewhere, ["/facts/user/role"]),
			"rules": {"manage.out_of_reach", "manage.beyond"},
		},
		"an administrator": {
			"request": but(elsewhere, {"facts": {
				"user": {"role": "administrator"}, "changes": [{"role": "administrator"}],
				"grants": array.concat(
					held("organization:beta", [{"role": "primary_contact"}]),
					held("account:a1", [{"role": "administrator"}]),
				),
			}}),
			"rules": {"manage.beyond"},
		},
	}

	refused(case.request) == case.rules
}

test_the_operator_elsewhere_is_none_here if {
	bound := machine("operator", ["organization:beta"])
	refused(ask(bound, "member.tool.grant", colleague, [restricted("account:a1")])) == {
		"manage.out_of_reach", "manage.beyond", "manage.tool_restricted", "manage.outranked",
	}
	refused(ask(bound, "member.delete", colleague, [])) == {"manage.out_of_reach", "manage.outranked"}
}

company := {"id": "acme-south", "realm": "customer", "reach": reach["company:acme-south"]}

does(role, scopes, action, target) := rules(decided(ask(machine(role, scopes), action, target, [])))

test_sync_keeps_the_directory[action] if {
	some action in ["company.view", "company.update", "company.delete", "account.update", "account.delete"]
	does("sync", everywhere, action, company) == {"manage.machine"}
	does("sync", ["organization:acme"], action, company) == {"manage.machine"}
	does("sync", ["organization:beta"], action, company) == {"manage.out_of_reach"}
	does("identity", everywhere, action, company) == {"manage.powerless"}
	allowed(ask(staff, action, company, []))
	action == "company.view" or refused(ask(primary, action, company, [])) == {"manage.powerless"}
}

test_sync_keeps_account_groups_of_every_kind[action] if {
	some action in ["account_group.create", "account_group.update", "account_group.delete"]
	foreign := but(group, {"kind": "emedia_configuration"})
	does("sync", everywhere, action, foreign) == {"manage.machine"}
	does("sync", ["organization:beta"], action, foreign) == {"manage.out_of_reach", "manage.account_group", "manage.operator_group"}
}

test_replicate_follows_the_directory if {
	does("replicate", everywhere, "directory.follow", home) == {"manage.machine"}
	does("replicate", ["organization:acme"], "directory.follow", home) == {"manage.out_of_reach"}
	does("replicate", everywhere, "member.view", colleague) == {"manage.powerless"}
	does("sync", everywhere, "directory.follow", home) == {"manage.powerless"}
	"manage.out_of_reach" in refused(ask(staff, "directory.follow", home, []))
}

test_identity_reports if {
	does("identity", everywhere, "member.mfa.report", colleague) == {"manage.machine"}
	does("identity", ["organization:acme"], "credential.verify", colleague) == {"manage.machine"}
	does("operator", everywhere, "member.mfa.report", colleague) == {"manage.powerless"}
	does("identity", everywhere, "member.view", colleague) == {"manage.powerless"}
	does("sync", everywhere, "member.view", colleague) == {"manage.powerless"}
}

test_no_user_is_a_machine[kind] if {
	some kind in ["personal", "group"]
	request := ask(machine("sync", everywhere), "company.update", company, [])
	refused(but(request, {"facts": {"user": {"kind": kind}}})) & {"manage.powerless"} != set()
	refused(json.remove(request, ["/facts/user/kind"])) == {"manage.powerless", "manage.shared_identity"}
}

test_nobody_makes_a_machine[role] if {
	some role in ["sync", "identity", "replicate"]
	every actor in [primary, staff, machine("operator", everywhere)] {
		"manage.wrong_realm" in refused(ask(actor, "member.role.assign", colleague, [{"role": role}]))
		"manage.wrong_realm" in refused(ask(actor, "member.role.assign", home, [{"role": role}]))
	}
}

successor := [over({"role": "primary_contact"}, "organization:acme")]

hand_over(actor) := but(ask(actor, "member.transfer", colleague, successor), {"facts": {"settings": {"primary_contacts_appoint": true}}})

test_handing_over[name] if {
	some name, case in {
		"by the Primary Contact": {"request": hand_over(primary), "rules": {"manage.role"}},
		"by the operator, whatever is set": {"request": ask(staff, "member.transfer", colleague, successor), "rules": {"manage.role"}},
		"without saying what": {
			"request": ask(primary, "member.transfer", colleague, []),
			"rules": {"manage.primary_contact"},
		},
		"where it is not set": {
			"request": ask(primary, "member.transfer", colleague, successor),
			"rules": {"manage.primary_contact"},
		},
		"where it is set to nothing": {
			"request": but(hand_over(primary), {"facts": {"settings": {"primary_contacts_appoint": "yes"}}}),
			"rules": {"manage.primary_contact"},
		},
		"by an administrator": {"request": hand_over(local), "rules": {"manage.primary_contact", "manage.beyond"}},
		"by an administrator of the whole": {
			"request": but(hand_over(local), {"facts": {
				"grants": held("organization:acme", [{"role": "administrator"}]),
				"settings": {"administrators_appoint": true},
			}}),
			"rules": {"manage.primary_contact"},
		},
		"by a Primary Contact of another organization": {
			"request": but(hand_over(primary), {"facts": {"grants": held("organization:beta", [{"role": "primary_contact"}])}}),
			"rules": {"manage.primary_contact", "manage.beyond"},
		},
		"to a shared identity": {
			"request": but(hand_over(primary), {"facts": {"target": {"kind": "group"}}}),
			"rules": {"manage.shared_role"},
		},
		"to a Primary Contact": {
			"request": but(hand_over(primary), {"facts": {"target": {"role": "primary_contact"}}}),
			"rules": {"manage.primary_contact"},
		},
		"to somebody without a role": {
			"request": json.remove(hand_over(primary), ["/facts/target/role"]),
			"rules": {"manage.outranked"},
		},
		"to oneself": {
			"request": but(hand_over(primary), {"facts": {"target": {"id": "u1"}}}),
			"rules": {"manage.own_access"},
		},
	}

	rules(decided(case.request)) == case.rules
}

test_a_primary_contact_is_made_in_no_other_way[action] if {
	some action in ["member.role.assign", "member.create", "member.invite", "invitation.update", "member.clone", "member.update"]
	request := but(hand_over(primary), {"action": {"name": action}})
	refused(request) == {"manage.primary_contact"}
}

test_a_pending_invitation_is_changed_as_a_whole if {
	pending := but(colleague, {"role": "regular", "grants": [regular]})
	allowed(ask(local, "invitation.update", pending, [regular]))
	refused(ask(local, "invitation.update", pending, [{"role": "administrator"}])) == {"manage.beyond"}
	wider := but(pending, {"grants": [over({"role": "regular"}, "account:a2")]})
	refused(ask(local, "invitation.update", wider, [])) == {"manage.beyond"}
}

test_only_the_operator_purges if {
	allowed(ask(staff, "member.purge", colleague, []))
	refused(ask(primary, "member.purge", colleague, [])) == {"manage.powerless", "manage.outranked"}
}

test_a_role_that_is_given_is_named[action] if {
	some action in ["member.create", "member.invite", "member.clone", "member.role.assign"]
	allowed(ask(primary, action, colleague, [{"role": "regular"}]))
	refused(ask(primary, action, colleague, [])) == {"manage.role_unsaid"}
	refused(ask(primary, action, colleague, [tool("wan_analysis", "account:a1"), {"cpni": false}])) == {"manage.role_unsaid"}
	refused(json.remove(ask(staff, action, colleague, []), ["/facts/changes"])) == {"manage.role_unsaid"}
}
