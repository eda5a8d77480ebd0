package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/bearer"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/link"
	"github.com/postern-authz/postern/internal/managementapi"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/password"
	"github.com/postern-authz/postern/internal/webhook"
)

// management is the management listener with its routes, and with the outbox
// running behind it.
func (s *server) management(ctx context.Context) (*httpserver.Server, error) {
	m := s.cfg.Management
	certificates, err := s.certificates("management", m.TLSCert, m.TLSKey, m.ClientCA)
	if err != nil {
		return nil, err
	}
	admin, err := s.administration()
	if err != nil {
		return nil, err
	}
	if err := s.insist(ctx, func() error { return s.firstKey(ctx, admin) }); err != nil {
		return nil, err
	}
	s.registry.MustRegister(s.store.People())
	s.background("held addresses", giveHeld(heldEvery, s.Log, admin.GiveHeldAddresses))
	callers, err := s.callers()
	if err != nil {
		return nil, err
	}
	server := httpserver.New(httpserver.Options{
		Name: "management", MaxBody: int(m.MaxBody), MaxConns: m.MaxConns,
		Timeout: m.Timeout, DrainDelay: s.cfg.DrainDelay, TLS: certificates,
		LogRequests: s.cfg.LogRequests, Log: s.Log, Metrics: s.registry, Histograms: s.histograms(),
	})
	return server, managementapi.Register(server.App, managementapi.Options{
		PAP: admin, Feed: s.publisher(), Tokens: s.tokens, Secret: s.secret, Registerer: s.registry,
		Authenticate: func(c *fiber.Ctx) (pap.Principal, error) { return identify(c, callers) },
		Limits: managementapi.Limits{
			StrangerPerMinute: float64(m.StrangerRate), CredentialPerSecond: float64(m.Rate), CredentialBurst: 2 * m.Rate,
		},
	})
}

// administration is the PAP, whose changes are followed here at once. The outbox
// runs behind it until the server closes, after the listeners.
func (s *server) administration() (*pap.PAP, error) {
	links, err := link.New(s.secret, s.directory)
	if err != nil {
		return nil, err
	}
	secrets, err := webhook.NewSecrets(s.secret, s.directory)
	if err != nil {
		return nil, err
	}
	var worker *outbox.Worker // which reports to the PAP, and is woken by its changes
	o := pap.Options{
		Store: following{s.store, func(at authz.Revision) { s.pip.Wake(grant.CauseWrite); s.announce(at); worker.Wake() }},
		Judge: s.pdp, Links: links, Secrets: secrets, PortalURLs: s.cfg.PortalURLs,
		PlainWebhooks: len(s.cfg.WebhookAllow) > 0, Log: s.Log,
		Limits: pap.Limits{Cooldown: s.cfg.InvitationCooldown}, Registerer: s.registry,
	}
	if o.Limits.Cooldown == 0 {
		o.Limits.Cooldown = -1 // none, where the zero value is the default
	}
	if s.cfg.Credentials == config.CredentialsLocal {
		o.Passwords = password.New()
	}
	admin := pap.New(o)
	if worker, err = s.outbox(links, secrets, admin); err != nil {
		return nil, err
	}
	s.background("outbox", worker.Run)
	return admin, nil
}

// following is a store whose changes somebody wants to hear of.
type following struct {
	pap.Store
	changed func(authz.Revision)
}

// Change implements pap.Store.
func (f following) Change(ctx context.Context, fn func(pap.Tx) error) (authz.Revision, error) {
	revision, err := f.Store.Change(ctx, fn)
	if err == nil {
		f.changed(revision)
	}
	return revision, err
}

// firstKey makes the first operator key and writes it into a file of its
// owner's, if the directory has none.
func (s *server) firstKey(ctx context.Context, admin *pap.PAP) error {
	path := filepath.Join(s.cfg.State, config.OperatorKey)
	made := false
	err := admin.FirstOperatorKey(ctx, func(secret string) error {
		made = true
		return s.cfg.KeepSecret(config.OperatorKey, secret)
	})
	switch {
	case err != nil && made:
		return fmt.Errorf("keep the first operator key in %s: %w", path, err)
	case err != nil:
		return fmt.Errorf("make the first operator key: %w", err)
	case made:
		s.Log.Info("made an operator key, which is shown in this file and nowhere else: keep it safe", "file", path)
	}
	if _, err := os.Stat(path); err == nil {
		s.addresses.OperatorKey = path
	}
	return nil
}

// callers knows who may administer.
func (s *server) callers() (*bearer.Bearer, error) {
	jwts, err := s.jwts()
	if err != nil {
		return nil, err
	}
	return bearer.New(bearer.Options{
		Directory: administrators{s.store}, JWTs: jwts, Metrics: s.registry, MaxStaleness: s.cfg.MaxStaleness,
	}), nil
}

// identify says who sends a request. Of two actors none is the right one.
func identify(c *fiber.Ctx, callers *bearer.Bearer) (pap.Principal, error) {
	h := &c.Request().Header
	actors := h.PeekAll("Postern-Actor")
	if len(actors) > 1 {
		return pap.Principal{}, fmt.Errorf("the request has %d Postern-Actor headers: send one: %w", len(actors), authz.ErrInvalid)
	}
	return callers.Identify(c.UserContext(), string(h.Peek(fiber.HeaderAuthorization)), string(h.Peek("Postern-Actor")))
}

// administrators are what the directory knows of who may administer it.
type administrators struct{ store pap.Store }

// Token implements bearer.Directory.
func (a administrators) Token(ctx context.Context, id string) (t pap.Token, err error) {
	err = a.store.Look(ctx, func(r pap.Reader) error {
		t, err = r.Token(id)
		return err
	})
	return t, err
}

// UserByUsername implements bearer.Directory.
func (a administrators) UserByUsername(ctx context.Context, username string) (id string, err error) {
	err = a.store.Look(ctx, func(r pap.Reader) error {
		person, err := r.PersonByUsername(username)
		id = person.ID
		return err
	})
	return id, err
}
