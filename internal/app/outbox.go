package app

import (
	"fmt"
	"net/netip"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/mail"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/webhook"
)

// outbox delivers what was committed, and tells the trail of it.
func (s *server) outbox(links pap.Links, secrets *webhook.Secrets, trail outbox.Trail) (*outbox.Worker, error) {
	var allow []netip.Prefix
	for _, text := range s.cfg.WebhookAllow {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("POSTERN_WEBHOOK_ALLOW: %w", err)
		}
		allow = append(allow, network)
	}
	hooks, err := webhook.New(webhook.Options{Directory: s.store, Secrets: secrets, Allow: allow})
	if err != nil {
		return nil, err
	}
	routes := map[string]outbox.Route{pap.ChannelWebhook: {Courier: hooks}, pap.ChannelMail: {}}
	if m := s.cfg.Mail; m.Server != config.MailNone {
		courier, err := mail.New(mail.Options{
			Server: m.Server.URL(m.Password), From: m.From, PortalURLs: s.cfg.PortalURLs, Links: links, Directory: s.store,
		})
		if err != nil {
			return nil, fmt.Errorf("POSTERN_MAIL: %w", err)
		}
		routes[pap.ChannelMail] = outbox.Route{Courier: courier, Backoff: outbox.MailBackoff(m.Retry)}
	}
	return outbox.New(outbox.Options{Store: s.store, Trail: trail, Routes: routes, Registerer: s.registry, Log: s.Log})
}
