package config

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// minSecret is the length of a secret that cannot be guessed, in bytes.
const minSecret = 32

func (c *Config) validate(f *faults) {
	c.validateTags(f)
	state, err := os.Stat(c.State)
	f.when(err == nil && !state.IsDir(), "names something that is no directory", "STATE")
	f.when(c.Secret != "" && len(c.Secret) < minSecret, "has fewer than 32 bytes; `openssl rand -base64 32` makes a good one", "SECRET")
	f.when(c.PollInterval > c.MaxStaleness/2, "is more than half of POSTERN_MAX_STALENESS; one slow poll would stop all decisions", "POLL_INTERVAL", "MAX_STALENESS")
	f.when(c.Database.exposed() && !c.AllowPlaintext, "reaches PostgreSQL over a network without sslmode=verify-full; POSTERN_ALLOW_PLAINTEXT=true accepts that", "DATABASE", "ALLOW_PLAINTEXT")
	_, file := c.Database.SQLite()
	f.when(c.Postgres.Pooler && file, "is true, but POSTERN_DATABASE is a file of SQLite, to which no pooler leads", "DATABASE_POOLER", "DATABASE")
	f.when(c.DecisionLog.MaxSize < 4*c.Decisions.MaxBody, "is less than four times POSTERN_DECISIONS_MAX_BODY; a logged decision may be longer than a file", "DECISION_LOG_MAX_SIZE", "DECISIONS_MAX_BODY")
	c.validateDecisions(f)
	c.validateProxies(f)
	c.validateData(f)
	c.validateManagement(f)
	c.validateFleet(f)
	c.validateOps(f)
	c.validateRedis(f)
	c.validatePolicies(f)
}

// validateTags checks what the tags range and enum say.
func (c *Config) validateTags(f *faults) {
	for _, v := range variables(c) {
		name := strings.TrimPrefix(v.Name, Prefix)
		if low, high, ok := bounds(v.field); ok {
			f.when(v.value.Int() < low || v.value.Int() > high, "is not within "+v.Range, name)
		}
		if words := v.field.Tag.Get("enum"); words != "" {
			list := strings.Split(words, ",")
			f.when(!slices.Contains(list, v.value.String()), "is none of: "+strings.Join(list, ", "), name)
		}
		if v.field.Type == reflect.TypeFor[[]string]() {
			list, _ := v.value.Interface().([]string)
			f.when(slices.Contains(list, ""), "has an empty element; elements are separated by one comma", name)
			f.when(len(slices.Compact(slices.Sorted(slices.Values(list)))) < len(list), "names something twice", name)
		}
	}
}

func (c *Config) validateDecisions(f *faults) {
	d := c.Decisions
	c.validateTLS(f, listener{"DECISIONS_", d.Listen, d.Local(), d.TLSCert, d.TLSKey, d.ClientCA})
	f.when(!d.Local() && d.Auth == AuthNone, "is none, but POSTERN_DECISIONS_LISTEN can be reached over the network: anybody there could ask", "DECISIONS_AUTH", "DECISIONS_LISTEN")
	f.when(d.Auth == AuthMTLS && d.ClientCA == "", "is mtls, which needs POSTERN_DECISIONS_TLS_CLIENT_CA", "DECISIONS_AUTH", "DECISIONS_TLS_CLIENT_CA")
	f.when(d.Auth == AuthNone && d.ClientCA != "", "is none, but POSTERN_DECISIONS_TLS_CLIENT_CA asks for client certificates", "DECISIONS_AUTH")
}

func (c *Config) validateData(f *faults) {
	path := regexp.MustCompile(`^[A-Za-z0-9_.~%-]+(/[A-Za-z0-9_.~%-]+)*$`)
	for _, open := range c.Data.Paths {
		f.when(!path.MatchString(open), "has something that is no path of data, such as custom/lists: names with a slash between them and none at the ends", "DATA_PATHS")
	}
	f.when(!path.MatchString(c.Data.Default), "is no path of data, such as postern/access/decision", "DATA_DEFAULT")
}

// A listener is what any of them needs to be safe.
type listener struct {
	prefix              string // of its variables, such as DECISIONS_
	at                  Address
	local               bool // whether only this machine can reach it
	cert, key, clientCA string
}

func (c *Config) validateTLS(f *faults, l listener) {
	certName, keyName, caName := l.prefix+"TLS_CERT", l.prefix+"TLS_KEY", l.prefix+"TLS_CLIENT_CA"
	secure := l.cert != ""
	exposed, ways := !l.local && !secure && !c.AllowPlaintext, "set POSTERN_"+certName+" and POSTERN_"+keyName+", or POSTERN_ALLOW_PLAINTEXT=true"
	f.when(exposed && l.at.TCP(), "can be reached over the network: "+ways+", or listen on a loopback address or a unix socket", l.prefix+"LISTEN", certName, "ALLOW_PLAINTEXT")
	f.when(exposed && l.at.HandedOver(), "is a socket that was handed over, and neither a unix socket nor one of a loopback address: "+ways, l.prefix+"LISTEN", certName, "ALLOW_PLAINTEXT")
	f.when(l.clientCA != "" && !secure, "needs POSTERN_"+certName+": without TLS there are no client certificates", caName)
	f.when(secure && l.key == "", "needs POSTERN_"+keyName, certName, keyName)
	f.when(!secure && l.key != "", "needs POSTERN_"+certName, keyName, certName)
	certificate := checkFile(f, certName, l.cert)
	key := checkFile(f, keyName, l.key)
	authorities := checkFile(f, caName, l.clientCA)
	if info, err := os.Stat(l.key); err == nil {
		f.when(loose(info, os.Geteuid()), "names a file that others may read: chmod 600 it", keyName)
	}
	if certificate != nil && key != nil {
		_, err := tls.X509KeyPair(certificate, key)
		f.when(err != nil, "and POSTERN_"+keyName+" are not a certificate and its key in PEM form", certName, keyName)
	}
	if authorities != nil {
		f.when(!x509.NewCertPool().AppendCertsFromPEM(authorities), "has no certificate in PEM form", caName)
	}
}

// checkFile is the content of a file, or nil if no file is named or it cannot
// be read.
func checkFile(f *faults, name, path string) []byte {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.when(true, "names a file that cannot be read: "+reason(err), name)
		return nil
	}
	return text
}

func (c *Config) validateOps(f *faults) {
	o := c.Ops
	f.when(!o.Listen.TCP(), "is a socket, which neither Prometheus nor a probe can ask: write host:port", "OPS_LISTEN")
	f.when(o.Listen.clashes(c.Decisions.Listen), "is the address of POSTERN_DECISIONS_LISTEN too", "OPS_LISTEN", "DECISIONS_LISTEN")
	management, on := c.Management.Listen.Address()
	f.when(on && o.Listen.clashes(management), "is the address of POSTERN_MANAGEMENT_LISTEN too", "OPS_LISTEN", "MANAGEMENT_LISTEN")
	f.when(o.Pprof && !o.Listen.Local(), "shows the inside of the process, so POSTERN_OPS_LISTEN has to be a loopback address", "OPS_PPROF", "OPS_LISTEN")
}

func (c *Config) validatePolicies(f *faults) {
	if c.Policies != "" {
		checkPolicy(f, "POLICIES", c.Policies)
	}
	for _, path := range c.Overlays {
		checkPolicy(f, "OVERLAYS", path)
	}
	builtin := regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)
	for _, name := range c.PolicyBuiltins {
		f.when(!builtin.MatchString(name), "has something that is no name of a Rego function, such as io.jwt.decode", "POLICY_BUILTINS")
	}
}

func checkPolicy(f *faults, name, path string) {
	info, err := os.Stat(path)
	if err != nil {
		f.when(true, "names a policy that cannot be read: "+reason(err), name)
		return
	}
	f.when(!info.IsDir() && !strings.HasSuffix(path, ".tar.gz"), "names a policy that is neither a directory nor a .tar.gz file", name)
}
