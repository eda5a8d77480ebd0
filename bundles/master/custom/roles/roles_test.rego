package custom.roles_test

import rego.v2

import data.custom.roles
import data.postern.catalog
import data.postern.powers

test_technical_runs_services_and_buys_nothing if {
	roles.technical == {
		"account.view", "service.view", "service.configure", "document.download", "ticket.view",
		"ticket.create", "ticket.update", "diagnostic.run", "report.view", "report.download",
	}
	"technical" in powers.actions["service.view"].blind
}

test_technical_manages_nobody if {
	overlay := {"actions": {"service.share": {"section": "service_management", "kind": "manage"}}}
	not "service.share" in roles.technical with data.custom.catalog as overlay
}

test_finance_pays if {
	roles.finance == {
		"account.view", "billing_account.view", "invoice.view",
		"invoice.download", "payment.make", "order.view",
	}
}

test_abuse_answers if roles.abuse == {"account.view", "ticket.view", "ticket.create", "ticket.update"}

test_a_master_gives_them_all if {
	catalog.roles.abuse.realms == ["customer"]
	{"technical", "finance", "abuse"} - powers.includes.primary_contact == set()
}
