package managementapi

import "github.com/gofiber/fiber/v2"

// base is where the operations are.
const base = "/v1"

// An operation is one thing that can be asked for. The table of them and the
// OpenAPI file say the same.
type operation struct {
	id, method, path string
	query            []string // parameters beside those that every list and every change has
	handle           func(*request) error
	static           fiber.Handler // instead of handle: says what everybody may know
	public           bool          // a link is credential enough
	list             bool          // answers in pages
	body             string        // media type of the body; empty: it takes none
}

// changes says whether the operation may change something.
func (o operation) changes() bool { return o.method != fiber.MethodGet && !o.reads() }

// reads says that a POST only reads: what it asks about has no place in a URL.
func (o operation) reads() bool {
	switch o.id {
	case "previewInvitation", "checkMember":
		return true
	}
	return false
}
