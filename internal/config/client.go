package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/caarlos0/env/v11"
)

// DefaultServer is where a server without settings is administered.
const DefaultServer = "http://127.0.0.1:8182"

// The variables of commands that ask a running server. The server itself has no
// use for them and takes no offence.
const (
	clientServer = Prefix + "SERVER"
	clientToken  = Prefix + "TOKEN"
)

// ClientVars are the variables of commands that ask a running server.
func ClientVars() []Var {
	const group = "Commands that ask a running server"
	return []Var{
		{Name: clientServer, Type: "URL", Default: DefaultServer, Group: group, Example: clientServer + "=https://postern.example.com:8182",
			Help: "The management listener to ask: http://, https:// or unix:///path. --server says the same."},
		{Name: clientToken, Type: "secret", Secret: true, Group: group, Example: clientToken + fileSuffix + "=/etc/postern/operator.key",
			Help: "What to show there: an operator key, a service token or a JWT. Empty: the operator key in the state directory."},
	}
}

// A Client is how commands reach a running server, and as whom.
type Client struct {
	Server string // http://, https:// or unix:///path
	Token  Secret // an operator key, a service token or a JWT
}

// LoadClient reads what commands that ask a running server need: POSTERN_SERVER,
// and POSTERN_TOKEN, else the file that POSTERN_TOKEN_FILE names, else the first
// operator key in the state directory. The error says which is wrong.
func LoadClient(environ []string) (Client, error) {
	vals := env.ToMap(environ)
	c := Client{Server: cmp.Or(vals[clientServer], DefaultServer)}
	if u, err := url.Parse(c.Server); err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "unix" {
		return c, errors.New(clientServer + " is not a URL such as " + DefaultServer)
	}
	token, file := vals[clientToken], vals[clientToken+fileSuffix]
	switch {
	case token != "" && file != "":
		return c, errors.New(clientToken + " and " + clientToken + fileSuffix + " are both set: keep one")
	case token != "":
		c.Token = Secret(token)
		return c, nil
	case file != "":
		text, err := readSecret(file)
		if err != nil {
			return c, fmt.Errorf("%s%s names a file that %w", clientToken, fileSuffix, err)
		}
		c.Token = Secret(text)
		return c, nil
	}
	return c.withOperatorKey(vals)
}

// OperatorKey is the file in the state directory that the first operator key is
// shown in.
const OperatorKey = "operator.key"

func (c Client) withOperatorKey(vals map[string]string) (Client, error) {
	state := vals[Prefix+"STATE"]
	if state == "" {
		state, _ = stateDirectory(vals)
	}
	path := filepath.Join(state, OperatorKey)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("there is no credential: set %s or %s%s, or run this where the server keeps its state", clientToken, clientToken, fileSuffix)
	}
	text, err := readSecret(path)
	if err != nil {
		return c, fmt.Errorf("the operator key is in a file that %w", err)
	}
	c.Token = Secret(text)
	return c, nil
}
