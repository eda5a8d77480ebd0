package config

import (
	"net/url"
)

// What one server does of what Postern does.
const (
	OnlyAll        = "all"
	OnlyDecisions  = "decisions"
	OnlyManagement = "management"
)

// Directory is where a server that has no database reads the directory: at the
// management listener of one that has it.
type Directory struct {
	URLs  []string `env:"URL" example:"https://a.example.com:8182,https://b.example.com:8182" needs:"DIRECTORY_TOKEN,SECRET" help:"The https URLs of the management listeners to read the directory from, instead of a database, tried in turn; http only on a loopback address, or with POSTERN_ALLOW_PLAINTEXT=true. A server with it only decides, and needs POSTERN_SECRET and POSTERN_DIRECTORY_TOKEN. Empty: this server has a database."`
	Token Secret   `env:"TOKEN" example:"/etc/postern/directory.token" needs:"DIRECTORY_URL,SECRET" help:"The service token of scope replicate that this server shows there. Empty: none, and no directory is read over the network."`
	CA    string   `env:"CA" type:"path" example:"/etc/postern/directory-ca.crt" needs:"DIRECTORY_URL" help:"PEM file of the authorities that sign the certificates of POSTERN_DIRECTORY_URL. Empty: those of the system."`
}

// Remote tells whether the directory is read at another server.
func (d Directory) Remote() bool { return len(d.URLs) > 0 }

// Decides tells whether this server answers applications.
func (c *Config) Decides() bool { return c.Only != OnlyManagement }

// Administers is where administration is served, and whether it is.
func (c *Config) Administers() (Address, bool) {
	at, on := c.Management.Listen.Address()
	return at, on && c.Only != OnlyDecisions && !c.Directory.Remote()
}

func (c *Config) validateFleet(f *faults) {
	d := c.Directory
	f.when(d.Remote() && c.Only == OnlyManagement, "is for a server that only decides, and POSTERN_ONLY is management, which needs a database", "DIRECTORY_URL", "ONLY")
	f.when(d.Remote() && c.sources[Prefix+"DATABASE"] != "", "is set, but so is POSTERN_DATABASE: a server reads one or the other", "DIRECTORY_URL", "DATABASE")
	f.when(d.Remote() && d.Token == "", "needs POSTERN_DIRECTORY_TOKEN: `postern token create NAME --scope replicate` makes one", "DIRECTORY_URL", "DIRECTORY_TOKEN")
	f.when(d.Remote() && c.Secret == "", "needs POSTERN_SECRET: run `postern secret derive` where the directory is; consistency tokens are signed with what it prints", "DIRECTORY_URL", "SECRET")
	f.when(!d.Remote() && c.Shared(), "is one that `postern secret derive` printed for servers without a database: give the one it was derived from", "SECRET")
	f.when(!d.Remote() && d.Token != "", "needs POSTERN_DIRECTORY_URL", "DIRECTORY_TOKEN", "DIRECTORY_URL")
	f.when(!d.Remote() && d.CA != "", "needs POSTERN_DIRECTORY_URL", "DIRECTORY_CA", "DIRECTORY_URL")
	for _, text := range d.URLs {
		u, err := url.Parse(text)
		plain := err == nil && u.Scheme == "http" && u.Host != "" && u.User == nil && c.AllowPlaintext
		f.when(!safeURL(text) && !plain, "has something that is no https URL such as https://postern.example.com:8182, without a user, a query and a fragment", "DIRECTORY_URL")
	}
	_, on := c.Management.Listen.Address()
	f.when(c.Only == OnlyManagement && !on, "is management, but POSTERN_MANAGEMENT_LISTEN is none: nothing would be served", "ONLY", "MANAGEMENT_LISTEN")
	checkFile(f, "DIRECTORY_CA", d.CA)
}
