package grant

import "github.com/postern-authz/postern/internal/authz"

// found is what the directory knows about one request. What it does not know is
// nil.
type found struct {
	user  *holder
	thing *entry // the account, company, organization or account group asked about
	// contract and delivery are the accounts that thing lies in or, without a
	// thing, the two that the request named together.
	contract, delivery *entry
	tool               *entry // the tool in question
	toolFirst          bool   // the tool is what is asked about
	// parts are what a narrow user was granted on accounts.
	parts [3]*entry
}

// A lookup knows entries, all as of one revision. It returns nil for a key that
// must be read first.
type lookup interface {
	find(authz.Key) *entry
}

// A finder finds out which keys a request depends on. Nothing that a caller
// said about a subject or resource becomes a fact except by such a key.
type finder struct {
	from    lookup
	looked  int
	missing []authz.Key
}

func (f *finder) request(r authz.Request) found {
	var out found
	out.user = f.subject(r.Subject)
	f.resource(r.Resource, &out)
	if out.tool == nil {
		out.tool = f.toolInContext(r)
	}
	f.narrow(&out)
	return out
}

// find returns the entry of a key, or nil if it is missing or the directory
// does not know the key. An empty id is never known, nor one longer than any.
func (f *finder) find(kind authz.Kind, id string) *entry {
	return f.findKey(authz.Key{Kind: kind, ID: id})
}

// longestID is the longest that a key can have: two ids and a space. What a caller
// makes longer is not asked for, so it fills neither the cache nor a request to
// the directory.
const longestID = 2*authz.MaxID + 1

func (f *finder) findKey(key authz.Key) *entry {
	if key.ID == "" || len(key.ID) > longestID {
		return nil
	}
	f.looked++
	e := f.from.find(key)
	if e == nil {
		f.missing = append(f.missing, key)
		return nil
	}
	if !e.known() {
		return nil
	}
	return e
}

// subject knows subjects by id and by login (ruling 16).
func (f *finder) subject(s authz.Subject) *holder {
	id := s.ID
	switch s.Type {
	case "user":
	case "login":
		login := f.findKey(authz.LoginKey(s.ID))
		if login == nil {
			return nil
		}
		id = login.login
	default:
		return nil
	}
	if e := f.find(authz.KindUser, id); e != nil {
		return e.user
	}
	return nil
}

// resource finds the thing whose place counts (ruling 17).
func (f *finder) resource(r authz.Resource, out *found) {
	switch r.Type {
	case "account":
		f.account(r.ID, "", out)
	case "company", "organization", "account_group":
		out.thing = f.find(authz.Kind(r.Type), r.ID)
	case "tool":
		f.tool(r, out)
	case "service", "contract", "delivery", "billing_account":
		before := len(f.missing)
		if !f.account(r.ID, accountKind(r.Type), out) && len(f.missing) == before {
			f.properties(r.Properties, out)
		}
	default:
		f.properties(r.Properties, out)
	}
}

// accountKind is the kind of account that a resource type means.
func accountKind(resourceType string) string {
	if resourceType == "billing_account" {
		return "billing"
	}
	return resourceType
}

// account finds an account and the accounts it lies in. A kind says which kind
// it must be of. It reports whether there is such an account.
func (f *finder) account(id, kind string, out *found) bool {
	e := f.find(authz.KindAccount, id)
	if e == nil || kind != "" && e.place.AccountKind != kind {
		return false
	}
	out.thing = e
	if e.place.Contract != id {
		out.contract = f.find(authz.KindAccount, e.place.Contract)
	}
	if e.place.Delivery != id {
		out.delivery = f.find(authz.KindAccount, e.place.Delivery)
	}
	return true
}

// tool finds a tool and the account it is to be used for, if one is named. A
// tool for an account that the directory does not know is nowhere.
func (f *finder) tool(r authz.Resource, out *found) {
	out.tool = f.find(authz.KindTool, r.ID)
	account, named := r.Properties["account"]
	if out.tool == nil {
		return
	}
	out.toolFirst = !named
	if id, ok := account.(string); ok {
		out.toolFirst = f.account(id, "", out)
	}
}

// properties finds the narrowest thing the resource names in its properties,
// which is used alone: if the directory does not know it, there is no place.
func (f *finder) properties(p authz.Properties, out *found) {
	if v, named := p["account"]; named {
		if id, ok := v.(string); ok {
			f.account(id, "", out)
		}
		return
	}
	contract, one := p["contract"]
	delivery, other := p["delivery"]
	if one || other {
		f.pair(contract, delivery, out)
		return
	}
	for _, kind := range []authz.Kind{authz.KindCompany, authz.KindOrganization} {
		if v, named := p[string(kind)]; named {
			id, _ := v.(string)
			out.thing = f.find(kind, id)
			return
		}
	}
}

// pair finds a contract and a delivery account that were named together. They
// must be of these kinds and of one organization.
func (f *finder) pair(contract, delivery any, out *found) {
	c, _ := contract.(string)
	d, _ := delivery.(string)
	if c == "" || d == "" {
		return
	}
	from, to := f.find(authz.KindAccount, c), f.find(authz.KindAccount, d)
	if from == nil || to == nil || from.place.AccountKind != "contract" || to.place.AccountKind != "delivery" ||
		from.place.Organization != to.place.Organization {
		return
	}
	out.contract, out.delivery = from, to
}

// toolInContext finds the tool that an action on something else is done with.
func (f *finder) toolInContext(r authz.Request) *entry {
	if r.Resource.Type == "tool" {
		return nil
	}
	id, _ := r.Context["tool"].(string)
	return f.find(authz.KindTool, id)
}
