package test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/store/storetest"
	"github.com/postern-authz/postern/test/fleet"
)

// A topology is a whole fleet of one directory: PostgreSQL, Redis, the server
// that administers and the sidecars that decide. Each connection between two of
// them goes through a proxy of its own.
type topology struct {
	t          *testing.T
	binary     string
	postgres   storetest.Postgres
	dsn        string
	redis      *fleet.Redis
	management *instance
	sidecars   []*instance
	key        string // the operator's
}

// An instance is one server of a fleet, which may be ended and started again.
type instance struct {
	name    string
	flags   []string
	i       installation
	source  *fleet.Proxy // to what it reads the directory from
	redis   *fleet.Proxy // nil without
	mu      sync.Mutex
	running *server // nil while it is down
}

// sidecars is how many a fleet has.
const sidecars = 3

// A fleetOption changes the environment of every server of a fleet.
type fleetOption = string

// newTopology starts a fleet on a directory file. All of it ends with the test.
func newTopology(t *testing.T, binary, directory string, settings ...fleetOption) *topology {
	t.Helper()
	c := &topology{t: t, binary: binary}
	t.Cleanup(c.stop)
	c.postgres.Settings = []string{"synchronous_commit=on", "max_connections=60"}
	c.dsn = c.postgres.DSN(t)
	var err error
	if c.redis, err = fleet.NewRedis(); err != nil {
		t.Fatal(err)
	}
	base := c.installation(append(settings, "POSTERN_DATABASE="+c.dsn)...)
	base.run(t, "migrate")
	base.run(t, "import", base.file(t, "fleet.ndjson", directory))
	c.manage(settings)
	for n := range sidecars {
		c.sidecar(n, settings)
	}
	return c
}

// installation is one of the fleet's servers: what they share, and a state
// directory of its own.
func (c *topology) installation(settings ...string) installation {
	i := install(c.t, append([]string{
		"POSTERN_SECRET=" + strings.Repeat("s3cr3t", 8),
		"POSTERN_MANAGEMENT_TIMEOUT=2s",
		"POSTERN_DECISIONS_TIMEOUT=500ms",
	}, settings...)...)
	i.binary = c.binary
	return i
}

// proxied is a proxy of the topology's own to a target.
func (c *topology) proxied(target string) *fleet.Proxy {
	p, err := fleet.NewProxy(target, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.Close)
	return p
}

// manage starts the server that administers, on PostgreSQL.
func (c *topology) manage(settings []string) {
	source := c.proxied(c.postgres.Socket())
	m := &instance{name: "management", flags: []string{"--only=management"}, source: source}
	m.i = c.installation(append(settings, "POSTERN_DATABASE="+c.database(source))...)
	c.management = m
	if err := m.start(); err != nil {
		c.t.Fatal(err)
	}
	c.key = m.now().operatorKey()
}

// database is the DSN of the fleet's database through a proxy.
func (c *topology) database(through *fleet.Proxy) string {
	dsn, err := url.Parse(c.dsn)
	if err != nil {
		c.t.Fatal(err)
	}
	return "postgres://postgres@" + through.Addr() + dsn.Path + "?sslmode=disable"
}

// stop ends what is still running; nothing is left of it when the test ends.
func (c *topology) stop() {
	for _, i := range append([]*instance{c.management}, c.sidecars...) {
		if i != nil {
			i.kill()
		}
	}
	if c.redis != nil {
		c.redis.Stop()
	}
	c.postgres.Stop()
}

// now is the running server; nil while it is down.
func (i *instance) now() *server {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.running
}

func (i *instance) start() error {
	s, err := start(i.i.binary, i.i.dir, i.i.env, i.flags...)
	if err != nil {
		return fmt.Errorf("%s: %w", i.name, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.running = s
	return nil
}

// down takes the server out of use and returns it.
func (i *instance) down() *server {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.running
	i.running = nil
	return s
}

// kill ends the server as a power cut does. It may be frozen.
func (i *instance) kill() {
	if s := i.down(); s != nil {
		_ = s.kill()
	}
}

// office administers the fleet, when it is healthy.
func (c *topology) office() office { return office{c.management.now(), c.t, c.key} }

// errDown says that nobody was asked.
var errDown = errors.New("the server is down")

// ready waits until every server says that it is.
func (c *topology) ready() {
	c.t.Helper()
	for _, i := range append([]*instance{c.management}, c.sidecars...) {
		for enough := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			x, err := i.now().ops.send(http.MethodGet, "/readyz", "")
			if err == nil && x.status == http.StatusOK {
				break
			}
			if time.Now().After(enough) {
				c.t.Fatalf("%s does not become ready: %v\n%s\n%s", i.name, err, x, i.now().stderr)
			}
		}
	}
}

// portal is a directory of users u0, u1, ... of one organization and of accounts
// that none of them may see yet.
func portal(users, accounts int) string {
	records := []string{
		`{"type":"organization","id":"harbour","kind":"operator"}`,
		`{"type":"organization","id":"acme","kind":"customer"}`,
		`{"type":"company","id":"south","organization":"acme"}`,
	}
	for n := range accounts {
		records = append(records, fmt.Sprintf(`{"type":"account","id":"a%d","company":"south","kind":"service"}`, n))
	}
	for n := range users {
		name := fmt.Sprintf("u%d", n)
		records = append(records,
			fmt.Sprintf(`{"type":"user","kind":"personal","username":%q,"email":"%s@acme.example"}`, name, name),
			fmt.Sprintf(`{"type":"membership","organization":"acme","user":%q,"role":"regular","assigned_by":"user"}`, name))
	}
	return lines(records...)
}
