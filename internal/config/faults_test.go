package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// F35: a configuration that is wrong is refused, with one line per fault.
func TestBadConfigurationsAreRefused(t *testing.T) {
	dir := t.TempDir()
	open := writeFile(t, dir, "open", strings.Repeat("s", 32), 0o644)
	group := writeFile(t, dir, "group", strings.Repeat("s", 32), 0o640)
	empty := writeFile(t, dir, "empty", "\n", 0o600)
	huge := writeFile(t, dir, "huge", strings.Repeat("s", maxSecret+1), 0o600)
	rego := writeFile(t, dir, "p.rego", "package p", 0o600)
	cert, key := writeCertificate(t, dir, "a")
	_, otherKey := writeCertificate(t, dir, "b")
	openKey := writeFile(t, dir, "open.key", read(t, key), 0o644)

	long := strings.Repeat("p", 120)
	cases := []struct {
		name    string
		environ string // separated by blanks
		want    []string
	}{
		{"a misspelt name", "POSTERN_DECISION_LISTEN=:1", []string{"POSTERN_DECISION_LISTEN is not a setting; did you mean POSTERN_DECISIONS_LISTEN?"}},
		{"a misspelt secret file", "POSTERN_SECRT_FILE=/x", []string{"POSTERN_SECRT_FILE is not a setting; did you mean POSTERN_SECRET_FILE?"}},
		{"a file for what is no secret", "POSTERN_POLICIES_FILE=/x", []string{"POSTERN_POLICIES_FILE is not a setting; `postern help configuration` lists them"}},
		{"a name like no other", "POSTERN_KUBECONFIG=/x", []string{"POSTERN_KUBECONFIG is not a setting; `postern help configuration` lists them"}},
		{"nowhere to keep state", "HOME=", []string{"POSTERN_STATE is not set, and none of STATE_DIRECTORY, XDG_STATE_HOME and HOME says where state may be kept"}},
		{"a short secret", "POSTERN_SECRET=hunter2", []string{"POSTERN_SECRET has fewer than 32 bytes; `openssl rand -base64 32` makes a good one"}},
		{"a secret twice", "POSTERN_SECRET=hunter2 POSTERN_SECRET_FILE=" + open, []string{"POSTERN_SECRET and POSTERN_SECRET_FILE are both set: keep one"}},
		{"a secret file that is not there", "POSTERN_SECRET_FILE=/hunter2", []string{"POSTERN_SECRET_FILE names a file that cannot be read: no such file or directory"}},
		{"a secret file that is a directory", "POSTERN_SECRET_FILE=" + t.TempDir(), []string{"POSTERN_SECRET_FILE names a file that others may read: chmod 600 it"}},
		{"a secret file that all may read", "POSTERN_SECRET_FILE=" + open, []string{"POSTERN_SECRET_FILE names a file that others may read: chmod 600 it"}},
		{"a secret file of ours that its group may read", "POSTERN_SECRET_FILE=" + group, []string{"POSTERN_SECRET_FILE names a file that others may read: chmod 600 it"}},
		{"an empty secret file", "POSTERN_SECRET_FILE=" + empty, []string{"POSTERN_SECRET_FILE names a file that is empty"}},
		{"a secret file that is none", "POSTERN_SECRET_FILE=" + huge, []string{"POSTERN_SECRET_FILE names a file that is larger than any secret"}},
		{"a database of another kind", "POSTERN_DATABASE=mysql://app:hunter2@db/x", []string{"POSTERN_DATABASE is neither sqlite:PATH nor a postgres:// URL"}},
		{"an SQLite database without a file", "POSTERN_DATABASE=sqlite:", []string{"POSTERN_DATABASE names no file: write sqlite:PATH"}},
		{"an SQLite database that is a directory", "POSTERN_DATABASE=sqlite:/srv/", []string{"POSTERN_DATABASE names no file: write sqlite:PATH"}},
		{"a database URL with a broken password", "POSTERN_DATABASE=postgres://app:hunter2%zz@db/x", []string{"POSTERN_DATABASE is not a PostgreSQL URL such as postgres://postern@db.example.com/postern?sslmode=verify-full, or names a file that cannot be read; special characters of a password are written as %XX"}},
		{"a database over the network without TLS", "POSTERN_DATABASE=postgres://app:hunter2@db/x?sslmode=disable", []string{exposedDatabase}},
		{"a database whose certificate nobody checks", "POSTERN_DATABASE=postgres://app:hunter2@db/x?sslmode=require", []string{exposedDatabase}},
		{"a database that may fall back to no TLS", "POSTERN_DATABASE=postgres://app:hunter2@10.0.0.1/x", []string{exposedDatabase}},
		{"a public URL without TLS", "POSTERN_PUBLIC_URL=http://pdp.example.com", []string{"POSTERN_PUBLIC_URL is not an https URL, which AuthZEN metadata has to be"}},
		{"a public URL on loopback without TLS", "POSTERN_PUBLIC_URL=http://127.0.0.1:8181", []string{"POSTERN_PUBLIC_URL is not an https URL, which AuthZEN metadata has to be"}},
		{"a public URL with a query", "POSTERN_PUBLIC_URL=https://pdp.example.com/?a=b", []string{"POSTERN_PUBLIC_URL has a user, a query or a fragment, which AuthZEN metadata has not"}},
		{"a public URL with an empty query", "POSTERN_PUBLIC_URL=https://pdp.example.com/?", []string{"POSTERN_PUBLIC_URL has a user, a query or a fragment, which AuthZEN metadata has not"}},
		{"a public URL with a fragment", "POSTERN_PUBLIC_URL=https://pdp.example.com/#", []string{"POSTERN_PUBLIC_URL has a user, a query or a fragment, which AuthZEN metadata has not"}},
		{"a public URL with a password", "POSTERN_PUBLIC_URL=https://u:hunter2@pdp.example.com", []string{"POSTERN_PUBLIC_URL has a user, a query or a fragment, which AuthZEN metadata has not"}},
		{"a public URL without a host", "POSTERN_PUBLIC_URL=https:///x", []string{"POSTERN_PUBLIC_URL is not a URL such as https://pdp.example.com"}},
		{"an address without a port", "POSTERN_DECISIONS_LISTEN=127.0.0.1", []string{badListen}},
		{"an address with a port out of range", "POSTERN_DECISIONS_LISTEN=127.0.0.1:65536", []string{badListen}},
		{"an address with a named port", "POSTERN_DECISIONS_LISTEN=127.0.0.1:http", []string{badListen}},
		{"an address that is a URL", "POSTERN_DECISIONS_LISTEN=http://127.0.0.1:8181", []string{badListen}},
		{"a relative socket", "POSTERN_DECISIONS_LISTEN=unix://decisions.sock", []string{badSocket}},
		{"a socket whose path is too long", "POSTERN_DECISIONS_LISTEN=unix:///" + long, []string{badSocket}},
		{"all addresses without TLS", "POSTERN_DECISIONS_LISTEN=:8181", []string{plaintext}},
		{"a name without TLS", "POSTERN_DECISIONS_LISTEN=pdp:8181", []string{plaintext}},
		{"a name that looks local", "POSTERN_DECISIONS_LISTEN=localhost.example.com:8181", []string{plaintext}},
		{"a socket that is standard output", "POSTERN_DECISIONS_LISTEN=fd://1", []string{badHandedOver}},
		{"a socket without a number", "POSTERN_DECISIONS_LISTEN=fd://x", []string{badHandedOver}},
		{"nobody has to prove anything on the network", "POSTERN_ALLOW_PLAINTEXT=true POSTERN_DECISIONS_AUTH=none POSTERN_DECISIONS_LISTEN=0.0.0.0:8181", []string{"POSTERN_DECISIONS_AUTH is none, but POSTERN_DECISIONS_LISTEN can be reached over the network: anybody there could ask"}},
		{"an unknown way to authenticate", "POSTERN_DECISIONS_AUTH=basic", []string{"POSTERN_DECISIONS_AUTH is none of: auto, key, mtls, none"}},
		{"mtls without a client CA", "POSTERN_DECISIONS_AUTH=mtls", []string{"POSTERN_DECISIONS_AUTH is mtls, which needs POSTERN_DECISIONS_TLS_CLIENT_CA"}},
		{"a client CA without TLS", "POSTERN_DECISIONS_TLS_CLIENT_CA=" + cert, []string{"POSTERN_DECISIONS_TLS_CLIENT_CA needs POSTERN_DECISIONS_TLS_CERT: without TLS there are no client certificates"}},
		{"a client CA that nobody needs", "POSTERN_DECISIONS_AUTH=none POSTERN_DECISIONS_TLS_CLIENT_CA=" + cert + " POSTERN_DECISIONS_TLS_CERT=" + cert + " POSTERN_DECISIONS_TLS_KEY=" + key, []string{"POSTERN_DECISIONS_AUTH is none, but POSTERN_DECISIONS_TLS_CLIENT_CA asks for client certificates"}},
		{"a client CA that is none", "POSTERN_DECISIONS_TLS_CLIENT_CA=" + rego + " POSTERN_DECISIONS_TLS_CERT=" + cert + " POSTERN_DECISIONS_TLS_KEY=" + key, []string{"POSTERN_DECISIONS_TLS_CLIENT_CA has no certificate in PEM form"}},
		{"a certificate without its key", "POSTERN_DECISIONS_TLS_CERT=" + cert, []string{"POSTERN_DECISIONS_TLS_CERT needs POSTERN_DECISIONS_TLS_KEY"}},
		{"a key without its certificate", "POSTERN_DECISIONS_TLS_KEY=" + key, []string{"POSTERN_DECISIONS_TLS_KEY needs POSTERN_DECISIONS_TLS_CERT"}},
		{"a key of another certificate", "POSTERN_DECISIONS_TLS_CERT=" + cert + " POSTERN_DECISIONS_TLS_KEY=" + otherKey, []string{"POSTERN_DECISIONS_TLS_CERT and POSTERN_DECISIONS_TLS_KEY are not a certificate and its key in PEM form"}},
		{"a key that all may read", "POSTERN_DECISIONS_TLS_CERT=" + cert + " POSTERN_DECISIONS_TLS_KEY=" + openKey, []string{"POSTERN_DECISIONS_TLS_KEY names a file that others may read: chmod 600 it"}},
		{"a certificate that is not there", "POSTERN_DECISIONS_TLS_CERT=/none POSTERN_DECISIONS_TLS_KEY=" + key, []string{"POSTERN_DECISIONS_TLS_CERT names a file that cannot be read: no such file or directory"}},
		{"a timeout without a unit", "POSTERN_DECISIONS_TIMEOUT=100", []string{"POSTERN_DECISIONS_TIMEOUT is not a duration such as 250ms, 5s or 1m30s"}},
		{"no timeout", "POSTERN_DECISIONS_TIMEOUT=0s", []string{"POSTERN_DECISIONS_TIMEOUT is not within 1ms..1m"}},
		{"a negative timeout", "POSTERN_DECISIONS_TIMEOUT=-1s", []string{"POSTERN_DECISIONS_TIMEOUT is not within 1ms..1m"}},
		{"a body size with another unit", "POSTERN_DECISIONS_MAX_BODY=1MB", []string{"POSTERN_DECISIONS_MAX_BODY is not a size such as 4MiB"}},
		{"a negative body size", "POSTERN_DECISIONS_MAX_BODY=-1", []string{"POSTERN_DECISIONS_MAX_BODY is not a size such as 4MiB"}},
		{"a body size beyond all numbers", "POSTERN_DECISIONS_MAX_BODY=9999999999TiB", []string{"POSTERN_DECISIONS_MAX_BODY is not a size such as 4MiB"}},
		{"a body size that fills the memory", "POSTERN_DECISIONS_MAX_BODY=1GiB", []string{"POSTERN_DECISIONS_MAX_BODY is not within 1KiB..64MiB"}},
		{"no batches", "POSTERN_DECISIONS_MAX_BATCH=0", []string{"POSTERN_DECISIONS_MAX_BATCH is not within 1..100000"}},
		{"a batch size that is no number", "POSTERN_DECISIONS_MAX_BATCH=many", []string{"POSTERN_DECISIONS_MAX_BATCH is not a whole number"}},
		{"a body that no log file can hold", "POSTERN_DECISIONS_MAX_BODY=1MiB POSTERN_DECISION_LOG_MAX_SIZE=3MiB", []string{"POSTERN_DECISION_LOG_MAX_SIZE is less than four times POSTERN_DECISIONS_MAX_BODY; a logged decision may be longer than a file"}},
		{"no connections", "POSTERN_DECISIONS_MAX_CONNECTIONS=0", []string{"POSTERN_DECISIONS_MAX_CONNECTIONS is not within 1..1000000"}},
		{"fewer connections than none", "POSTERN_DECISIONS_MAX_CONNECTIONS_PER_IP=-1", []string{"POSTERN_DECISIONS_MAX_CONNECTIONS_PER_IP is not within 0..1000000"}},
		{"neither yes nor no", "POSTERN_ALLOW_PLAINTEXT=perhaps", []string{"POSTERN_ALLOW_PLAINTEXT is neither true nor false"}},
		{"an ops listener on a socket", "POSTERN_OPS_LISTEN=unix:///run/ops.sock", []string{badOps}},
		{"an ops listener that is handed over", "POSTERN_OPS_LISTEN=fd://3", []string{badOps}},
		{"two listeners on one address", "POSTERN_OPS_LISTEN=127.0.0.1:8181", []string{"POSTERN_OPS_LISTEN is the address of POSTERN_DECISIONS_LISTEN too"}},
		{"profiles for the network", "POSTERN_OPS_LISTEN=:8183 POSTERN_OPS_PPROF=true", []string{"POSTERN_OPS_PPROF shows the inside of the process, so POSTERN_OPS_LISTEN has to be a loopback address"}},
		{"policies that are not there", "POSTERN_POLICIES=/none", []string{"POSTERN_POLICIES names a policy that cannot be read: no such file or directory"}},
		{"policies that are one file", "POSTERN_POLICIES=" + rego, []string{"POSTERN_POLICIES names a policy that is neither a directory nor a .tar.gz file"}},
		{"an overlay that is not there", "POSTERN_OVERLAYS=" + dir + ",/none", []string{"POSTERN_OVERLAYS names a policy that cannot be read: no such file or directory"}},
		{"an overlay twice", "POSTERN_OVERLAYS=" + dir + "," + dir, []string{"POSTERN_OVERLAYS names something twice"}},
		{"an overlay too few", "POSTERN_OVERLAYS=" + dir + ",", []string{"POSTERN_OVERLAYS has an empty element; elements are separated by one comma"}},
		{"policies looked at all the time", "POSTERN_POLICY_POLL=1ms", []string{"POSTERN_POLICY_POLL is not within 100ms..1h"}},
		{"a builtin that is no name", "POSTERN_POLICY_BUILTINS=http.send()", []string{"POSTERN_POLICY_BUILTINS has something that is no name of a Rego function, such as io.jwt.decode"}},
		{"staleness without a bound", "POSTERN_MAX_STALENESS=24h", []string{"POSTERN_MAX_STALENESS is not within 1s..60s"}},
		{"no staleness at all", "POSTERN_MAX_STALENESS=0s", []string{"POSTERN_MAX_STALENESS is not within 1s..60s"}},
		{"a poll as slow as the bound", "POSTERN_POLL_INTERVAL=5s", []string{"POSTERN_POLL_INTERVAL is more than half of POSTERN_MAX_STALENESS; one slow poll would stop all decisions"}},
		{"a poll without a pause", "POSTERN_POLL_INTERVAL=0s", []string{"POSTERN_POLL_INTERVAL is not within 10ms..10s"}},
		{"a cache too small", "POSTERN_GRANTS_CACHE=1KiB", []string{"POSTERN_GRANTS_CACHE is not within 1MiB..1TiB"}},
		{"a decision log in a relative file", "POSTERN_DECISION_LOG=decisions.log", []string{badTarget}},
		{"a decision log in a directory", "POSTERN_DECISION_LOG=/var/log/", []string{badTarget}},
		{"a decision log somewhere else", "POSTERN_DECISION_LOG=https://u:hunter2@logs", []string{badTarget}},
		{"decision log files that are too small", "POSTERN_DECISION_LOG_MAX_SIZE=1KiB", []string{"POSTERN_DECISION_LOG_MAX_SIZE is not within 1MiB..1TiB"}},
		{"no decision log files", "POSTERN_DECISION_LOG_FILES=0", []string{"POSTERN_DECISION_LOG_FILES is not within 1..10000"}},
		{"a decision log without a queue", "POSTERN_DECISION_LOG_QUEUE=0", []string{"POSTERN_DECISION_LOG_QUEUE is not within 1..1000000"}},
		{"an unknown level", "POSTERN_LOG_LEVEL=loud", []string{"POSTERN_LOG_LEVEL is none of: debug, info, warn, error"}},
		{"an unknown format", "POSTERN_LOG_FORMAT=xml", []string{"POSTERN_LOG_FORMAT is none of: json, text"}},
		{"a drain without an end", "POSTERN_DRAIN_DELAY=1h", []string{"POSTERN_DRAIN_DELAY is not within 0s..5m"}},
		{"administration on the network without TLS", "POSTERN_MANAGEMENT_LISTEN=:8182", []string{plaintextManagement}},
		{"administration on a key of another certificate", "POSTERN_MANAGEMENT_TLS_CERT=" + cert + " POSTERN_MANAGEMENT_TLS_KEY=" + otherKey, []string{"POSTERN_MANAGEMENT_TLS_CERT and POSTERN_MANAGEMENT_TLS_KEY are not a certificate and its key in PEM form"}},
		{"administration nowhere", "POSTERN_MANAGEMENT_LISTEN=off", []string{"POSTERN_MANAGEMENT_LISTEN is not an address such as 127.0.0.1:8181 or unix:///run/postern/decisions.sock"}},
		{"administration where decisions are", "POSTERN_MANAGEMENT_LISTEN=127.0.0.1:8181", []string{"POSTERN_MANAGEMENT_LISTEN is the address of POSTERN_DECISIONS_LISTEN too"}},
		{"administration where probes are", "POSTERN_MANAGEMENT_LISTEN=127.0.0.1:8183", []string{"POSTERN_OPS_LISTEN is the address of POSTERN_MANAGEMENT_LISTEN too"}},
		{"administration with bodies beyond what it reads", "POSTERN_MANAGEMENT_MAX_BODY=2MiB", []string{"POSTERN_MANAGEMENT_MAX_BODY is not within 512KiB..1MiB"}},
		{"no requests of strangers", "POSTERN_MANAGEMENT_STRANGER_RATE=0", []string{"POSTERN_MANAGEMENT_STRANGER_RATE is not within 1..1000000"}},
		{"passwords kept elsewhere and here", "POSTERN_CREDENTIALS=both", []string{"POSTERN_CREDENTIALS is none of: local, external"}},
		{"a portal without TLS", "POSTERN_PORTAL_URLS=http://portal.example", []string{badPortal}},
		{"a portal with a query", "POSTERN_PORTAL_URLS=https://portal.example,https://portal.example/?hunter2", []string{badPortal}},
		{"a portal with a user", "POSTERN_PORTAL_URLS=https://u:hunter2@portal.example", []string{badPortal}},
		{"a network that is an address", "POSTERN_WEBHOOK_ALLOW=10.0.0.1", []string{"POSTERN_WEBHOOK_ALLOW has something that is no network such as 10.1.0.0/16"}},
		{"an issuer without an audience", "POSTERN_JWT_ISSUER=https://id.example POSTERN_JWT_KEYS=" + rego, []string{"POSTERN_JWT_ISSUER needs POSTERN_JWT_AUDIENCE: a token made for another program would do else"}},
		{"an issuer without keys", "POSTERN_JWT_ISSUER=https://id.example POSTERN_JWT_AUDIENCE=postern", []string{"POSTERN_JWT_ISSUER needs POSTERN_JWT_KEYS"}},
		{"keys without an issuer", "POSTERN_JWT_KEYS=" + rego, []string{"POSTERN_JWT_KEYS needs POSTERN_JWT_ISSUER"}},
		{"keys over the network without TLS", "POSTERN_JWT_ISSUER=i POSTERN_JWT_AUDIENCE=a POSTERN_JWT_KEYS=http://id.example/keys", []string{"POSTERN_JWT_KEYS is neither an https URL nor a file; http is for a loopback address alone"}},
		{"keys that are not there", "POSTERN_JWT_ISSUER=i POSTERN_JWT_AUDIENCE=a POSTERN_JWT_KEYS=/hunter2", []string{"POSTERN_JWT_KEYS names a file that cannot be read: no such file or directory"}},
		{"mail by another protocol", "POSTERN_MAIL=imap://hunter2@mail.example", []string{badMail}},
		{"mail into a relative directory", "POSTERN_MAIL=file://mail", []string{badMail}},
		{"mail with a password in its URL", "POSTERN_MAIL=smtp://postern:hunter2@mail.example", []string{"POSTERN_MAIL has a password in it: set POSTERN_MAIL_PASSWORD or POSTERN_MAIL_PASSWORD_FILE instead"}},
		{"mail from nobody to nowhere", "POSTERN_MAIL=smtp://mail.example", []string{"POSTERN_MAIL needs POSTERN_MAIL_FROM, the address that mail is from"}},
		{"mail without a portal", "POSTERN_MAIL=smtp://mail.example POSTERN_MAIL_FROM=postern@portal.example", []string{"POSTERN_MAIL needs POSTERN_PORTAL_URLS: what is mailed are links to a portal"}},
		{"mail from what is no address", "POSTERN_MAIL_FROM=Postern<postern@portal.example>", []string{"POSTERN_MAIL_FROM is not an address such as postern@portal.example, without a name"}},
		{"a password of nobody", "POSTERN_MAIL_PASSWORD=hunter2", []string{"POSTERN_MAIL_PASSWORD needs a user in POSTERN_MAIL, such as smtp://postern@mail.example.com:587"}},
		{"several at once, and one that follows from another not again", "POSTERN_DECISIONS_TIMEOUT=9 POSTERN_DECISIONS_LISTEN=nowhere POSTERN_DECISIONS_AUTH=none POSTERN_LOG_LEVEL=loud", []string{badListen, "POSTERN_DECISIONS_TIMEOUT is not a duration such as 250ms, 5s or 1m30s", "POSTERN_LOG_LEVEL is none of: debug, info, warn, error"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Load(append([]string{home}, strings.Fields(tc.environ)...))
			if got := lines(err); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if c != nil {
				t.Error("got a configuration, want none")
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got a secret in %v", err)
			}
		})
	}
}

const (
	exposedDatabase = "POSTERN_DATABASE reaches PostgreSQL over a network without sslmode=verify-full; POSTERN_ALLOW_PLAINTEXT=true accepts that"
	badListen       = "POSTERN_DECISIONS_LISTEN is not an address such as 127.0.0.1:8181 or unix:///run/postern/decisions.sock"
	badSocket       = "POSTERN_DECISIONS_LISTEN is not a socket such as unix:///run/postern/decisions.sock, of at most 107 bytes"
	badHandedOver   = "POSTERN_DECISIONS_LISTEN is not the number of a socket that was handed over, such as fd://3"
	badOps          = "POSTERN_OPS_LISTEN is a socket, which neither Prometheus nor a probe can ask: write host:port"
	badTarget       = "POSTERN_DECISION_LOG is none of: none, stdout, a file such as /var/log/postern/decisions.ndjson"
	badPortal       = "POSTERN_PORTAL_URLS has something that is no https URL such as https://portal.example.com, without a user, a query and a fragment"
	badMail         = "POSTERN_MAIL is none of: none, smtp://user@host:587, smtps://user@host:465, file:///directory"

	plaintextManagement = "POSTERN_MANAGEMENT_LISTEN can be reached over the network: set POSTERN_MANAGEMENT_TLS_CERT and POSTERN_MANAGEMENT_TLS_KEY, or POSTERN_ALLOW_PLAINTEXT=true, or listen on a loopback address or a unix socket"

	plaintext = "POSTERN_DECISIONS_LISTEN can be reached over the network: set POSTERN_DECISIONS_TLS_CERT and POSTERN_DECISIONS_TLS_KEY, or POSTERN_ALLOW_PLAINTEXT=true, or listen on a loopback address or a unix socket"
)

func TestWhatIsSafeIsAccepted(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "a")
	cases := []struct{ name, environ string }{
		{"TLS on the network", "POSTERN_DECISIONS_LISTEN=:8181 POSTERN_DECISIONS_TLS_CERT=" + cert + " POSTERN_DECISIONS_TLS_KEY=" + key},
		{"mutual TLS", "POSTERN_DECISIONS_AUTH=mtls POSTERN_DECISIONS_TLS_CLIENT_CA=" + cert + " POSTERN_DECISIONS_TLS_CERT=" + cert + " POSTERN_DECISIONS_TLS_KEY=" + key},
		{"plaintext that was asked for", "POSTERN_DECISIONS_LISTEN=:8181 POSTERN_ALLOW_PLAINTEXT=true"},
		{"a database on this machine", "POSTERN_DATABASE=postgres://app@127.0.0.1/x"},
		{"a database behind a socket", "POSTERN_DATABASE=postgres:///x?host=/run/postgresql"},
		{"a database with a verified certificate", "POSTERN_DATABASE=postgres://app@db/x?sslmode=verify-full"},
		{"a database over a trusted network", "POSTERN_DATABASE=postgres://app@db/x POSTERN_ALLOW_PLAINTEXT=true"},
		{"probes from the network", "POSTERN_OPS_LISTEN=:8183"},
		{"any free port twice", "POSTERN_OPS_LISTEN=127.0.0.1:0 POSTERN_DECISIONS_LISTEN=127.0.0.1:0"},
		{"a socket that is handed over to another process", "POSTERN_DECISIONS_LISTEN=fd://60000"},
		{"mapped loopback", "POSTERN_DECISIONS_LISTEN=[::ffff:127.0.0.1]:8181 POSTERN_DECISIONS_AUTH=none"},
		{"no administration", "POSTERN_MANAGEMENT_LISTEN=none"},
		{"no administration, and its address for another", "POSTERN_MANAGEMENT_LISTEN=none POSTERN_OPS_LISTEN=127.0.0.1:8182"},
		{"administration on the network with TLS and client certificates", "POSTERN_MANAGEMENT_LISTEN=:8182 POSTERN_MANAGEMENT_TLS_CERT=" + cert + " POSTERN_MANAGEMENT_TLS_KEY=" + key + " POSTERN_MANAGEMENT_TLS_CLIENT_CA=" + cert},
		{"an issuer whose keys are at a URL", "POSTERN_JWT_ISSUER=https://id.example POSTERN_JWT_AUDIENCE=postern POSTERN_JWT_KEYS=https://id.example/keys"},
		{"an issuer whose keys are in a file", "POSTERN_JWT_ISSUER=https://id.example POSTERN_JWT_AUDIENCE=postern POSTERN_JWT_KEYS=" + cert},
		{"mail by SMTP with a password", "POSTERN_PORTAL_URLS=https://portal.example POSTERN_MAIL=smtps://postern@mail.example POSTERN_MAIL_PASSWORD=secret POSTERN_MAIL_FROM=postern@portal.example"},
		{"mail into a directory", "POSTERN_PORTAL_URLS=http://127.0.0.1:3000/portal POSTERN_MAIL=file:///tmp/mail POSTERN_MAIL_FROM=postern@portal.example"},
		{"webhooks into the house", "POSTERN_WEBHOOK_ALLOW=10.0.0.0/8,fd00::/8"},
		{"another loopback address", "POSTERN_DECISIONS_LISTEN=127.8.8.8:8181 POSTERN_DECISIONS_AUTH=none"},
		{"IPv6 loopback", "POSTERN_DECISIONS_LISTEN=[::1]:8181 POSTERN_DECISIONS_AUTH=none"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Load(append([]string{home}, strings.Fields(tc.environ)...)); err != nil {
				t.Errorf("got %v, want no fault", err)
			}
		})
	}
}

func TestGroupMayReadOnlyWhatSomebodyElseHandsUs(t *testing.T) {
	const self = 65532
	cases := []struct {
		name  string
		mode  fs.FileMode
		owner uint32
		want  bool
	}{
		{"ours alone", 0o600, self, false},
		{"ours, read only", 0o400, self, false},
		{"ours, and our group reads it", 0o640, self, true},
		{"ours, and all read it", 0o604, self, true},
		{"of root, mounted with fsGroup", 0o440, 0, false},
		{"of root, and our group writes it", 0o460, 0, true},
		{"of root, and all read it", 0o444, 0, true},
	}
	for _, tc := range cases {
		if got := loose(stat{tc.mode, tc.owner}, self); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

// stat is a file's mode and owner.
type stat struct {
	mode  fs.FileMode
	owner uint32
}

func (s stat) Name() string       { return "secret" }
func (s stat) Size() int64        { return 32 }
func (s stat) Mode() fs.FileMode  { return s.mode }
func (s stat) ModTime() time.Time { return time.Time{} }
func (s stat) IsDir() bool        { return false }
func (s stat) Sys() any           { return &syscall.Stat_t{Uid: s.owner} }

func TestSecretsArePrintedByNobody(t *testing.T) {
	c := Config{Secret: "hunter2", Database: "postgres://app:hunter2@db/x"}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("configuration", "secret", c.Secret, "database", c.Database)
	for _, got := range []string{string(asJSON), logged.String(), fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q %x", c, c, c.Secret, c.Database, c.Secret)} {
		if strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("got a secret in %s", got)
		}
	}
}

func TestSizesReadAsTheyPrint(t *testing.T) {
	for _, text := range []string{"0", "1", "1000", "1KiB", "256KiB", "1536MiB", "7GiB", "1TiB"} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err != nil || z.String() != text {
			t.Errorf("%s: got %s (%v)", text, z, err)
		}
	}
}

// writeCertificate writes a self-signed certificate and its key.
func writeCertificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return writeFile(t, dir, name+".crt", encode("CERTIFICATE", der), 0o600), writeFile(t, dir, name+".key", encode("PRIVATE KEY", raw), 0o600)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
