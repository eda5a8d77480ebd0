package test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A world is a server with somebody of every kind in it, and something of every
// kind for them to ask about.
type world struct {
	*server
	t       *testing.T
	issuer  ed25519.PrivateKey
	key     string            // of the operator
	maker   string            // what makes the world: a token that asks nothing of the matrix
	members map[string]string // id of the membership, by username
	users   map[string]string // id of the user, by username
	made    map[string]string // ids and links of what the API made, by what it is
}

const matrixIssuer = "https://id.example"

// people are the members that ask, and those who are asked about. Each is
// username, organization, state, role, and what it holds: eu is all of the company
// acme-eu and the tool for its accounts acct-7 and acct-8; us is all of acme-us;
// riga is acct-7 with the tool.
const people = `
olga harbour active operator
paula acme active primary_contact
adam acme active administrator eu
beate acme active administrator us
regina acme active regular eu
rosa acme active read_only eu
sam acme active support eu
sally acme active sales eu
sven acme suspended primary_contact
remo acme removed primary_contact
gustav globex active primary_contact
regular acme active regular riga
administrator acme active administrator riga
primary_contact acme active primary_contact
wider acme active regular riga us
foreign_regular globex active regular oslo
foreign_administrator globex active administrator oslo
foreign_primary_contact globex active primary_contact
`

func newWorld(t *testing.T) *world {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	i := install(t, "POSTERN_DECISIONS_AUTH=key", "POSTERN_PUBLIC_URL=https://pdp.example", "POSTERN_PORTAL_URLS=https://portal.example", "POSTERN_WEBHOOK_ALLOW=127.0.0.0/8",
		"POSTERN_JWT_ISSUER="+matrixIssuer, "POSTERN_JWT_AUDIENCE=postern", "POSTERN_JWT_USER_CLAIM=login", "POSTERN_MANAGEMENT_RATE=1000000", "POSTERN_MANAGEMENT_STRANGER_RATE=1000000")
	keys := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"matrix","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	i.env = append(i.env, "POSTERN_JWT_KEYS="+i.file(t, "keys.json", keys))
	static, err := filepath.Abs("testdata/authorization.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	i.run(t, "import", static, i.file(t, "people.ndjson", everybody(people)))
	appKey := strings.TrimSpace(i.run(t, "key", "create", "portal"))
	w := &world{server: i.serve(t), t: t, issuer: private, members: map[string]string{}, users: map[string]string{}, made: map[string]string{"app_key": appKey}}
	text, err := os.ReadFile(filepath.Join(i.dir, "state", "operator.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.key = strings.TrimSpace(string(text))
	w.maker = w.key
	_, w.maker = w.token("operator", time.Hour)
	w.meet()
	w.furnish(hook.URL)
	return w
}

// everybody is the people in the import format. Who is asked about is there once
// more as suspended and as removed, for what is done to such.
func everybody(people string) string {
	var all []string
	for line := range strings.Lines(strings.TrimSpace(people)) {
		f := strings.Fields(line)
		all = append(all, person(f[0], f[2], f))
		for _, state := range []string{"suspended", "removed"} {
			if isAsked(f) {
				all = append(all, person(f[0]+"."+state, state, f))
			}
		}
	}
	return lines(all...)
}

// isAsked says whether one of the people is asked about; these are called by what
// they are.
func isAsked(f []string) bool { return f[0] == "wider" || strings.TrimPrefix(f[0], "foreign_") == f[3] }

func person(username, state string, f []string) string {
	organization, role := f[1], f[3]
	by := "user"
	if role == "primary_contact" || role == "operator" {
		by = "operator"
	}
	all := []string{
		fmt.Sprintf(`{"type":"user","username":%q,"email":"%s@%s.example","given_name":%q,"family_name":"Test"}`, username, username, organization, username),
		fmt.Sprintf(`{"type":"membership","organization":%q,"user":%q,"role":%q,"state":%q,"assigned_by":%q,"cpni":%v}`, organization, username, role, state, by, !isAsked(f)),
	}
	grants := []string{}
	for _, held := range f[4:] {
		grants = append(grants, map[string][]string{
			"eu":   {`"company":"acme-eu","all_accounts":true`, `"account":"acct-7"`, `"account":"acct-8"`, `"tool":"network_manager"`, `"tool":"network_manager","account":"acct-7"`, `"tool":"network_manager","account":"acct-8"`},
			"us":   {`"company":"acme-us","all_accounts":true`},
			"riga": {`"company":"acme-eu"`, `"account":"acct-7"`, `"tool":"network_manager"`, `"tool":"network_manager","account":"acct-7"`},
			"oslo": {`"company":"globex-eu"`, `"account":"glob-7"`, `"tool":"network_manager"`, `"tool":"network_manager","account":"glob-7"`},
		}[held]...)
	}
	for _, g := range grants {
		all = append(all, fmt.Sprintf(`{"type":"grant","organization":%q,"user":%q,%s,"granted_by":"user"}`, organization, username, g))
	}
	return strings.Join(all, "\n")
}

// meet learns everybody's ids.
func (w *world) meet() {
	for _, organization := range []string{"harbour", "acme", "globex"} {
		var page struct{ Items []summary }
		w.must("GET", "/v1/organizations/"+organization+"/members?page_size=200&show_removed=true", "", &page)
		for _, m := range page.Items {
			w.members[m.Username], w.users[m.Username] = m.ID, m.User
		}
	}
}

// furnish makes what only the API makes.
func (w *world) furnish(hook string) {
	for _, organization := range []string{"", "acme", "globex"} {
		at := strings.TrimSuffix("/v1/organizations/"+organization, "/organizations/")
		var made struct{ ID string }
		w.must("POST", at+"/webhooks", fmt.Sprintf(`{"url":%q,"events":["member.*"]}`, hook), &made)
		w.made["webhook "+organization] = made.ID
	}
	for _, name := range []string{"regular", "foreign_regular"} {
		organization := homeOf(name)
		w.must("PATCH", "/v1/organizations/"+organization+"/members/"+w.members[name], `{"given_name":"Renamed"}`, nil)
	}
	w.must("POST", "/v1/organizations/acme/members", `{"username":"vera","password":"correct horse battery","email":"vera@acme.example","given_name":"Vera","family_name":"Test","phone":"+371 20000000","country":"LV","role":"regular"}`, nil)
	for _, organization := range []string{"", "acme", "globex"} {
		w.made["delivery "+organization] = w.delivered(organization)
	}
	for _, name := range []string{"regular", "administrator", "primary_contact", "foreign_regular"} {
		w.invite(name, homeOf(name), strings.TrimPrefix(name, "foreign_"))
	}
}

// invite invites somebody new, by a link that is called by the name.
func (w *world) invite(name, organization, role string) {
	body := fmt.Sprintf(`{"email":"new.%s@%s.example","role":%q,"deliver":"return_link","grants":%s}`, strings.ReplaceAll(name, " ", "."), organization, role, abroad(organization, `{"companies":[{"id":"acme-eu"}],"accounts":[{"id":"acct-7"}]}`))
	var made struct {
		Link       string
		Invitation struct{ ID string }
	}
	w.must("POST", "/v1/organizations/"+organization+"/invitations", body, &made)
	w.made["invitation "+name] = made.Invitation.ID
	_, w.made["link "+name], _ = strings.Cut(made.Link, "#token=")
}

// delivered waits for the webhook's message and returns its id.
func (w *world) delivered(organization string) string {
	at := strings.TrimSuffix("/v1/organizations/"+organization, "/organizations/")
	path := at + "/webhooks/" + w.made["webhook "+organization] + "/deliveries"
	for enough := time.Now().Add(patience); time.Now().Before(enough); time.Sleep(20 * time.Millisecond) {
		var page struct{ Items []struct{ ID, State string } }
		w.must("GET", path, "", &page)
		if len(page.Items) > 0 && page.Items[0].State == "delivered" {
			return page.Items[0].ID
		}
	}
	w.t.Fatalf("no message was delivered to the webhook of %q", organization)
	return ""
}

// must asks as the operator, who is answered.
func (w *world) must(method, path, body string, v any) {
	w.t.Helper()
	x, err := w.administration.send(method, path, body, "Authorization: Bearer "+w.maker)
	if err != nil || x.status/100 != 2 {
		w.t.Fatalf("%v\n%s", err, x)
	}
	for _, secret := range secretsIn(x.body) {
		written.secret(secret)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(x.body), v); err != nil {
		w.t.Fatalf("%v\n%s", err, x)
	}
}

// token makes a service token.
func (w *world) token(scope string, life time.Duration, organizations ...string) (id, secret string) {
	body, err := json.Marshal(map[string]any{"name": "portal", "scopes": []string{scope}, "organizations": append([]string{}, organizations...), "expires_at": time.Now().Add(life).UTC()})
	if err != nil {
		w.t.Fatal(err)
	}
	var made struct{ ID, Secret string }
	w.must("POST", "/v1/service-tokens", string(body), &made)
	return made.ID, made.Secret
}

// jwt is what the issuer gives a user.
func (w *world) jwt(username string, life time.Duration) string {
	part := func(v map[string]any) string {
		text, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]any{"alg": "EdDSA", "kid": "matrix"}) + "." +
		part(map[string]any{"iss": matrixIssuer, "aud": "postern", "sub": username, "login": username, "exp": time.Now().Add(life).Unix()})
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(w.issuer, []byte(signed)))
}

// A principal is somebody who asks. Those that have a column of the table in
// common are answered alike.
type principal struct {
	column, name string
	headers      []string
	user         string // its username, if it is a member
	turn, of     int    // which of how many of its column it is
}

// principals are who asks, from nobody to the operator.
func (w *world) principals() []principal {
	_, expired := w.token("operator", time.Second)
	revokedID, revoked := w.token("operator", time.Hour)
	w.must("DELETE", "/v1/service-tokens/"+revokedID, "", nil)
	_, act := w.token("act", time.Hour)
	_, read := w.token("act.read", time.Hour)
	_, sync := w.token("sync", time.Hour)
	_, identity := w.token("identity", time.Hour)
	_, elsewhere := w.token("operator", time.Hour, "globex")
	_, operator := w.token("operator", time.Hour)
	w.made["service_token"], _ = w.token("sync", time.Hour)
	time.Sleep(1100 * time.Millisecond) // until the first of them is over
	all := []principal{
		{column: "none", name: "nobody"},
		bearer("unknown", "garbage", "garbage"),
		bearer("unknown", "an operator key that is none", "ok_garbage_"+strings.Repeat("A", 43)),
		bearer("app_key", "an app key", w.made["app_key"]),
		bearer("unknown", "an expired token", expired),
		bearer("unknown", "a revoked token", revoked),
		bearer("unknown", "an expired JWT", w.jwt("paula", -time.Hour)),
		bearer("act", "a token that acts for nobody", act),
		bearer("act.read", "a token reading for paula", read).actingFor(w, "paula"),
		bearer("sync", "the token of a sync", sync),
		bearer("identity", "the token of an identity provider", identity),
		bearer("elsewhere", "a token of the operator for globex", elsewhere),
		bearer("primary", "a token acting for paula", act).actingFor(w, "paula"),
		bearer("operator", "the key of the operator", w.key),
		bearer("operator", "a token of the operator", operator),
	}
	for _, who := range []struct{ column, username string }{
		{"removed", "remo"}, {"suspended", "sven"}, {"foreign", "gustav"}, {"others", "regina"}, {"others", "rosa"}, {"others", "sam"}, {"others", "sally"},
		{"admin_us", "beate"}, {"admin_eu", "adam"}, {"primary", "paula"}, {"staff", "olga"},
	} {
		p := bearer(who.column, who.username, w.jwt(who.username, time.Hour))
		p.user = who.username
		all = append(all, p)
	}
	count := map[string]int{}
	for i := range all {
		all[i].turn = count[all[i].column]
		count[all[i].column]++
	}
	for i, p := range all {
		all[i].of = count[p.column]
		w.invite(p.name, "acme", "regular") // whoever follows the link of another spoils it in the end
	}
	return all
}

func bearer(column, name, credential string) principal {
	return principal{column: column, name: name, headers: []string{"Authorization: Bearer " + credential, "Postern-Portal: partner"}}
}

func (p principal) actingFor(w *world, username string) principal {
	p.user, p.headers = username, append(p.headers, "Postern-Actor: "+w.users[username])
	return p
}

// homeOf is where somebody is a member.
func homeOf(username string) string {
	for line := range strings.Lines(people) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == username {
			return f[1]
		}
	}
	return "acme"
}

// abroad is a body with what an organization has in place of what ACME has.
func abroad(organization, body string) string {
	if organization != "globex" {
		return body
	}
	return strings.NewReplacer("acme-eu", "globex-eu", "acct-7", "glob-7", "acct-8", "glob-8").Replace(body)
}

// A target is what an operation is asked about.
type target struct {
	name         string
	organization string
	member       string            // username
	ids          map[string]string // other parameters of the path
	role         string            // that is given; empty: as the body has it
}

// path is where the operation finds the target.
func (w *world) path(o matrixOperation, to target) string {
	ids := []string{
		"{organization}", to.organization, "{member}", w.members[to.member], "{reason}", "validation", "{role}", "auditor", "{tool}", "network_manager",
		"{service_token}", w.made["service_token"], "{webhook}", w.made["webhook "+to.organization], "{delivery}", w.made["delivery "+to.organization],
	}
	for name, id := range to.ids {
		ids = append(ids, "{"+name+"}", url.PathEscape(id))
	}
	return strings.NewReplacer(ids...).Replace(o.path)
}

// targets are what somebody asks an operation about. Of a member's own rank and
// scope: seen from an administrator of acme-eu, regular is below, administrator
// is equal, primary_contact is above, and wider is below and reaches further.
func (w *world) targets(o matrixOperation, by principal) []target {
	own, foreign := "acme", "globex"
	switch {
	case strings.Contains(o.path, "{member}"):
		return w.memberTargets(o, by)
	case strings.Contains(o.path, "{invitation}"):
		var all []target
		for _, name := range []string{"regular", "administrator", "primary_contact", "foreign_regular"} {
			all = append(all, target{name: name, organization: homeOf(name), ids: map[string]string{"invitation": w.made["invitation "+name]}})
		}
		return all
	case o.id == "createMember" || o.id == "createInvitation" || o.id == "createInvitations":
		return []target{
			{name: "regular", organization: own}, {name: "wider", organization: own}, {name: "administrator", organization: own, role: "administrator"},
			{name: "primary_contact", organization: own, role: "primary_contact"}, {name: "foreign_regular", organization: foreign},
		}
	case o.id == "deleteCompany":
		return some("company", "", "acme-old", "globex-old")
	case o.id == "deleteAccount":
		return some("account", "acct-6", "acct-5", "glob-6")
	case strings.Contains(o.path, "{company}"):
		return some("company", "acme-eu", "acme-us", "globex-eu")
	case strings.Contains(o.path, "{account}"):
		return some("account", "acct-7", "acct-9", "glob-7")
	case strings.Contains(o.path, "{account_group}"):
		cgi := target{name: "inside_of_operator", organization: own, ids: map[string]string{"account_group": "acme-cgi"}}
		return append(some("account_group", "acme-baltic", "acme-world", "globex-north"), cgi)
	case strings.Contains(o.path, "{organization}"):
		return []target{{name: "own", organization: own}, {name: "foreign", organization: foreign}}
	}
	return []target{{name: "-"}}
}

// some are things inside what the administrator of acme-eu holds, outside of it,
// and of another organization.
func some(parameter, inside, outside, foreign string) []target {
	all := []target{
		{name: "inside", organization: "acme", ids: map[string]string{parameter: inside}},
		{name: "outside", organization: "acme", ids: map[string]string{parameter: outside}},
		{name: "foreign", organization: "globex", ids: map[string]string{parameter: foreign}},
	}
	if inside == "" {
		return all[1:]
	}
	return all
}

func (w *world) memberTargets(o matrixOperation, by principal) []target {
	suffix := map[string]string{"reactivateMember": ".suspended", "restoreMember": ".removed", "purgeMember": ".removed"}[o.id]
	var all []target
	for _, name := range []string{"regular", "wider", "administrator", "primary_contact", "foreign_regular", "foreign_administrator", "foreign_primary_contact"} {
		all = append(all, target{name: name, organization: homeOf(name), member: name + suffix})
	}
	if o.id == "assignRole" {
		for _, role := range []string{"administrator", "primary_contact"} {
			all = append(all, target{name: "regular_to_" + role, organization: "acme", member: "regular", role: role})
		}
	}
	if by.user != "" {
		all = append(all, target{name: "self", organization: homeOf(by.user), member: by.user})
	}
	return all
}
