// Package managementapi is the HTTP face of administration: users, invitations,
// grants and what they lie in, over JSON. A handler reads a request, calls the
// PAP once, and writes what came of it; it decides nothing.
package managementapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pap"
)

// Tokens makes consistency tokens of revisions.
type Tokens interface {
	Issue(authz.Revision) string
}

// Options says what the routes need. PAP, Tokens, Authenticate and Secret are
// required.
type Options struct {
	PAP    *pap.PAP
	Tokens Tokens
	// Authenticate says whose credential a request shows, and for whom it acts.
	// One that is nobody's is an error of kind authz.ErrUnauthenticated, and an
	// actor that cannot be is one of kind authz.ErrInvalid.
	Authenticate func(*fiber.Ctx) (pap.Principal, error)
	Feed         Feed   // of the directory; nil: it is not published
	Secret       []byte // 32 bytes or more; page tokens are sealed with a key of it
	Limits       Limits
	Now          func() time.Time      // the clock of PAP
	Registerer   prometheus.Registerer // nil: nothing is counted
}

// MaxBody is the longest body of a request, in bytes. The listener reads no
// longer one either.
const MaxBody = 1 << 20

// The headers that a request may have and an answer has.
const (
	headerDecision    = "Postern-Decision-Id"
	headerPortal      = "Postern-Portal"
	headerToken       = "Postern-Consistency-Token"
	headerIdempotency = "Idempotency-Key"
	headerReplayed    = "Idempotent-Replayed"
)

// api is what the handlers share.
type api struct {
	pap         *pap.PAP
	feed        Feed
	tokens      Tokens
	identity    func(*fiber.Ctx) (pap.Principal, error)
	seal        *seal
	strangers   *limiter           // by address
	credentials *limiter           // by credential
	mails       prometheus.Counter // refused by the PAP's limits
}

// Register adds the routes to r.
func Register(r fiber.Router, o Options) error {
	if o.PAP == nil || o.Tokens == nil || o.Authenticate == nil {
		return errors.New("the management API needs a PAP, consistency tokens and a way to know its callers")
	}
	if o.Now == nil {
		o.Now = o.PAP.Now
	}
	seal, err := newSeal(o.Secret, o.Now)
	if err != nil {
		return err
	}
	l, limited := o.Limits.withDefaults(), newLimited(o.Registerer)
	a := &api{
		pap: o.PAP, feed: o.Feed, tokens: o.Tokens, identity: o.Authenticate, seal: seal,
		strangers:   newLimiter(l.StrangerPerMinute/60, int(l.StrangerPerMinute), o.Now, limited.WithLabelValues(limitAddress)),
		credentials: newLimiter(l.CredentialPerSecond, l.CredentialBurst, o.Now, limited.WithLabelValues(limitCredential)),
		mails:       limited.WithLabelValues(limitMails),
	}
	r.Use(manners)
	for _, op := range operations() {
		a.add(r, op)
	}
	r.Use(base, a.strange)
	return nil
}

// add routes one operation. GET takes HEAD with it; nothing else does.
func (a *api) add(r fiber.Router, op operation) {
	handler := func(c *fiber.Ctx) error { return a.run(c, op) }
	path := strings.NewReplacer("{", ":", "}", "").Replace(op.path)
	if op.method == fiber.MethodGet {
		r.Get(path, handler)
		return
	}
	r.Add(op.method, path, handler)
}

// manners are what every answer has, errors too.
func manners(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	return c.Next()
}

// run answers one request for an operation.
func (a *api) run(c *fiber.Ctx, op operation) error {
	if op.static != nil {
		return op.static(c)
	}
	r, err := a.begin(c, op)
	if err != nil {
		return explain(err)
	}
	err = op.handle(r)
	if errors.Is(err, pap.ErrTooMany) {
		a.mails.Inc()
	}
	return explain(err)
}

// strange keeps strangers from learning which paths there are.
func (a *api) strange(c *fiber.Ctx) error {
	if _, err := a.authenticate(c); err != nil {
		return explain(err)
	}
	return c.Next()
}

// begin reads what every request has beside its body.
func (a *api) begin(c *fiber.Ctx, op operation) (*request, error) {
	principal, err := a.identify(c, op)
	if err != nil {
		return nil, err
	}
	r := &request{api: a, c: c, op: op, ctx: c.UserContext()}
	r.call = pap.Call{
		Principal: principal, RequestID: httpserver.RequestID(c), Route: op.method + " " + op.path,
		IP: addressOf(c), Portal: strings.Clone(c.Get(headerPortal)),
	}
	for _, read := range []func() error{r.readQuery, r.readMatch, r.readBody, r.readIdempotency} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// identify lets a caller in, and counts the request against its limit. Who
// follows a link needs no credential, but one that is shown has to be right.
func (a *api) identify(c *fiber.Ctx, op operation) (pap.Principal, error) {
	if op.public && len(c.Request().Header.Peek(fiber.HeaderAuthorization)) == 0 {
		return pap.Principal{}, a.strangers.take(network(addressOf(c)))
	}
	principal, err := a.authenticate(c)
	if err != nil {
		return pap.Principal{}, err
	}
	if op.unmetered {
		return principal, nil
	}
	return principal, a.credentials.take(string(principal.Kind) + ":" + principal.ID)
}

// nobody is what strangers are told instead of a cause.
const nobody = "The credentials are missing or not valid. Send Authorization: Bearer and an operator key, a service token, or a JWT of the identity provider that was agreed."

// authenticate names the caller. What is wrong with whom it acts for is wrong
// with a header.
func (a *api) authenticate(c *fiber.Ctx) (pap.Principal, error) {
	p, err := a.identity(c)
	switch {
	case errors.Is(err, authz.ErrUnauthenticated):
		return p, &httpserver.Problem{Status: fiber.StatusUnauthorized, Detail: nobody, Err: err}
	case errors.Is(err, authz.ErrInvalid):
		_, detail := httpserver.Explain(err)
		return p, badRequest("%s", detail)
	}
	return p, err
}

// A request is one request for an operation, whose caller is known.
type request struct {
	*api
	c     *fiber.Ctx
	op    operation
	ctx   context.Context
	call  pap.Call
	query map[string]string
	body  []byte // nothing else holds it; nil: none was sent
}
