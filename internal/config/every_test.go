package config

import (
	"strings"
	"testing"
)

// TestEveryFaultNamesItsVariableAndNotItsValue has a row for each variable: a
// value that is wrong by itself, or because of what is not set beside it. The
// word canary stands in each where a value can hold one.
func TestEveryFaultNamesItsVariableAndNotItsValue(t *testing.T) {
	wrong := wrongValues(t)
	for _, v := range Vars() {
		values, ok := wrong[v.Name]
		if !ok {
			t.Errorf("%s: got no wrong value in this table", v.Name)
		}
		delete(wrong, v.Name)
		for _, value := range values {
			_, err := Load([]string{home, v.Name + "=" + value})
			if err == nil || !strings.HasPrefix(err.Error(), v.Name+" ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s=%s: got %v, want one fault, of it", v.Name, value, err)
			}
			if err != nil && (strings.Contains(err.Error(), value) && len(value) > 1 || strings.Contains(err.Error(), "canary")) {
				t.Errorf("%s: got the value in %v", v.Name, err)
			}
		}
	}
	for name := range wrong {
		t.Errorf("%s is no variable", name)
	}
}

// wrongValues has one for each variable, and two where two things can be wrong.
func wrongValues(t *testing.T) map[string][]string {
	file := writeFile(t, t.TempDir(), "canary", "canary", 0o600)
	const name, number, duration, size, word, url = "canary", "9canary", "9canarys", "9canaryMiB", "canary", "https://u:canary@h/"
	values := map[string][]string{
		"STATE":    {file},
		"DATABASE": {"mysql://canary", "postgres://u:canary%zz@h/d", "postgres://u:canary@h/d"},
		"SECRET":   {name},

		"ONLY":            {word},
		"PUBLIC_URL":      {url, "http://canary"},
		"DIRECTORY_URL":   {"https://canary"},
		"DIRECTORY_TOKEN": {name},
		"DIRECTORY_CA":    {"/canary"},

		"DECISIONS_LISTEN":  {"canary", "canary:8181", "unix://canary", "fd://canary"},
		"DECISIONS_AUTH":    {word},
		"MANAGEMENT_LISTEN": {"canary", "canary:8182"},
		"OPS_LISTEN":        {"canary", "unix:///canary"},
		"CREDENTIALS":       {word},
		"PORTAL_URLS":       {url, "http://canary"},
		"WEBHOOK_ALLOW":     {"canary"},
		"JWT_ISSUER":        {name},

		"TRUSTED_PROXIES":      {"canary", "10.0.0.0/canary", "0.0.0.0/0", "::ffff:10.1.0.0/112"},
		"PROXY_SUBJECT_HEADER": {name, "can_ary", "X-Forwarded-Canary"},
		"PROXY_HEADERS":        {"can_ary", "Cookie"},

		"JWT_AUDIENCE":    {name},
		"JWT_KEYS":        {"/canary"},
		"JWT_USER_CLAIM":  {name},
		"MAIL":            {"canary", "smtp://u:canary@h", "smtp://canary"},
		"MAIL_PASSWORD":   {name},
		"MAIL_FROM":       {name},
		"POLICIES":        {"/canary", file},
		"OVERLAYS":        {"/canary", "canary,canary"},
		"POLICY_BUILTINS": {"canary()"},
		"REDIS_ADDRS":     {"canary", "canary:6379"},
		"DECISION_LOG":    {"canary"},
		"LOG_LEVEL":       {word},
		"LOG_FORMAT":      {word},
		"LOG_REQUESTS":    {word},

		"DATA_PATHS":   {"/canary", "canary,canary", "canary//x"},
		"DATA_DEFAULT": {"/canary", "canary canary"},
	}
	for kind, names := range map[string]string{
		number:        "DATABASE_CONNECTIONS DECISIONS_MAX_BATCH DECISIONS_MAX_CONNECTIONS DECISIONS_MAX_CONNECTIONS_PER_IP MANAGEMENT_MAX_CONNECTIONS MANAGEMENT_RATE MANAGEMENT_STRANGER_RATE REDIS_DB REDIS_POOL DECISION_LOG_FILES DECISION_LOG_QUEUE",
		duration:      "DATABASE_STATEMENT_TIMEOUT DECISIONS_TIMEOUT MANAGEMENT_TIMEOUT INVITATION_COOLDOWN MAIL_RETRY POLICY_POLL MAX_STALENESS SERVE_STALE_FOR POLL_INTERVAL REDIS_TIMEOUT REDIS_TTL DRAIN_DELAY",
		size:          "DECISIONS_MAX_BODY MANAGEMENT_MAX_BODY GRANTS_CACHE DECISION_LOG_MAX_SIZE",
		word:          "DATABASE_POOLER ALLOW_PLAINTEXT OPS_PPROF METRICS_NATIVE_HISTOGRAMS REDIS_CLUSTER REDIS_TLS",
		"/etc/canary": "DECISIONS_TLS_CERT DECISIONS_TLS_KEY DECISIONS_TLS_CLIENT_CA MANAGEMENT_TLS_CERT MANAGEMENT_TLS_KEY MANAGEMENT_TLS_CLIENT_CA REDIS_TLS_CA REDIS_TLS_CERT REDIS_TLS_KEY",
		"canary-text": "REDIS_MASTER REDIS_USERNAME REDIS_PASSWORD REDIS_SENTINEL_USERNAME REDIS_SENTINEL_PASSWORD REDIS_TLS_SERVER_NAME",
	} {
		for _, of := range strings.Fields(names) {
			values[of] = append(values[of], kind)
		}
	}
	return prefixed(values)
}

func prefixed(values map[string][]string) map[string][]string {
	named := map[string][]string{}
	for name, list := range values {
		named[Prefix+name] = list
	}
	return named
}
