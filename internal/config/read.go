package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/caarlos0/env/v11"
)

// Where a value that no variable of ours gave comes from.
const (
	fromDefault     = "default"
	fromEnvironment = "environment"
)

// read fills c from environ. An empty variable counts as not set, because that
// is how compose files and manifests leave one out.
func (c *Config) read(environ []string, f *faults) {
	vals := env.ToMap(environ)
	maps.DeleteFunc(vals, func(_, value string) bool { return value == "" })
	vars := variables(c)
	for _, v := range vars {
		if _, ok := vals[v.Name]; ok {
			c.sources[v.Name] = fromEnvironment
		}
		if v.Secret {
			c.readFile(v.Name, vals, f)
		}
	}
	refuseUnknown(vars, vals, f)
	parse(reflect.ValueOf(c).Elem(), Prefix, vals, f)
	c.place(vals, f)
}

// fileSuffix ends the name of a variable that names the file with the value.
const fileSuffix = "_FILE"

// maxSecret is more than any secret needs, in bytes.
const maxSecret = 64 << 10

// readFile moves the content of the file that NAME_FILE names to NAME.
func (c *Config) readFile(name string, vals map[string]string, f *faults) {
	path, ok := vals[name+fileSuffix]
	if !ok {
		return
	}
	delete(vals, name+fileSuffix)
	if _, both := vals[name]; both {
		f.add(name, "and "+name+fileSuffix+" are both set: keep one")
		delete(vals, name) // whatever else is wrong with it
		return
	}
	value, err := readSecret(path)
	if err != nil {
		f.add(name+fileSuffix, "names a file that "+err.Error())
		f.names = append(f.names, name)
		return
	}
	vals[name], c.sources[name] = value, "file "+path
}

// readSecret is the content of a file that only its owner may read, without
// the end of its last line. The error says what the file is, without its name.
func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", errors.New("cannot be read: " + reason(err))
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || loose(info, os.Geteuid()) {
		return "", errors.New("others may read: chmod 600 it")
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	text = bytes.TrimRight(text, "\r\n")
	switch {
	case err != nil:
		return "", errors.New("cannot be read: " + reason(err))
	case len(text) == 0:
		return "", errors.New("is empty")
	case len(text) > maxSecret:
		return "", errors.New("is larger than any secret")
	}
	return string(text), nil
}

// loose tells whether too many may read a file with a secret. Its group may
// read it if somebody else owns it: so do Kubernetes (fsGroup) and systemd
// (LoadCredential) hand a secret to a process that is not root.
func loose(info fs.FileInfo, self int) bool {
	forbidden := fs.FileMode(0o077)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != self {
		forbidden = 0o037
	}
	return info.Mode().Perm()&forbidden != 0
}

// reason is why a file cannot be used, without its name: the name is the value
// of a variable, and may be a secret in the wrong place.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return "it is not what it should be"
}

// refuseUnknown finds the variables with our prefix that mean nothing, most
// likely because they are misspelt.
func refuseUnknown(vars []variable, vals map[string]string, f *faults) {
	known := map[string]bool{clientServer: true, clientToken: true, clientToken + fileSuffix: true}
	for _, v := range vars {
		known[v.Name] = true
	}
	_, cluster := vals["KUBERNETES_SERVICE_HOST"]
	for _, name := range slices.Sorted(maps.Keys(vals)) {
		if strings.HasPrefix(name, Prefix) && !known[name] && !(cluster && isServiceLink(name)) {
			f.add(name, "is not a setting"+suggestion(name, vars))
		}
	}
}

// isServiceLink tells whether Kubernetes sets the variable in every pod beside
// a Service whose name starts with "postern".
func isServiceLink(name string) bool {
	link := regexp.MustCompile(`^POSTERN_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
	return link.MatchString(name)
}

func suggestion(name string, vars []variable) string {
	const far = 4 // edits; beyond it a suggestion would be a guess
	best, least := "", far
	for _, v := range vars {
		candidates := []string{v.Name}
		if v.Secret {
			candidates = append(candidates, v.Name+fileSuffix)
		}
		for _, candidate := range candidates {
			if d := levenshtein.ComputeDistance(name, candidate); d < least {
				best, least = candidate, d
			}
		}
	}
	if best == "" {
		return "; `postern help configuration` lists them"
	}
	return "; did you mean " + best + "?"
}

// parse reads the variables of one section, then those of the sections in it.
// One at a time, because a fault that env finds names a field, and only within
// one section is that name one variable.
func parse(section reflect.Value, prefix string, vals map[string]string, f *faults) {
	own, fields := map[string]string{}, map[string]string{}
	for i := range section.NumField() {
		if key := section.Type().Field(i).Tag.Get("env"); key != "" {
			fields[section.Type().Field(i).Name] = prefix + key
			if value, ok := vals[prefix+key]; ok {
				own[prefix+key] = value
			}
		}
	}
	err := env.ParseWithOptions(section.Addr().Interface(), env.Options{Environment: own, Prefix: prefix})
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, err := range all.Errors {
			report(err, fields, f)
		}
	}
	for i := range section.NumField() {
		if p, ok := section.Type().Field(i).Tag.Lookup("envPrefix"); ok {
			parse(section.Field(i), prefix+p, vals, f)
		}
	}
}

func report(err error, fields map[string]string, f *faults) {
	var fault env.ParseError
	if !errors.As(err, &fault) {
		f.add(Prefix+"*", "cannot be read")
		return
	}
	f.add(fields[fault.Name], complaint(fault))
}

// complaint is what is wrong with a value. What the standard library says of
// one repeats it, so it is said anew here; our own types do not.
func complaint(fault env.ParseError) string {
	switch fault.Type {
	case reflect.TypeFor[time.Duration]():
		return "is not a duration such as 250ms, 5s or 1m30s"
	case reflect.TypeFor[slog.Level]():
		return "is none of: debug, info, warn, error"
	case reflect.TypeFor[bool]():
		return "is neither true nor false"
	case reflect.TypeFor[int]():
		return "is not a whole number"
	}
	return fault.Err.Error()
}

// place settles where state is kept, and with it where the database is.
func (c *Config) place(vals map[string]string, f *faults) {
	if c.State == "" {
		c.State, c.sources[Prefix+"STATE"] = stateDirectory(vals)
	}
	f.when(c.State == "", "is not set, and none of STATE_DIRECTORY, XDG_STATE_HOME and HOME says where state may be kept", "STATE")
	if c.Database == "" {
		c.Database = DSN(sqlitePrefix + filepath.Join(c.State, "postern.db"))
	}
}

func stateDirectory(vals map[string]string) (path, source string) {
	if list := vals["STATE_DIRECTORY"]; list != "" {
		first, _, _ := strings.Cut(list, ":") // systemd.exec(5)
		return first, "STATE_DIRECTORY"
	}
	if dir := vals["XDG_STATE_HOME"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "postern"), "XDG_STATE_HOME"
	}
	if home := vals["HOME"]; filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "postern"), "HOME"
	}
	return "", fromDefault
}
