# METADATA
# title: What the requests of a small portal mean
# description: |
#   A proxy asks whether to let a request through. This says which action on
#   which resource it is, or that everybody may; what is not here is refused.
#
#     GET                    /health, /assets/...           everybody
#     GET                    /accounts/A                    account.view
#     GET, POST              /accounts/A/services           service.view, service.create
#     GET, PUT, PATCH, DELETE  /accounts/A/services/S       service.view, .configure, .delete
#     GET, POST              /accounts/A/tickets            ticket.view, ticket.create
#     GET, PATCH             /accounts/A/tickets/T          ticket.view, ticket.update
#     GET                    /accounts/A/invoices[/I]       invoice.view
#     GET                    /accounts/A/invoices/I/pdf     invoice.download
package custom.proxy

import rego.v2

# METADATA
# title: The request
# description: An AuthZEN request without its subject, or that it is public.
# entrypoint: true
request := {"public": true} if {
	method == "GET"
	public
} else := {
	"action": {"name": action},
	"resource": {"type": "account", "id": account},
	"obligations": duties,
} if {
	["accounts", account] = input.http.segments
	action := {"GET": "account.view"}[method]
} else := {
	"action": {"name": action},
	"resource": {"type": "account", "id": account},
	"obligations": duties,
} if {
	["accounts", account, section] = input.http.segments
	action := collections[section][method]
} else := {
	"action": {"name": action},
	"resource": {"type": kinds[section], "id": id, "properties": {"account": account}},
	"obligations": duties,
} if {
	["accounts", account, section, id] = input.http.segments
	action := members[section][method]
} else := {
	"action": {"name": "invoice.download"},
	"resource": {"type": "invoice", "id": id, "properties": {"account": account}},
} if {
	["accounts", account, "invoices", id, "pdf"] = input.http.segments
	method == "GET"
}

public if input.http.path == "/health"

public if input.http.segments[0] == "assets"

# a HEAD tells what a GET would
method := {"HEAD": "GET"}[input.http.method]

method := input.http.method if input.http.method != "HEAD"

collections := {
	"services": {"GET": "service.view", "POST": "service.create"},
	"tickets": {"GET": "ticket.view", "POST": "ticket.create"},
	"invoices": {"GET": "invoice.view"},
}

members := {
	"services": {"GET": "service.view", "PUT": "service.configure", "PATCH": "service.configure", "DELETE": "service.delete"},
	"tickets": {"GET": "ticket.view", "PATCH": "ticket.update"},
	"invoices": {"GET": "invoice.view"},
}

kinds := {"services": "service", "tickets": "ticket", "invoices": "invoice"}

# the application hides what is financial when X-Postern-Obligations says so
duties := ["redact"]
