package config

import (
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A DSN says where the database is: "sqlite:PATH", or a postgres:// URL. However
// it is printed, it shows no password; its value is string(d).
type DSN string

const sqlitePrefix = "sqlite:"

// UnmarshalText reads a data source name.
func (d *DSN) UnmarshalText(text []byte) error {
	s := string(text)
	path, sqlite := strings.CutPrefix(s, sqlitePrefix)
	switch {
	case sqlite && (path == "" || strings.HasSuffix(path, "/")):
		return errors.New("names no file: write sqlite:PATH")
	case !sqlite && !isPostgres(s):
		return errors.New("is neither sqlite:PATH nor a postgres:// URL")
	case !sqlite:
		// The parser's own error repeats parts of the URL.
		if _, err := pgconn.ParseConfig(s); err != nil {
			return errors.New("is not a PostgreSQL URL such as postgres://postern@db.example.com/postern?sslmode=verify-full, or names a file that cannot be read; special characters of a password are written as %XX")
		}
	}
	*d = DSN(s)
	return nil
}

func isPostgres(s string) bool {
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

// SQLite is the path of an SQLite database, and whether it is one.
func (d DSN) SQLite() (path string, ok bool) { return strings.CutPrefix(string(d), sqlitePrefix) }

// String is the name without what may be secret: the password, and every
// parameter that is not known to be harmless.
func (d DSN) String() string {
	if !isPostgres(string(d)) {
		return string(d)
	}
	u, err := url.Parse(string(d))
	if err != nil || ambiguous(string(d)) {
		return "postgres://" + redacted
	}
	user := ""
	if u.User != nil {
		user = redactUser(u.User) + "@"
	}
	return u.Scheme + "://" + user + u.Host + u.EscapedPath() + redactQuery(u.Query())
}

// ambiguous tells whether a URL has an @ behind its authority: a password with
// a / ? or # in it then looks like a host, and where it ends is a guess.
func ambiguous(dsn string) bool {
	_, rest, _ := strings.Cut(dsn, "://")
	authority := strings.IndexAny(rest, "/?#")
	return authority >= 0 && strings.Contains(rest[authority:], "@")
}

func redactUser(u *url.Userinfo) string {
	name := url.User(u.Username()).String()
	if _, ok := u.Password(); ok {
		name += ":" + redacted
	}
	return name
}

func redactQuery(q url.Values) string {
	harmless := []string{"application_name", "connect_timeout", "dbname", "host", "pool_max_conns", "pool_min_conns", "port", "search_path", "sslmode", "sslrootcert", "target_session_attrs", "user"}
	var list []string
	for name, values := range q {
		if slices.Contains(harmless, name) {
			list = append(list, name+"="+strings.Join(values, ","))
		}
	}
	slices.Sort(list)
	if len(list) < len(q) {
		list = append(list, redacted) // not even the name: an & in a password makes one
	}
	if len(list) == 0 {
		return ""
	}
	return "?" + strings.Join(list, "&")
}

// GoString is String, for %#v.
func (d DSN) GoString() string { return d.String() }

// MarshalText is String, for JSON.
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LogValue is String, for log/slog.
func (d DSN) LogValue() slog.Value { return slog.StringValue(d.String()) }

// exposed tells whether anybody on the network could pose as the database:
// it is on another machine and one of the ways to it verifies no certificate.
func (d DSN) exposed() bool {
	if !isPostgres(string(d)) {
		return false
	}
	c, err := pgconn.ParseConfig(string(d))
	if err != nil {
		return false
	}
	ways := append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	return slices.ContainsFunc(ways, func(w *pgconn.FallbackConfig) bool {
		network, _ := pgconn.NetworkAddress(w.Host, w.Port)
		verified := w.TLSConfig != nil && (!w.TLSConfig.InsecureSkipVerify || w.TLSConfig.VerifyPeerCertificate != nil)
		return network != "unix" && !loopback(w.Host) && !verified
	})
}

// loopback tells whether a host is this machine and nothing else. A name other
// than localhost may mean any address.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}
