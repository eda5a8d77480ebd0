package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// special are addresses that no receiver on the internet has. Who could make us
// ask them could reach what trusts our network. Of IPv6 only global unicast is
// allowed in the first place, which leaves out IPv4-mapped, NAT64, link-local
// and unique local addresses.
var (
	special = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"), // CGNAT, and a cloud's metadata
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("168.63.129.16/32"), // a cloud's metadata
		netip.MustParsePrefix("169.254.0.0/16"),   // link-local, and most clouds' metadata
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.0.0.0/24"), // protocols, and a cloud's metadata
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("224.0.0.0/4"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("2001::/23"), // protocols, Teredo, which holds an IPv4 address
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"), // 6to4, which holds an IPv4 address
		netip.MustParsePrefix("3fff::/20"),
	}
	global = []netip.Prefix{netip.MustParsePrefix("2000::/3")}
)

// errRefused says that a host has an address that we do not ask.
var errRefused = errors.New("the address is not on the public internet: if it is meant, add its network to those that webhooks may reach")

// public says whether an address is one on the internet.
func public(address netip.Addr) bool {
	address = address.Unmap()
	if address.Zone() != "" || within(address, special) {
		return false
	}
	return address.Is4() || within(address, global)
}

func within(address netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(address) })
}

// A guard dials for one scheme.
type guard struct {
	allow    []netip.Prefix // networks of our own that are meant
	resolver *net.Resolver
}

// dialWithin is how long a connection may take to be there.
const dialWithin = 5 * time.Second

// dial looks at the very address that it connects to, after the name was
// resolved: what a name meant a moment ago, or how a number is written, does not
// matter.
func (g *guard) dial(ctx context.Context, network, address string, plain bool) (net.Conn, error) {
	d := net.Dialer{Timeout: dialWithin, Resolver: g.resolver, FallbackDelay: -1, Control: func(network, address string, _ syscall.RawConn) error {
		return g.check(network, address, plain)
	}}
	return d.DialContext(ctx, network, address)
}

func (g *guard) check(network, address string, plain bool) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("dial %s: %w", network, errRefused)
	}
	if within(to.Addr().Unmap(), g.allow) {
		return nil
	}
	if plain {
		return errPlain
	}
	if !public(to.Addr()) {
		return errRefused
	}
	return nil
}

// errPlain says that events may not travel in the clear.
var errPlain = errors.New("the webhook is not https, which only a network that webhooks may reach can do without")
