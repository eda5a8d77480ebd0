package storetest

import (
	"time"

	"github.com/postern-authz/postern/internal/directory"
)

// deadline is when the one grant of the portal that expires does.
func deadline() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 6_000_000, time.UTC) }

// portal is a small directory with one of everything.
func portal() []any {
	return []any{
		directory.Organization{ID: "carrier", Kind: "operator", Name: "Carrier"},
		directory.Organization{ID: "acme", Kind: "customer", Name: "Acme", SeatLimit: 10, Settings: []byte(`{"portal": "north"}`)},
		directory.Organization{ID: "resale", Kind: "partner", Name: "Resale"},
		directory.Company{ID: "south", Organization: "acme", Name: "Acme South"},
		directory.Company{ID: "east", Organization: "acme", Name: "Acme East"},
		directory.Company{ID: "shop", Organization: "resale", Name: "Shop"},
		directory.Account{ID: "s1", Company: "south", Kind: "service", Name: "Line 1", Contract: "k1", Delivery: "d1"},
		directory.Account{ID: "s2", Company: "south", Kind: "service", Name: "Line 2"},
		directory.Account{ID: "k1", Company: "south", Kind: "contract", Name: "Contract"},
		directory.Account{ID: "d1", Company: "south", Kind: "delivery", Name: "Delivery"},
		directory.Account{ID: "b1", Company: "east", Kind: "billing", Name: "Billing", Contract: "k1"},
		directory.AccountGroup{ID: "lines", Organization: "acme", Kind: "service_group", Name: "Lines", Accounts: []string{"s1", "s2"}},
		directory.AccountGroup{ID: "empty", Organization: "acme", Kind: "emedia_configuration", Name: "None"},
		directory.Tool{ID: "wan", Name: "WAN Analysis"},
		directory.Tool{ID: "ddos", Name: "DDoS Shield", Restricted: true},
		directory.Role{ID: "auditor", Name: "Auditor"},
		directory.User{Kind: "personal", Username: "Dana", Email: "dana@acme.example", GivenName: "Dana", FamilyName: "Roy", Phone: "1", Country: "US", MFA: true},
		directory.User{Kind: "group", Username: "noc", Email: "noc@acme.example"},
		directory.User{Kind: "personal", Username: "otto"},
		directory.Membership{Organization: "acme", User: "dana", Role: "regular", Affiliation: "customer", State: "active", CPNI: true, AssignedBy: "user"},
		directory.Membership{Organization: "resale", User: "dana", Role: "sales", Affiliation: "customer", State: "suspended", AssignedBy: "operator"},
		directory.Membership{Organization: "acme", User: "noc", Role: "support", Affiliation: "end_customer", State: "active", AssignedBy: "scim"},
		directory.Membership{Organization: "carrier", User: "otto", Role: "operator", Affiliation: "customer", State: "active", AssignedBy: "system"},
		directory.Membership{Organization: "acme", User: "tmp-7KQ2", Email: "new@acme.example", Role: "read_only", Affiliation: "customer", State: "invited", AssignedBy: "user"},
		directory.GrantRecord{Organization: "acme", User: "dana", Company: "south", GrantedBy: "user"},
		directory.GrantRecord{Organization: "acme", User: "dana", Company: "east", AllAccounts: true, GrantedBy: "user"},
		directory.GrantRecord{Organization: "acme", User: "dana", Account: "s1", GrantedBy: "user", Expires: deadline()},
		directory.GrantRecord{Organization: "acme", User: "dana", Account: "k1", GrantedBy: "request"},
		directory.GrantRecord{Organization: "acme", User: "dana", AccountGroup: "lines", GrantedBy: "user"},
		directory.GrantRecord{Organization: "acme", User: "dana", Tool: "wan", GrantedBy: "user"},
		directory.GrantRecord{Organization: "acme", User: "dana", Tool: "ddos", GrantedBy: "operator", Expires: deadline()},
		directory.GrantRecord{Organization: "acme", User: "dana", Tool: "wan", Account: "s2", GrantedBy: "user"},
		directory.GrantRecord{Organization: "acme", User: "dana", Tool: "wan", Account: "s1", GrantedBy: "user"},
		directory.GrantRecord{Organization: "acme", User: "TMP-7kq2", Company: "south", AllAccounts: true, GrantedBy: "user"},
	}
}
