package proxyauth

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/postern-authz/postern/internal/httpserver"
)

// TrustUnix is the word for whoever reaches the listener's unix socket.
const TrustUnix = "unix"

// Trust says whose word counts. The zero Trust believes nobody.
type Trust struct {
	networks []netip.Prefix
	unix     bool
}

// NewTrust reads networks such as 10.1.0.0/16, and the word unix.
func NewTrust(list []string) (Trust, error) {
	var t Trust
	for _, text := range list {
		if text == TrustUnix {
			t.unix = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return Trust{}, fmt.Errorf("%q is neither a network such as 10.1.0.0/16 nor the word %s", text, TrustUnix)
		}
		t.networks = append(t.networks, network.Masked())
	}
	return t, nil
}

// peer tells whether the other end of a connection is trusted.
func (t Trust) peer(at net.Addr) bool {
	switch at := at.(type) {
	case *net.UnixAddr:
		return t.unix
	case *net.TCPAddr:
		return t.address(at.AddrPort().Addr())
	}
	return false
}

func (t Trust) address(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(t.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// trusts refuses who is no proxy of ours: whatever it says, anybody can say.
func (a *api) trusts(c *fiber.Ctx) error {
	at := c.Context().RemoteAddr()
	if a.Trusted.peer(at) {
		return nil
	}
	a.log.Warn("somebody asks as a proxy, and is not trusted as one: name its network in POSTERN_TRUSTED_PROXIES if it is",
		"peer", peerName(at), "request_id", httpserver.RequestID(c))
	return &httpserver.Problem{
		Status: fiber.StatusForbidden, Reason: "proxy-not-trusted", Title: "This is no proxy that is trusted",
		Detail: "What this address says of a request does not count, because it is not in POSTERN_TRUSTED_PROXIES.",
	}
}

func peerName(at net.Addr) string {
	if tcp, ok := at.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().String()
	}
	return TrustUnix
}

// client is who the request came from: in X-Forwarded-For, where each proxy adds
// whom it saw, the last that is no proxy of ours.
func (t Trust) client(h *fasthttp.RequestHeader) (string, error) {
	list, err := one(h, "X-Forwarded-For")
	if err != nil || list == "" {
		return "", err
	}
	var client netip.Addr
	for _, text := range slices.Backward(splitList(list)) {
		if client, err = netip.ParseAddr(text); err != nil {
			return "", unclear("X-Forwarded-For has something that is no address")
		}
		if client = client.Unmap(); !t.address(client) {
			break
		}
	}
	return client.String(), nil
}
