package managementapi

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/pap"
)

// base is where the operations are.
const base = "/v1"

// An operation is one thing that can be asked for. The tables of them and the
// OpenAPI file say the same.
type operation struct {
	id, method, path string
	query            []string      // parameters beside those that every list and every change has
	body             string        // media type of the body; empty: it takes none
	list             bool          // answers in pages
	reads            bool          // changes nothing, though it is no GET: what it asks about has no place in a URL
	public           bool          // a link is credential enough
	unmetered        bool          // counts against no credential's rate
	static           fiber.Handler // instead of handle: says what everybody may know
	handle           func(*request) error
}

// operations are all that can be asked for. Where one path could be read as
// another, the literal one comes first.
func operations() []operation {
	return slices.Concat(staticOperations, organizationOperations, roleOperations, membershipOperations, memberOperations, grantOperations, selfOperations, invitationOperations, credentialOperations,
		auditOperations, webhookOperations(), tokenOperations, feedOperations)
}

var staticOperations = []operation{
	{id: "getOpenAPI", method: fiber.MethodGet, path: "/openapi.json", static: showDocument},
	{id: "listProblems", method: fiber.MethodGet, path: "/problems", static: showProblems},
	{id: "getProblem", method: fiber.MethodGet, path: "/problems/{reason}", static: showProblem},
}

// changes says whether the operation may change something.
func (o operation) changes() bool { return o.method != fiber.MethodGet && !o.reads }

// The forms of operations: each reads the request, calls the PAP once, and writes
// what came of it.

// sees shows one resource.
func sees[T any](see func(*request) (T, error)) func(*request) error {
	return func(r *request) error {
		v, err := see(r)
		return r.show(v, err)
	}
}

// does changes something that takes no body.
func does[T any](status int, do func(*request) (T, pap.Change, error)) func(*request) error {
	return func(r *request) error {
		v, change, err := do(r)
		return r.changed(status, v, change, err)
	}
}

// takes changes something by a body.
func takes[In, T any](status int, do func(*request, In) (T, pap.Change, error)) func(*request) error {
	return func(r *request) error {
		in, err := read[In](r)
		if err != nil {
			return err
		}
		v, change, err := do(r, in)
		return r.changed(status, v, change, err)
	}
}

// lists shows a list that has one page.
func lists[T any](list func(*request) ([]T, error)) func(*request) error {
	return func(r *request) error {
		items, err := list(r)
		return listed(r, items, "", err)
	}
}

// pagesByID shows a part of a list that is in the order of its ids.
func pagesByID[T any](list func(*request, pap.PageByID) ([]T, string, error)) func(*request) error {
	return func(r *request) error {
		size, position, err := r.page()
		if err != nil {
			return err
		}
		items, next, err := list(r, pap.PageByID{Size: size, After: position})
		return listed(r, items, next, err)
	}
}

// pagesByTime shows a part of a list that begins with the newest.
func pagesByTime[T any](list func(*request, pap.Page) ([]T, *pap.Cursor, error)) func(*request) error {
	return func(r *request) error {
		size, position, err := r.page()
		if err != nil {
			return err
		}
		items, next, err := list(r, pap.Page{Size: size, After: cursorOf(position)})
		if next == nil {
			return listed(r, items, "", err)
		}
		return listed(r, items, positionOf(*next), err)
	}
}

func positionOf(c pap.Cursor) string { return strconv.FormatInt(c.At.UnixMilli(), 10) + " " + c.ID }

// cursorOf reads what positionOf wrote; it was sealed since, so it is right.
func cursorOf(position string) *pap.Cursor {
	at, id, found := strings.Cut(position, " ")
	if !found {
		return nil
	}
	milli, _ := strconv.ParseInt(at, 10, 64)
	return &pap.Cursor{At: time.UnixMilli(milli).UTC(), ID: id}
}
