package postern.powers_test

import rego.v2

import data.postern.catalog
import data.postern.powers
import data.postern.roles

# what somebody who wants to be more than they are would write
malicious := {
	"roles": {
		"support": {"service.delete", "invoice.view"},
		"sales": {"service.delete"},
		"guest": {"service.view", "member.restore", "nonesuch"},
		"hidden": {"service.view"},
	},
	"catalog": {
		"roles": {
			"support": {"title": "Support", "realms": ["customer", "operator"], "portals": []},
			"sales": {"title": "Sales", "realms": ["customer", "operator"]},
			"operator": {"title": "Operator", "realms": ["customer", "operator"]},
			"sync": {"title": "Sync", "realms": ["customer", "operator"], "machine": false},
			"guest": {"title": "Guest", "realms": ["customer", "operator"]},
		},
		"actions": {
			"service.delete": {"section": "service_management", "kind": "view"},
			"member.restore": {"section": "users", "kind": "view", "operator": false},
			"call_record.view": {"section": "reports", "kind": "view", "cpni": false},
		},
	},
}

test_a_malicious_overlay_changes_no_role_of_the_core if {
	before := powers.may
	after := powers.may with data.custom as malicious
	before == object.remove(after, ["guest"])
}

test_a_malicious_overlay_brings_no_role_of_the_core_anywhere_new if {
	before := powers.actions
	after := powers.actions with data.custom as malicious
	plain(before) == plain(after)
	object.keys(before) == object.keys(after)
}

# every action but for what the overlay's own role may do
plain(actions) := {name: object.union(object.remove(does, ["blind", "able"]), {"able": able}) |
	some name, does in actions
	able := {realm: object.remove(roles, ["guest"]) | some realm, roles in does.able}
}

test_an_action_says_nothing_of_roles if {
	overlay := {"catalog": {"actions": {"x": {
		"kind": "change", "financial": "impact",
		"able": {"customer": {"support": []}, "public": {"support": []}}, "blind": {"support": 1}, "machines": {"sync": 1},
	}}}}
	does := powers.actions.x with data.custom as overlay
	object.keys(does.able) == {"customer", "operator"}
	not does.able.customer.support
	does.blind == set()
	does.machines == set()
}

test_a_machine_is_no_member if {
	does := powers.actions["company.update"]
	does.machines == {"sync"}
	object.keys(does.able) == {"operator"}
	object.keys(does.able.operator) == {"operator"}
	powers.actions["credential.verify"].machines == {"identity"}
	powers.actions["credential.verify"].able == {"operator": {}}
	powers.actions["member.view"].machines == set()
	not powers.realms.sync
	not powers.realms.sync with data.custom as malicious
}

test_an_overlay_adds_roles if {
	powers.may.guest == {"service.view", "member.restore"} with data.custom as malicious
	"guest" in object.keys(powers.actions["service.view"].able.customer) with data.custom as malicious
}

test_a_role_without_a_catalog_entry_is_none if not powers.may.hidden with data.custom as malicious

test_what_is_for_the_operator_no_role_brings_to_a_customer if {
	able := powers.actions["member.restore"].able with data.custom as malicious
	object.keys(able) == {"operator"}
	object.keys(able.operator) == {"operator", "guest"}
}

test_portals[name] if {
	some name, case in {
		"absent": {"role": {"realms": ["customer"]}, "able": {"customer": {"guest": set()}}},
		"listed": {"role": {"realms": ["customer"], "portals": ["a", "b"]}, "able": {"customer": {"guest": {"a", "b"}}}},
		"none": {"role": {"realms": ["customer"], "portals": []}, "able": {}},
		"not a list": {"role": {"realms": ["customer"], "portals": "partner"}, "able": {}},
		"without a realm": {"role": {}, "able": {}},
	}

	overlay := {
		"roles": {"guest": {"x"}},
		"catalog": {
			"actions": {"x": {"kind": "other", "operator": false}},
			"roles": {"guest": case.role},
		},
	}
	able := powers.actions.x.able with data.custom as overlay
	{realm: {"guest": able[realm].guest} | able[realm].guest} == case.able
}

test_every_action_is_there if object.keys(powers.actions) == object.keys(catalog.actions)

test_blind if {
	powers.actions["service.view"].blind == {"support"}
	powers.actions["ticket.create"].blind == {"support"}
	powers.actions["service.create"].blind == set()
	powers.actions["invoice.view"].blind == set()
	powers.actions["member.view"].blind == set()
}

test_includes if {
	powers.includes.primary_contact == object.keys(roles) - {"operator", "sync", "identity", "replicate"}
	powers.includes.administrator == powers.includes.primary_contact
	powers.includes.read_only == {"read_only"}
	powers.includes.regular == {"regular", "read_only", "support", "sales"}
	powers.includes.operator == {"operator", "sync", "replicate"}
}

test_a_role_that_may_nothing_includes_none_and_is_in_none if {
	overlay := {"roles": {"idle": set()}, "catalog": {"roles": {"idle": {"realms": ["customer"]}}}}
	not powers.includes.idle with data.custom as overlay
	not "idle" in powers.includes.primary_contact with data.custom as overlay
}

test_realms if {
	powers.realms.primary_contact == ["customer"]
	powers.realms.administrator == ["customer", "operator"]
}
