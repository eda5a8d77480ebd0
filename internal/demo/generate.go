package demo

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/postern-authz/postern/internal/authz"
)

// A Size says how large a generated directory is.
type Size struct {
	Users    int
	Accounts int
	Grants   int // of every kind: companies, accounts, account groups, tools and their lists
}

// usersPerOrganization is how many a customer has on average.
const usersPerOrganization = 200

// Generate writes a large directory as NDJSON in the order that Import wants:
// one customer organization for each 200 users and the operator, companies,
// accounts of every kind, account groups, tools, users with one membership
// each. Most users hold few grants, one in a hundred very many. Equal sizes and
// seeds give equal bytes. An error of kind authz.ErrInvalid says that there are
// too few accounts to grant so much.
func Generate(w io.Writer, size Size, seed uint64) error {
	if size.Users < 1 || size.Accounts < 1 || size.Grants < 0 {
		return fmt.Errorf("generate: a directory has users and accounts: %w", authz.ErrInvalid)
	}
	g := &generator{
		out:    bufio.NewWriterSize(w, 64<<10),
		random: rand.New(rand.NewPCG(seed, 0)),
		size:   size,
	}
	g.customers = make([]customer, (size.Users+usersPerOrganization-1)/usersPerOrganization)
	quotas, err := g.quotas()
	if err != nil {
		return err
	}
	g.portal()
	g.users()
	for user, quota := range quotas {
		g.grants(user, quota)
	}
	return g.out.Flush() // which also tells what went wrong before
}

type generator struct {
	out       *bufio.Writer
	random    *rand.Rand
	size      Size
	customers []customer
}

// A customer is an organization. Its accounts are numbered first to first+count,
// and lie in its companies by turns.
type customer struct{ first, count, companies int }

func (g *generator) printf(format string, args ...any) { fmt.Fprintf(g.out, format+"\n", args...) }

// of is the customer of a user.
func (g *generator) of(user int) int { return user % len(g.customers) }

// accounts gives each customer its accounts: some have ten times as many as others.
func (g *generator) accounts() {
	weights, sum := make([]int, len(g.customers)), 0
	for i := range weights {
		weights[i] = 1 + g.random.IntN(10)
		sum += weights[i]
	}
	given, weight := 0, 0
	for i := range g.customers {
		weight += weights[i]
		upTo := g.size.Accounts * weight / sum
		g.customers[i] = customer{first: given, count: upTo - given, companies: 1 + g.random.IntN(4)}
		given = upTo
	}
}

// room is how many grants a user of the customer can hold.
func (c customer) room() int { return c.companies + c.count + len(tools())*(1+c.count) }

// quotas say how many grants each user holds.
func (g *generator) quotas() ([]int, error) {
	g.accounts()
	quotas, left := make([]int, g.size.Users), g.size.Grants
	for user := range quotas {
		quotas[user] = min(left, g.share(), g.customers[g.of(user)].room())
		left -= quotas[user]
	}
	for user := range quotas { // what truncation and full users left over, spread
		more := min(left, g.customers[g.of(user)].room()-quotas[user], 1+2*left/(len(quotas)-user))
		quotas[user] += more
		left -= more
	}
	for user := range quotas { // and what that left over, wherever there is room
		more := min(left, g.customers[g.of(user)].room()-quotas[user])
		quotas[user] += more
		left -= more
	}
	if left > 0 {
		return nil, fmt.Errorf("generate: %d accounts are too few for %d grants to %d users: %w",
			g.size.Accounts, g.size.Grants, g.size.Users, authz.ErrInvalid)
	}
	return quotas, nil
}

// share is around the average, for most users less and for few much more.
func (g *generator) share() int {
	average := float64(g.size.Grants) / float64(g.size.Users)
	switch n := g.random.IntN(100); {
	case n < 60:
		return int(average * 0.2)
	case n < 90:
		return int(average)
	case n < 99:
		return int(average * 4)
	}
	return int(average * 22)
}

type tool struct {
	id         string
	restricted bool
}

func tools() []tool {
	return []tool{
		{"network_manager", false}, {"dynamic_network_manager", true}, {"wan_analysis", false}, {"ip_performance", false},
		{"repair_center", false}, {"order_tracker", false}, {"voice_portal", true}, {"invoice_reports", false},
	}
}

// portal writes everything but people.
func (g *generator) portal() {
	g.printf(`{"type":"organization","id":"carrier","kind":"operator","name":"Carrier"}`)
	for i := range g.customers {
		kind := []string{"customer", "partner"}[btoi(i%20 == 19)]
		g.printf(`{"type":"organization","id":"org-%04d","kind":"%s","name":"Organization %d"}`, i, kind, i)
	}
	for i, c := range g.customers {
		for n := range c.companies {
			g.printf(`{"type":"company","id":"com-%04d-%d","organization":"org-%04d","name":"Company %d of %d"}`, i, n, i, n, i)
		}
	}
	for i, c := range g.customers {
		g.accountsOf(i, c)
	}
	for i, c := range g.customers {
		g.accountGroupsOf(i, c)
	}
	for _, t := range tools() {
		g.printf(`{"type":"tool","id":"%s","restricted":%t}`, t.id, t.restricted)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// company is where an account of the customer lies.
func (c customer) company(account int) int { return (account - c.first) % c.companies }

// accountsOf writes a tenth of the accounts as contracts, a tenth as delivery
// sites, and the others as services and billing accounts that lie in them.
func (g *generator) accountsOf(i int, c customer) {
	ends := c.count / 10
	for n := range c.count {
		id := c.first + n
		at := fmt.Sprintf(`"id":"acc-%06d","company":"com-%04d-%d"`, id, i, c.company(id))
		switch {
		case n < ends:
			g.printf(`{"type":"account",%s,"kind":"contract","name":"Contract %d"}`, at, id)
		case n < 2*ends:
			g.printf(`{"type":"account",%s,"kind":"delivery","name":"Site %d"}`, at, id)
		default:
			g.printf(`{"type":"account",%s,"kind":"%s","name":"Account %d"%s}`, at, g.kind(), id, g.lies(c, ends))
		}
	}
}

func (g *generator) kind() string {
	if g.random.IntN(8) == 0 {
		return "billing"
	}
	return "service"
}

// lies are the contract and delivery account of an account, if there are any.
func (g *generator) lies(c customer, ends int) string {
	if ends == 0 {
		return ""
	}
	contract, delivery := c.first+g.random.IntN(ends), c.first+ends+g.random.IntN(ends)
	return fmt.Sprintf(`,"contract":"acc-%06d","delivery":"acc-%06d"`, contract, delivery)
}

func (g *generator) accountGroupsOf(i int, c customer) {
	kinds := []string{"service_group", "customer_group_identifier", "emedia_configuration"}
	for n := range min(3, c.count) {
		g.out.WriteString(fmt.Sprintf(`{"type":"account_group","id":"grp-%04d-%d","organization":"org-%04d","kind":"%s","accounts":[`, i, n, i, kinds[n]))
		for k := range 1 + g.random.IntN(min(20, c.count)) {
			g.out.WriteString([]string{"", ","}[btoi(k > 0)])
			fmt.Fprintf(g.out, `"acc-%06d"`, c.first+(n+k)%c.count)
		}
		g.printf(`]}`)
	}
}

func (g *generator) users() {
	given := []string{"Ada", "Bruno", "Chen", "Dana", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kamala", "Liam"}
	family := []string{"Abe", "Berg", "Costa", "Duarte", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jansons", "Kim", "Lopez"}
	for user := range g.size.Users {
		g.printf(`{"type":"user","id":"usr_01910000-0000-7000-8000-%012x","username":"user-%06d","email":"user-%06d@org-%04d.example","given_name":"%s","family_name":"%s"}`,
			user, user, user, g.of(user), given[g.random.IntN(len(given))], family[g.random.IntN(len(family))])
	}
	for user := range g.size.Users {
		g.printf(`{"type":"membership","id":"mem_01910000-0000-7000-8000-%012x","organization":"org-%04d","user":"user-%06d","role":"%s","state":"%s","cpni":%t}`,
			user, g.of(user), user, g.role(user), g.state(), g.random.IntN(10) == 0)
	}
}

// role: each customer's first user is its Primary Contact.
func (g *generator) role(user int) string {
	if user < len(g.customers) {
		return "primary_contact"
	}
	roles := []string{"regular", "regular", "regular", "regular", "read_only", "read_only", "support", "administrator"}
	return roles[g.random.IntN(len(roles))]
}

func (g *generator) state() string {
	switch n := g.random.IntN(100); {
	case n < 94:
		return "active"
	case n < 97:
		return "suspended"
	}
	return "removed"
}

// grants writes exactly as many grants as the quota says: companies with their
// accounts for most of it, tools with their lists for the rest.
func (g *generator) grants(user, quota int) {
	m := &member{generator: g, customer: g.customers[g.of(user)], user: user, start: g.random.IntN(1 << 20)}
	m.left = min(quota-quota*3/10, m.companies+m.count)
	rest := quota - m.left
	m.grantCompanies()
	m.left = rest
	m.grantTools()
}

// A member is a user who is granted things until nothing is left to grant.
type member struct {
	*generator
	customer
	user, left int
	start      int // where in each list to begin
	authorized int // companies granted so far
}

func (m *member) grant(what string) {
	m.left--
	m.printf(`{"type":"grant","organization":"org-%04d","user":"user-%06d",%s}`, m.of(m.user), m.user, what)
}

func (m *member) grantCompanies() {
	for ; m.authorized < m.companies && m.left > 0; m.authorized++ {
		all := []string{"", `,"all_accounts":true`}[btoi(m.random.IntN(10) == 0)]
		m.grant(fmt.Sprintf(`"company":"com-%04d-%d"%s`, m.of(m.user), m.companyAt(m.authorized), all))
		m.each(m.companyAt(m.authorized), m.grantAccount)
	}
}

func (m *member) grantAccount(account int) {
	until := ""
	if m.random.IntN(20) == 0 {
		until = fmt.Sprintf(`,"expires":"20%d-01-01T00:00:00Z"`, 25+m.random.IntN(20))
	}
	m.grant(fmt.Sprintf(`"account":"acc-%06d"%s,"granted_by":"user"`, account, until))
}

func (m *member) grantTools() {
	for i := range tools() {
		if m.left > 0 {
			m.grantTool(tools()[(i+m.start)%len(tools())])
		}
	}
}

func (m *member) grantTool(t tool) {
	by := []string{"user", "operator"}[btoi(t.restricted)]
	m.grant(fmt.Sprintf(`"tool":"%s","granted_by":"%s"`, t.id, by))
	for n := range m.authorized {
		m.each(m.companyAt(n), func(account int) {
			m.grant(fmt.Sprintf(`"tool":"%s","account":"acc-%06d","granted_by":"user"`, t.id, account))
		})
	}
}

// companyAt is the n-th company in the member's own order.
func (m *member) companyAt(n int) int { return (m.start + n) % m.companies }

// each calls grant for the company's accounts until nothing is left.
func (m *member) each(company int, grant func(account int)) {
	own := (m.count - company + m.companies - 1) / m.companies
	for i := 0; i < own && m.left > 0; i++ {
		grant(m.first + company + (m.start+i)%own*m.companies)
	}
}
