package test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/store/storetest"
	"github.com/postern-authz/postern/test/fleet"
)

// A topology is a whole fleet of one directory: a database, Redis in a network
// of its own, the server that administers and the sidecars that decide. Each
// connection between two of them goes through a proxy of its own, but for one
// sidecar's to Redis.
type topology struct {
	t          *testing.T
	binary     string
	postgres   storetest.Postgres
	dsn        string           // empty: SQLite
	network    *fleet.Namespace // nil where none can be made
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

// engines are the databases that a fleet may have.
const (
	onSQLite     = "SQLite"
	onPostgreSQL = "PostgreSQL"
)

// newTopology starts a fleet on a directory file. All of it ends with the test.
func newTopology(t *testing.T, binary, engine, directory string) *topology {
	t.Helper()
	c := &topology{t: t, binary: binary}
	t.Cleanup(c.stop)
	if engine == onPostgreSQL {
		c.postgres.Settings = []string{"synchronous_commit=on", "max_connections=60"}
		c.dsn = c.postgres.DSN(t)
	}
	c.cache()
	c.manage(directory)
	for n := range sidecars {
		c.sidecar(n)
	}
	return c
}

// networks numbers the networks of all tests.
var networks atomic.Int64

// cache starts Redis.
func (c *topology) cache() {
	var err error
	if c.network, err = fleet.NewNamespace(int(networks.Add(1))); err != nil {
		c.t.Logf("no network of its own for Redis, a proxy that stalls stands for it: %v", err)
		c.redis, err = fleet.NewRedis()
	} else {
		c.redis, err = c.network.NewRedis()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// installation is one of the fleet's servers: what they share, and a state
// directory of its own.
func (c *topology) installation(settings ...string) installation {
	i := install(c.t, append([]string{
		"POSTERN_SECRET=" + strings.Repeat("s3cr3t", 8),
		"POSTERN_MANAGEMENT_TIMEOUT=2s",
		"POSTERN_DECISIONS_TIMEOUT=500ms",
		"POSTERN_MAX_STALENESS=" + staleness.String(),
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

// manage starts the server that administers, on a directory file.
func (c *topology) manage(directory string) {
	m := &instance{name: "management", flags: []string{"--only=management"}}
	c.management = m
	m.i = c.installation()
	if c.dsn != "" {
		dsn, err := url.Parse(c.dsn)
		if err != nil {
			c.t.Fatal(err)
		}
		m.source = c.proxied(c.postgres.Socket())
		m.i = c.installation("POSTERN_DATABASE=postgres://postgres@" + m.source.Addr() + dsn.Path + "?sslmode=disable")
	}
	m.i.run(c.t, "migrate")
	m.i.run(c.t, "import", m.i.file(c.t, "fleet.ndjson", directory))
	if err := m.start(); err != nil {
		c.t.Fatal(err)
	}
	c.key = m.now().operatorKey()
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
	if c.network != nil {
		c.network.Close()
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
