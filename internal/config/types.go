package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

const redacted = "[redacted]"

// A Secret shows itself to nobody: however it is printed, it is "[redacted]".
// Its value is string(s).
type Secret string

// String is "[redacted]", or empty when there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String, for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String, for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// A Size is a count of bytes, such as 4MiB.
type Size int64

// units from the largest to the smallest.
func units() []struct {
	suffix string
	bytes  Size
} {
	return []struct {
		suffix string
		bytes  Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
}

// UnmarshalText reads a whole number with KiB, MiB, GiB, TiB or nothing after it.
func (z *Size) UnmarshalText(text []byte) error {
	number, unit := string(text), Size(1)
	for _, u := range units() {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || Size(n) > math.MaxInt64/unit {
		return errors.New("is not a size such as 4MiB")
	}
	*z = Size(n) * unit
	return nil
}

// String is the size in the largest unit that shows it whole.
func (z Size) String() string {
	for _, u := range units() {
		if z != 0 && z%u.bytes == 0 {
			return strconv.FormatInt(int64(z/u.bytes), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(z), 10)
}

// An Address is where a listener listens: "host:port", "unix:///path", or
// "fd://3" for a listening socket that systemd handed over.
type Address string

// handedPrefix starts the address of a socket that was handed over.
const handedPrefix = "fd://"

// maxSocketPath is what sun_path of a socket address holds on Linux, without
// its final NUL.
const maxSocketPath = 107

// UnmarshalText reads an address.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	if path, ok := strings.CutPrefix(s, "unix://"); ok {
		if !filepath.IsAbs(path) || len(path) > maxSocketPath {
			return fmt.Errorf("is not a socket such as unix:///run/postern/decisions.sock, of at most %d bytes", maxSocketPath)
		}
		*a = Address(s)
		return nil
	}
	if number, ok := strings.CutPrefix(s, handedPrefix); ok {
		if fd, err := strconv.ParseUint(number, 10, 16); err != nil || fd < 3 {
			return errors.New("is not the number of a socket that was handed over, such as fd://3")
		}
		*a = Address(s)
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || strings.ContainsAny(host, "/@ ") {
		return errors.New("is not an address such as 127.0.0.1:8181 or unix:///run/postern/decisions.sock")
	}
	*a = Address(s)
	return nil
}

// TCP tells whether the address is a host and a port.
func (a Address) TCP() bool { return !strings.Contains(string(a), "://") }

// Handed tells whether the address names a socket that is to be handed over.
func (a Address) Handed() bool { return strings.HasPrefix(string(a), handedPrefix) }

// Local tells whether only this machine can reach the address: a unix socket
// or a loopback address. Of a socket that was handed over the address does not
// tell.
func (a Address) Local() bool {
	if !a.TCP() {
		return strings.HasPrefix(string(a), "unix://")
	}
	host, _, _ := net.SplitHostPort(string(a))
	return loopback(host)
}

// A Switch is an Address, or none for no listener.
type Switch string

// SwitchOff is no listener.
const SwitchOff Switch = "none"

// UnmarshalText reads an address, or none.
func (s *Switch) UnmarshalText(text []byte) error {
	if *s = Switch(text); *s == SwitchOff {
		return nil
	}
	return new(Address).UnmarshalText(text)
}

// Address is where to listen, and whether to listen at all.
func (s Switch) Address() (Address, bool) { return Address(s), s != SwitchOff }

// clashes tells whether two listeners cannot both have their address. Port 0
// is a new one each time.
func (a Address) clashes(b Address) bool {
	return a == b && !strings.HasSuffix(string(a), ":0")
}

// A PublicURL is how others reach a listener: https, with a host, and with no
// user, query or fragment (AuthZEN 1.0 §9.1). It does not end in a slash.
type PublicURL string

// UnmarshalText reads a URL.
func (p *PublicURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("is not a URL such as https://pdp.example.com")
	case u.Scheme != "https":
		return errors.New("is not an https URL, which AuthZEN metadata has to be")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(string(text), "#"):
		return errors.New("has a user, a query or a fragment, which AuthZEN metadata has not")
	}
	*p = PublicURL(strings.TrimRight(string(text), "/"))
	return nil
}

// A MailServer takes mail: smtp://, smtps:// or file:/// URL, or none. It holds
// no password.
type MailServer string

// MailNone is no server at all.
const MailNone MailServer = "none"

// UnmarshalText reads a server.
func (m *MailServer) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case MailServer(text) == MailNone:
	case err != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("is none of: none, smtp://user@host:587, smtps://user@host:465, file:///directory")
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
	case (u.Scheme == "smtp" || u.Scheme == "smtps") && u.Hostname() != "" && strings.Trim(u.Path, "/") == "":
		if _, has := u.User.Password(); has {
			return errors.New("has a password in it: set POSTERN_MAIL_PASSWORD or POSTERN_MAIL_PASSWORD_FILE instead")
		}
	default:
		return errors.New("is none of: none, smtp://user@host:587, smtps://user@host:465, file:///directory")
	}
	*m = MailServer(text)
	return nil
}

// User is who signs in to the server, or empty.
func (m MailServer) User() string {
	u, err := url.Parse(string(m))
	if err != nil {
		return ""
	}
	return u.User.Username()
}

// URL is the server with the password in it.
func (m MailServer) URL(password Secret) string {
	u, err := url.Parse(string(m))
	if err != nil || password == "" {
		return string(m)
	}
	u.User = url.UserPassword(u.User.Username(), string(password))
	return u.String()
}

// A LogTarget is where decisions are logged: "none", "stdout", or the absolute
// path of a file.
type LogTarget string

// The targets that are no file.
const (
	LogNone   LogTarget = "none"
	LogStdout LogTarget = "stdout"
)

// UnmarshalText reads none, stdout, /path or file:///path.
func (t *LogTarget) UnmarshalText(text []byte) error {
	target := LogTarget(strings.TrimPrefix(string(text), "file://"))
	if target != LogNone && target != LogStdout && !isFile(string(target)) {
		return errors.New("is none of: none, stdout, a file such as /var/log/postern/decisions.ndjson")
	}
	*t = target
	return nil
}

func isFile(path string) bool {
	return filepath.IsAbs(path) && !strings.HasSuffix(path, "/")
}
