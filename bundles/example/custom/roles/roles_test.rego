package custom.roles_test

import rego.v2

import data.custom.roles
import data.postern.catalog
import data.postern.matrix

sections(role) := {catalog.actions[action].section | some action in roles[role]}

test_noc_repairs if {
	sections("noc") == {"repairs", "reports"}
	not "call_record.view" in roles.noc
	"line.reset" in roles.noc
}

test_the_auditor_only_looks if {
	{catalog.actions[action].kind | some action in roles.auditor} == {"view"}
	"invoice.view" in roles.auditor
}

test_the_treasurer_handles_bills if sections("treasurer") == {"billing"}

test_the_reseller_quotes_and_orders if sections("reseller") == {"quoting", "orders"}

test_all_are_in_the_matrix if {
	matrix.table["diagnostic.run"] - {"primary_contact", "administrator", "regular", "support"} == {"noc"}
	{"auditor", "treasurer"} - matrix.table["invoice.view"] == set()
	"reseller" in matrix.table["order.create"]
	count(object.remove(matrix.roles, ["sync", "identity", "replicate"])) == 11
}
