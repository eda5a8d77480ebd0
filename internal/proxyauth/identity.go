package proxyauth

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/httpserver"
)

// maxSubject is the longest name of a user, in bytes.
const maxSubject = 256

// An identity is the user of a request: nobody, when there is no subject, and
// then perhaps why.
type identity struct {
	subject authz.Subject
	err     error
}

func (i identity) known() bool { return i.subject.ID != "" }

// stranger answers who has to sign in first.
func (i identity) stranger() error {
	if i.err != nil && !errors.Is(i.err, authz.ErrUnauthenticated) {
		return i.err
	}
	return &httpserver.Problem{
		Status: fiber.StatusUnauthorized,
		Title:  "The user is not known", Detail: "This is for users who have signed in, and the request names none, or its token is not valid.",
		Err: i.err,
	}
}

// identify finds the user by token and by the header that the proxy sets. What
// is wrong with a token counts where a user is needed, so that who holds an old
// one still gets to the page for signing in.
func (a *api) identify(c *fiber.Ctx) (identity, error) {
	named, err := a.byHeader(c)
	if err != nil {
		return identity{}, err
	}
	shown, err := a.byToken(c)
	switch {
	case err != nil:
		return identity{err: err}, nil
	case shown.ID == "":
		return identity{subject: named}, nil
	case named.ID != "" && (named.ID != shown.ID || named.Type != shown.Type):
		return identity{}, unclear("the token and %s name different users", a.SubjectHeader)
	}
	return identity{subject: shown}, nil
}

// byHeader is the user that the proxy names, if it names one.
func (a *api) byHeader(c *fiber.Ctx) (authz.Subject, error) {
	if a.SubjectHeader == "" {
		return authz.Subject{}, nil
	}
	name, err := one(&c.Request().Header, a.SubjectHeader)
	if err != nil || name == "" {
		return authz.Subject{}, err
	}
	if !nameable(name) {
		return authz.Subject{}, unclear("%s is no name of a user", a.SubjectHeader)
	}
	return authz.Subject{Type: "login", ID: name}, nil
}

// byToken is the user of the JWT that the request carries, if it carries one.
// Whatever else is in Authorization is the application's.
func (a *api) byToken(c *fiber.Ctx) (authz.Subject, error) {
	scheme, text, _ := strings.Cut(string(c.Request().Header.Peek(fiber.HeaderAuthorization)), " ")
	if a.Tokens == nil || !strings.EqualFold(scheme, "Bearer") {
		return authz.Subject{}, nil
	}
	user, err := a.Tokens.Verify(c.UserContext(), text)
	if err != nil {
		return authz.Subject{}, err
	}
	if !nameable(user.Name) {
		return authz.Subject{}, authz.ErrUnauthenticated
	}
	if user.ByID {
		return authz.Subject{Type: "user", ID: user.Name}, nil
	}
	return authz.Subject{Type: "login", ID: user.Name}, nil
}

// nameable tells whether a name can be one, and can be said in a header again.
func nameable(name string) bool {
	return name != "" && len(name) <= maxSubject && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl) && strings.TrimSpace(name) == name
}
