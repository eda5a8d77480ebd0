package postern.matrix_test

import rego.v2

import data.postern.catalog
import data.postern.matrix

overlay := {
	"roles": {"noc": {"line.reset"}},
	"catalog": {
		"actions": {"line.reset": {"kind": "reset"}, "nobody.may": {"kind": "other", "operator": true}},
		"roles": {"noc": {"title": "Network Operations"}, "idle": {}},
	},
}

test_table if {
	object.keys(matrix.table) == object.keys(catalog.actions)
	matrix.table["quote.create"] == {"primary_contact", "administrator", "regular", "sales"}
	matrix.table["member.restore"] == {"operator"}
}

test_table_shows_an_overlay if {
	matrix.table["line.reset"] == {"primary_contact", "administrator", "noc"} with data.custom as overlay
	matrix.table["nobody.may"] == set() with data.custom as overlay
}

test_roles if {
	matrix.roles.read_only == "Read-Only"
	matrix.roles.noc == "Network Operations" with data.custom as overlay
	matrix.roles.idle == "idle" with data.custom as overlay
}
