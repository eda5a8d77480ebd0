package custom.proxy_test

import rego.v2

import data.custom.proxy

asked(method, path) := said if said := proxy.request with input as call(method, path)

unmapped(method, path) if {
	c := call(method, path)
	not proxy.request with input as c
}

call(method, path) := {"http": {
	"method": method,
	"path": path,
	"segments": [s | some s in split(path, "/"); s != ""],
}}

means(method, path, action, resource) if {
	said := asked(method, path)
	said.action == {"name": action}
	said.resource == resource
}

test_everybody_may_see_what_is_public if {
	every path in ["/health", "/assets/a.css", "/assets/"] {
		asked("GET", path) == {"public": true}
	}
	asked("HEAD", "/health") == {"public": true}
}

test_nothing_else_about_it_is_public if {
	unmapped("POST", "/health")
	unmapped("GET", "/healthy")
	unmapped("GET", "/health/assets")
}

test_an_account if means("GET", "/accounts/a1", "account.view", {"type": "account", "id": "a1"})

test_services_of_an_account if {
	means("GET", "/accounts/a1/services", "service.view", {"type": "account", "id": "a1"})
	means("POST", "/accounts/a1/services", "service.create", {"type": "account", "id": "a1"})
}

test_one_service if {
	service := {"type": "service", "id": "s1", "properties": {"account": "a1"}}
	means("GET", "/accounts/a1/services/s1", "service.view", service)
	means("HEAD", "/accounts/a1/services/s1", "service.view", service)
	means("PUT", "/accounts/a1/services/s1", "service.configure", service)
	means("DELETE", "/accounts/a1/services/s1", "service.delete", service)
}

test_an_invoice_and_its_document if {
	invoice := {"type": "invoice", "id": "i1", "properties": {"account": "a1"}}
	means("GET", "/accounts/a1/invoices/i1", "invoice.view", invoice)
	means("GET", "/accounts/a1/invoices/i1/pdf", "invoice.download", invoice)
}

test_tickets if {
	means("POST", "/accounts/a1/tickets", "ticket.create", {"type": "account", "id": "a1"})
	means("PATCH", "/accounts/a1/tickets/t1", "ticket.update", {"type": "ticket", "id": "t1", "properties": {"account": "a1"}})
}

test_the_application_hides_what_is_financial if {
	every path in ["/accounts/a1", "/accounts/a1/services", "/accounts/a1/services/s1"] {
		asked("GET", path).obligations == ["redact"]
	}
}

test_what_is_not_named_has_no_route if {
	unmapped("GET", "/")
	unmapped("GET", "/accounts")
	unmapped("POST", "/accounts/a1")
	unmapped("DELETE", "/accounts/a1/services")
	unmapped("GET", "/accounts/a1/secrets")
	unmapped("GET", "/accounts/a1/invoices/i1/xml")
	unmapped("POST", "/accounts/a1/invoices/i1/pdf")
	unmapped("get", "/health")
}
