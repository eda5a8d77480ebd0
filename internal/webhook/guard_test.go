package webhook

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"context"
)

func TestOnlyAddressesOnTheInternetArePublic(t *testing.T) {
	for _, test := range []struct {
		name    string
		address string
		want    bool
	}{
		{"an address on the internet", "93.184.215.14", true},
		{"one of IPv6", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", true},
		{"loopback", "127.0.0.1", false},
		{"the end of loopback", "127.255.255.254", false},
		{"unspecified", "0.0.0.0", false},
		{"this network", "0.1.2.3", false},
		{"private, 10", "10.1.2.3", false},
		{"private, 172.16", "172.16.0.1", false},
		{"private, 172.31", "172.31.255.255", false},
		{"beside private, 172.32", "172.32.0.1", true},
		{"private, 192.168", "192.168.1.1", false},
		{"link-local", "169.254.1.1", false},
		{"metadata of most clouds", "169.254.169.254", false},
		{"metadata of Azure", "168.63.129.16", false},
		{"metadata of Alibaba", "100.100.100.200", false},
		{"metadata of Oracle", "192.0.0.192", false},
		{"CGNAT", "100.64.0.1", false},
		{"beside CGNAT", "100.128.0.1", true},
		{"benchmarks", "198.18.0.1", false},
		{"documentation", "203.0.113.7", false},
		{"multicast", "224.0.0.1", false},
		{"reserved", "240.0.0.1", false},
		{"broadcast", "255.255.255.255", false},
		{"IPv6 loopback", "::1", false},
		{"IPv6 unspecified", "::", false},
		{"IPv4-mapped loopback", "::ffff:127.0.0.1", false},
		{"IPv4-mapped metadata", "::ffff:169.254.169.254", false},
		{"IPv4-compatible loopback", "::127.0.0.1", false},
		{"NAT64 of loopback", "64:ff9b::7f00:1", false},
		{"local NAT64", "64:ff9b:1::7f00:1", false},
		{"6to4 of loopback", "2002:7f00:1::", false},
		{"Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2", false},
		{"IPv6 link-local", "fe80::1", false},
		{"IPv6 link-local with a zone", "fe80::1%eth0", false},
		{"IPv6 site-local", "fec0::1", false},
		{"IPv6 unique local", "fd12:3456::1", false},
		{"metadata of AWS over IPv6", "fd00:ec2::254", false},
		{"IPv6 multicast", "ff02::1", false},
		{"IPv6 documentation", "2001:db8::1", false},
		{"IPv6 discard", "100::1", false},
	} {
		if got := public(netip.MustParseAddr(test.address)); got != test.want {
			t.Errorf("%s, %s: got %v, want %v", test.name, test.address, got, test.want)
		}
	}
}

func TestTheAddressIsLookedAtWhenItIsDialled(t *testing.T) {
	g := &guard{allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, test := range []struct {
		name, network, address string
		plain                  bool
		want                   error
	}{
		{"https to the internet", "tcp4", "93.184.215.14:443", false, nil},
		{"http to the internet", "tcp4", "93.184.215.14:80", true, errPlain},
		{"https to a network that is meant", "tcp4", "10.1.2.3:443", false, nil},
		{"http to a network that is meant", "tcp4", "10.1.2.3:80", true, nil},
		{"a mapped address of a network that is meant", "tcp6", "[::ffff:10.1.2.3]:443", false, nil},
		{"https to another network", "tcp4", "192.168.1.1:443", false, errRefused},
		{"no network of addresses", "unix", "/run/docker.sock", false, errRefused},
		{"datagrams", "udp4", "93.184.215.14:443", false, errRefused},
	} {
		got := g.check(test.network, test.address, test.plain)
		if got != test.want && (test.want == nil || !strings.Contains(got.Error(), test.want.Error())) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// names is a name server. Each question for a name takes the next of its
// answers, and the last one stays.
func names(t *testing.T, answers map[string][]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() { serveNames(conn, answers) })
	t.Cleanup(func() { _ = conn.Close(); done.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

func serveNames(conn net.PacketConn, answers map[string][]string) {
	for buffer := make([]byte, 1500); ; {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var question dnsmessage.Message
		if question.Unpack(buffer[:n]) != nil || len(question.Questions) != 1 {
			continue
		}
		answer, err := answerTo(question, answers)
		if err == nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

func answerTo(m dnsmessage.Message, answers map[string][]string) ([]byte, error) {
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	name := strings.TrimSuffix(q.Name.String(), ".")
	all, known := answers[name]
	if !known {
		all, known = answers["*"]
	}
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	if q.Type == dnsmessage.TypeA && len(all) > 0 {
		if len(all) > 1 {
			answers[name] = all[1:]
		}
		for text := range strings.SplitSeq(all[0], ",") {
			if a := netip.MustParseAddr(text); a.Is4() {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}, Body: &dnsmessage.AResource{A: a.As4()}})
			}
		}
	}
	if q.Type == dnsmessage.TypeAAAA && len(all) > 0 {
		for text := range strings.SplitSeq(all[0], ",") {
			if a := netip.MustParseAddr(text); a.Is6() {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
	}
	return m.Pack()
}
