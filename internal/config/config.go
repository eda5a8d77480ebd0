// Package config reads the settings of Postern from its environment into one
// struct whose tags are the manual. No message of this package ever carries the
// value of a variable, so that a secret in the wrong place stays a secret.
package config

import (
	"errors"
	"log/slog"
	"slices"
	"time"
)

// Prefix starts the name of every variable.
const Prefix = "POSTERN_"

// Config is everything the program reads from its environment. Load makes one
// whose values are all valid.
//
// The tags say what Vars tells: env names the variable, help its effect, range
// its bounds, enum its words, example a value one may want and needs the variables
// that have to be set beside it, type what it is where the field's own type does
// not say so, and group the heading that it and all behind it stand under.
type Config struct {
	State    string   `group:"State and database" env:"STATE" type:"path" example:"/var/lib/postern" help:"Directory of what Postern keeps on this machine: its database and its key. Empty: $STATE_DIRECTORY, which systemd sets, else $XDG_STATE_HOME/postern, else ~/.local/state/postern."`
	Database DSN      `env:"DATABASE" example:"postgres://postern@db.example/postern?sslmode=verify-full" help:"The directory of users and grants: sqlite:PATH, or a postgres:// URL, which over a network needs sslmode=verify-full. Empty: sqlite:postern.db in the state directory."`
	Secret   Secret   `env:"SECRET" example:"/etc/postern/secret" help:"Secret of 32 bytes or more that consistency tokens, mailed links and webhooks are signed with; the same on every replica of one database, and on a server without one what postern secret derive prints. Empty: the file \"secret\" in the state directory, made on the first start."`
	Postgres Postgres `envPrefix:"DATABASE_"`

	Only           string    `group:"What a server serves" env:"ONLY" envDefault:"all" enum:"all,decisions,management" example:"decisions" help:"What this server serves: all, only decisions (a sidecar, with POSTERN_DIRECTORY_URL also one that has no database), or only management. postern serve --only says the same."`
	PublicURL      PublicURL `env:"PUBLIC_URL" example:"https://pdp.example.com" help:"The https URL by which applications reach the decision listener; the AuthZEN metadata names it. Empty: no metadata is served."`
	AllowPlaintext bool      `env:"ALLOW_PLAINTEXT" envDefault:"false" example:"true" help:"Whether decisions may be served, PostgreSQL asked, and a password sent to Redis over a network without verified TLS. Set it only where the network itself is trusted and encrypted."`
	Directory      Directory `envPrefix:"DIRECTORY_"`

	Decisions  Decisions  `group:"Decisions" envPrefix:"DECISIONS_"`
	Data       Data       `group:"OPA's Data API" envPrefix:"DATA_"`
	Management Management `group:"Administration" envPrefix:"MANAGEMENT_"`
	Ops        Ops        `group:"Metrics and probes" envPrefix:"OPS_"`
	Metrics    Metrics    `envPrefix:"METRICS_"`

	TrustedProxies []string `group:"Proxies" env:"TRUSTED_PROXIES" example:"10.1.0.0/16,unix" help:"Networks such as 10.1.0.0/16 from which a proxy may ask whether to let a request through, and the word unix for whoever reaches the decision listener's unix socket. What any other address says of a request does not count. Empty: nobody may ask so."`
	Proxy          Proxy    `envPrefix:"PROXY_"`

	Credentials        string        `group:"People" env:"CREDENTIALS" envDefault:"local" enum:"local,external" example:"external" help:"Who keeps passwords: Postern (local), or an identity provider (external); then nothing that has to do with passwords is served."`
	PortalURLs         []string      `env:"PORTAL_URLS" example:"https://portal.example.com,https://partners.example.com" help:"The https URLs of the portals that mailed links may lead to, the default first; http only on a loopback address. Empty: no link is mailed."`
	WebhookAllow       []string      `env:"WEBHOOK_ALLOW" example:"10.1.0.0/16" help:"Networks such as 10.1.0.0/16 that webhooks may be sent into although they are not on the internet; only there may a webhook be http. Empty: none."`
	InvitationCooldown time.Duration `env:"INVITATION_COOLDOWN" envDefault:"1m" range:"0s..24h" example:"5m" help:"How long after one mail of an invitation the next one may go."`
	JWT                JWT           `group:"Tokens of an identity provider" envPrefix:"JWT_"`
	Mail               Mail          `group:"Mail" envPrefix:""`

	Policies       string        `group:"Policies" env:"POLICIES" type:"path" example:"/etc/postern/policies" help:"Directory or .tar.gz of a core policy of your own. Empty: the core policy embedded in this program."`
	Overlays       []string      `env:"OVERLAYS" example:"/etc/postern/overlays/base,/etc/postern/overlays/freeze" help:"Directories or .tar.gz files of overlay policies, laid over the core in this order. Empty: none."`
	PolicyPoll     time.Duration `env:"POLICY_POLL" envDefault:"1s" range:"100ms..1h" example:"5s" help:"How often policy files are looked at for a change."`
	PolicyBuiltins []string      `env:"POLICY_BUILTINS" example:"io.jwt.decode,crypto.sha256" help:"Rego builtin functions that policies may use beside those of the built-in list, such as io.jwt.decode. Empty: none."`

	MaxStaleness time.Duration `group:"How old grants may be" env:"MAX_STALENESS" envDefault:"5s" range:"1s..60s" example:"10s" help:"How old grants may be when the database does not answer; beyond it there is no decision but a 503."`
	ServeStale   time.Duration `env:"SERVE_STALE_FOR" envDefault:"0s" range:"0s..24h" example:"15m" help:"For how long beyond POSTERN_MAX_STALENESS decisions may still rest on grants in memory when the database cannot be read, each marked with \"stale\": true in its context: a grant that was taken back elsewhere counts here for so much longer. 0s: not at all."`
	PollInterval time.Duration `env:"POLL_INTERVAL" envDefault:"250ms" range:"10ms..10s" example:"500ms" help:"How often the change log of the directory is read: how late, at most, a change made elsewhere takes effect here."`
	GrantsCache  Size          `env:"GRANTS_CACHE" envDefault:"256MiB" range:"1MiB..1TiB" example:"1GiB" help:"Memory for grants read from the directory; the least used make room."`

	Redis Redis `group:"Redis" envPrefix:"REDIS_"`

	DecisionLog DecisionLog `group:"Decision log" envPrefix:""`

	LogLevel    slog.Level    `group:"Messages and the end" env:"LOG_LEVEL" envDefault:"info" example:"debug" help:"Least important message to log on stderr: debug, info, warn or error."`
	LogFormat   string        `env:"LOG_FORMAT" envDefault:"json" enum:"json,text" example:"text" help:"Form of messages on stderr."`
	LogRequests bool          `env:"LOG_REQUESTS" envDefault:"false" example:"true" help:"Whether every request to the decision and the management listener is a message of level info: its request id, trace, route, status and seconds. Otherwise it is one of level debug."`
	DrainDelay  time.Duration `env:"DRAIN_DELAY" envDefault:"5s" range:"0s..5m" example:"10s" help:"How long requests are still served after SIGTERM while /readyz already says no, so that load balancers look elsewhere; 0s for a sidecar."`

	sources map[string]string // where a variable that was set comes from, by name
}

// Postgres is how a PostgreSQL database is used. Connections count for SQLite, too.
type Postgres struct {
	Connections      int           `env:"CONNECTIONS" envDefault:"8" range:"1..1000" example:"16" help:"Most connections that read the database at a time. PostgreSQL needs room for four more from each process: two that write, one that follows the change log, and one that listens for changes."`
	StatementTimeout time.Duration `env:"STATEMENT_TIMEOUT" envDefault:"30s" range:"1s..1h" example:"10s" help:"Longest that one statement may take in PostgreSQL; imports and exports have no such limit."`
	Pooler           bool          `env:"POOLER" envDefault:"false" example:"true" needs:"DATABASE" help:"Whether POSTERN_DATABASE leads to a pooler that lends connections for a transaction, such as PgBouncer. Then no connection keeps a statement or a setting, changes are looked for at POSTERN_POLL_INTERVAL alone, and postern migrate has to be run against PostgreSQL itself."`
}

// Decisions is the listener that applications ask.
type Decisions struct {
	Listen    Address       `env:"LISTEN" envDefault:"127.0.0.1:8181" example:"unix:///run/postern/decisions.sock" help:"Where applications ask for decisions: host:port, unix:///path for a socket, or fd://3 for one that systemd hands over."`
	Auth      string        `env:"AUTH" envDefault:"auto" enum:"auto,key,mtls,none" example:"key" help:"How applications prove who they are: an app key, a client certificate (mtls), or not at all (none), which only a loopback address or a unix socket allows. auto: mtls where a client CA is set, none where none is allowed, else key."`
	TLSCert   string        `env:"TLS_CERT" type:"path" example:"/etc/postern/decisions.crt" needs:"DECISIONS_TLS_KEY" help:"PEM file of the certificate chain, read again when it changes. Empty: no TLS, which only a loopback address or a unix socket allows."`
	TLSKey    string        `env:"TLS_KEY" type:"path" example:"/etc/postern/decisions.key" needs:"DECISIONS_TLS_CERT" help:"PEM file of the certificate's private key. Empty: no TLS."`
	ClientCA  string        `env:"TLS_CLIENT_CA" type:"path" example:"/etc/postern/applications-ca.crt" needs:"DECISIONS_TLS_CERT,DECISIONS_TLS_KEY" help:"PEM file of the authorities that sign client certificates. Empty: no client certificate is asked for."`
	Timeout   time.Duration `env:"TIMEOUT" envDefault:"100ms" range:"1ms..1m" example:"250ms" help:"Longest that a decision may take, to which each further evaluation of a batch adds 1ms; beyond it the answer is a 503."`
	MaxBody   Size          `env:"MAX_BODY" envDefault:"256KiB" range:"1KiB..64MiB" example:"1MiB" help:"Largest body of a request; a larger one is refused with a 413."`
	MaxBatch  int           `env:"MAX_BATCH" envDefault:"1000" range:"1..100000" example:"200" help:"Most evaluations in one request; more are refused with a 400."`
	MaxConns  int           `env:"MAX_CONNECTIONS" envDefault:"8192" range:"1..1000000" example:"20000" help:"Most connections at a time; one more is closed at once."`
	ConnsByIP int           `env:"MAX_CONNECTIONS_PER_IP" envDefault:"0" range:"0..1000000" example:"256" help:"Most connections at a time from one address; 0 for no such limit, because behind a proxy all callers share one."`

	handedLocal bool // whether Listen was handed over, and only this machine can reach it
}

// Proxy is what proxies that are trusted say of a request.
type Proxy struct {
	SubjectHeader string   `env:"SUBJECT_HEADER" type:"text" example:"Remote-User" needs:"TRUSTED_PROXIES" help:"The header in which a trusted proxy that signs users in names the user by username, such as Remote-User. The proxy has to overwrite what a client sends under that name. Empty: users are known by JWT alone."`
	Headers       []string `env:"HEADERS" example:"X-Tenant,Accept-Language" help:"Headers of a request, at most 16, that the policy sees when it says what the request means. Empty: none."`
}

// Who keeps passwords.
const (
	CredentialsLocal    = "local"
	CredentialsExternal = "external"
)

// The ways an application proves who it is. AuthAuto is never what AuthMode
// returns.
const (
	AuthAuto = "auto"
	AuthKey  = "key"
	AuthMTLS = "mtls"
	AuthNone = "none"
)

// Local tells whether only this machine can reach the listener. Load has looked at
// a socket that was handed over.
func (d Decisions) Local() bool { return d.handedLocal || d.Listen.Local() }

// AuthMode is Auth with auto made one of the others.
func (d Decisions) AuthMode() string {
	switch {
	case d.Auth != AuthAuto:
		return d.Auth
	case d.ClientCA != "":
		return AuthMTLS
	case d.Local():
		return AuthNone
	}
	return AuthKey
}

// Data is what is served to the clients of OPA.
type Data struct {
	Paths   []string `env:"PATHS" type:"path,..." example:"custom/lists,catalog/actions" help:"Paths of data that OPA's Data API serves, each with all that lies below it, beside the entrypoints that policies declare; such as custom/lists for data.custom.lists. Empty: entrypoints alone."`
	Default string   `env:"DEFAULT" envDefault:"postern/access/decision" type:"path of data" example:"custom/portal/decision" help:"Path of what POST / of OPA's Data API asks: an entrypoint, or one that POSTERN_DATA_PATHS opens."`
}

// Management is the listener that portals and operators administer by.
type Management struct {
	Listen       Switch        `env:"LISTEN" envDefault:"127.0.0.1:8182" example:"10.0.0.5:8182" needs:"MANAGEMENT_TLS_CERT,MANAGEMENT_TLS_KEY" help:"Where users, grants and invitations are administered: host:port, unix:///path, fd://3, or none for no administration by this process. It always asks for a credential: postern help administration."`
	TLSCert      string        `env:"TLS_CERT" type:"path" example:"/etc/postern/management.crt" needs:"MANAGEMENT_TLS_KEY" help:"PEM file of the certificate chain, read again when it changes. Empty: no TLS, which only a loopback address or a unix socket allows."`
	TLSKey       string        `env:"TLS_KEY" type:"path" example:"/etc/postern/management.key" needs:"MANAGEMENT_TLS_CERT" help:"PEM file of the certificate's private key. Empty: no TLS."`
	ClientCA     string        `env:"TLS_CLIENT_CA" type:"path" example:"/etc/postern/portals-ca.crt" needs:"MANAGEMENT_TLS_CERT,MANAGEMENT_TLS_KEY" help:"PEM file of the authorities that sign client certificates; callers then need one beside their credential. Empty: no client certificate is asked for."`
	Timeout      time.Duration `env:"TIMEOUT" envDefault:"5s" range:"100ms..5m" example:"10s" help:"Longest that a request may take; beyond it the answer is a 503."`
	MaxBody      Size          `env:"MAX_BODY" envDefault:"1MiB" range:"512KiB..1MiB" example:"512KiB" help:"Largest body of a request; a larger one is refused with a 413."`
	MaxConns     int           `env:"MAX_CONNECTIONS" envDefault:"1024" range:"1..1000000" example:"4096" help:"Most connections at a time; one more is closed at once."`
	Rate         int           `env:"RATE" envDefault:"50" range:"1..1000000" example:"200" help:"Most requests a second with one credential, twice as many at once; one more is refused with a 429."`
	StrangerRate int           `env:"STRANGER_RATE" envDefault:"10" range:"1..1000000" example:"30" help:"Most requests a minute from one address that shows no credential, such as one that follows a link; one more is refused with a 429."`
}

// JWT is the issuer whose tokens say who users are.
type JWT struct {
	Issuer    string `env:"ISSUER" type:"text" example:"https://id.example.com" needs:"JWT_AUDIENCE,JWT_KEYS" help:"The issuer (claim iss) whose JWTs are accepted, of users who administer and of users whom a proxy asks about, signed with RS256, ES256 or EdDSA. Empty: no JWT is accepted."`
	Audience  string `env:"AUDIENCE" type:"text" example:"postern" needs:"JWT_ISSUER,JWT_KEYS" help:"What the claim aud of a JWT has to name. Empty: no JWT is accepted."`
	Keys      string `env:"KEYS" type:"URL | path" example:"https://id.example.com/.well-known/jwks.json" needs:"JWT_ISSUER,JWT_AUDIENCE" help:"The issuer's public keys, as a JWK Set: an https URL, http on a loopback address, or a file. Empty: no JWT is accepted."`
	UserClaim string `env:"USER_CLAIM" envDefault:"sub" type:"text" example:"preferred_username" needs:"JWT_ISSUER,JWT_AUDIENCE,JWT_KEYS" help:"The claim that names the user: sub with the user's id (usr_...), any other with the username."`
}

// Mail is how mail leaves.
type Mail struct {
	Server   MailServer    `env:"MAIL" envDefault:"none" example:"smtp://postern@mail.example.com:587" needs:"MAIL_FROM,PORTAL_URLS" help:"Where mail is handed over: smtp://user@host:587 with STARTTLS, smtps://user@host:465, file:///directory for one .eml file each while developing, or none; then it waits in the outbox."`
	Password Secret        `env:"MAIL_PASSWORD" example:"/etc/postern/mail.password" needs:"MAIL" help:"Password of the user in POSTERN_MAIL. Empty: none is sent."`
	From     string        `env:"MAIL_FROM" type:"text" example:"postern@portal.example.com" help:"Address that mail is from, such as postern@portal.example. Empty: no mail is sent."`
	Retry    time.Duration `env:"MAIL_RETRY" envDefault:"1m" range:"1s..1h" example:"5m" help:"How long a mail that was not taken waits for the next attempt; every further one waits twice as long, up to 6h."`
}

// Ops is the listener that operators and probes ask.
type Ops struct {
	Listen Address `env:"LISTEN" envDefault:"127.0.0.1:8183" example:"0.0.0.0:8183" help:"Where /metrics and the probes are served, as host:port. It has nothing to hide and asks nobody who they are."`
	Pprof  bool    `env:"PPROF" envDefault:"false" example:"true" help:"Whether Go profiles are served under /debug/pprof/, which needs a loopback address."`
}

// Metrics are what Prometheus is told.
type Metrics struct {
	NativeHistograms bool `env:"NATIVE_HISTOGRAMS" envDefault:"false" example:"true" help:"Whether histograms have native buckets too, for a Prometheus that takes them. It takes them alone then: what asks for _bucket, _sum or _count finds nothing any more. The dashboard and the rules of Postern work with both."`
}

// DecisionLog is where decisions are remembered.
type DecisionLog struct {
	Target  LogTarget `env:"DECISION_LOG" envDefault:"none" example:"/var/log/postern/decisions.ndjson" help:"Where decisions are logged, one JSON line each: none, stdout, or a file as /path or file:///path."`
	MaxSize Size      `env:"DECISION_LOG_MAX_SIZE" envDefault:"100MiB" range:"1MiB..1TiB" example:"1GiB" help:"Size at which a decision log file is put aside and a new one begun, in whole MiB."`
	Files   int       `env:"DECISION_LOG_FILES" envDefault:"10" range:"1..10000" example:"30" help:"How many decision log files that were put aside are kept."`
	Queue   int       `env:"DECISION_LOG_QUEUE" envDefault:"10000" range:"1..1000000" example:"50000" help:"How many decisions may wait to be logged, and of those with large inputs no more than take 256 MiB. When a sink is slower than decisions come, the rest are dropped and counted."`
}

// Load reads environ, which is in the form of os.Environ, and the files it
// names. The error names every fault at once, one line each.
func Load(environ []string) (*Config, error) {
	c := &Config{sources: map[string]string{}}
	var f faults
	c.read(environ, &f)
	c.Decisions.handedLocal = c.Decisions.Listen.handedLocal()
	c.validate(&f)
	if err := f.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Validate says, in sentences, everything that is wrong with the settings, or
// nil.
func (c *Config) Validate() error {
	var f faults
	c.validate(&f)
	return f.err()
}

// faults collects what is wrong, by variable. Once a variable is at fault,
// whatever else would be said of it only follows from that.
type faults struct {
	names []string
	errs  []error
}

func (f *faults) add(name, sentence string) {
	f.names = append(f.names, name)
	f.errs = append(f.errs, errors.New(name+" "+sentence))
}

// when adds a fault of the first of names if bad, unless one of them is at
// fault already.
func (f *faults) when(bad bool, sentence string, names ...string) {
	known := func(name string) bool { return slices.Contains(f.names, Prefix+name) }
	if bad && !slices.ContainsFunc(names, known) {
		f.add(Prefix+names[0], sentence)
	}
}

func (f *faults) err() error { return errors.Join(f.errs...) }
