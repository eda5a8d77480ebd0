package managementapi

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/pap"
)

// mediaLines is JSON, one event in a line.
const mediaLines = "application/x-ndjson"

// maxExport is how many events one answer in lines has at most.
const maxExport = 500

// headerNext has the token of the next page where the body has no place for it.
const headerNext = "Postern-Next-Page-Token"

// The trail of an organization, and of what belongs to none.
var auditOperations = []operation{
	{id: "listAuditEvents", method: fiber.MethodGet, path: "/v1/organizations/{organization}/audit-events", list: true,
		query: []string{"type", "actor", "target", "since", "until"}, handle: (*request).events},
	{id: "verifyAuditEvents", method: fiber.MethodGet, path: "/v1/organizations/{organization}/audit-events/verify", handle: sees((*request).verify)},
	{id: "listDirectoryAuditEvents", method: fiber.MethodGet, path: "/v1/audit-events", list: true,
		query: []string{"type", "actor", "target", "since", "until"}, handle: (*request).events},
	{id: "verifyDirectoryAuditEvents", method: fiber.MethodGet, path: "/v1/audit-events/verify", handle: sees((*request).verify)},
}

func (r *request) verify() (pap.Verification, error) {
	return r.pap.VerifyEvents(r.ctx, r.call, r.organization())
}

// events shows the trail: as JSON newest first, and as lines oldest first, which
// is the order that its hashes are in.
func (r *request) events() error {
	lines := strings.Contains(r.c.Get(fiber.HeaderAccept), mediaLines)
	size, position, err := r.page()
	if err != nil {
		return err
	}
	q := pap.EventQuery{
		Organization: r.organization(), Type: r.query["type"], Actor: r.query["actor"], Target: r.query["target"],
		Newest: !lines, Limit: size,
	}
	if lines && r.query["page_size"] == "" {
		q.Limit = maxExport
	}
	if position != "" {
		q.After, _ = strconv.ParseInt(position, 10, 64) // it was sealed, so it is right
	}
	if q.Since, err = r.time("since"); err != nil {
		return err
	}
	if q.Until, err = r.time("until"); err != nil {
		return err
	}
	found, after, err := r.pap.Events(r.ctx, r.call, q)
	next := ""
	if after != 0 {
		next = strconv.FormatInt(after, 10)
	}
	if err == nil && lines {
		return r.sendLines(found, next)
	}
	return listed(r, found, next, err)
}

func (r *request) sendLines(events []pap.Event, next string) error {
	var body bytes.Buffer
	for _, e := range events {
		line, err := httpserver.Encode(e)
		if err != nil {
			return err
		}
		body.Write(line)
		body.WriteByte('\n')
	}
	if next != "" {
		r.c.Set(headerNext, r.seal.page(next, r.about()))
	}
	r.c.Set(fiber.HeaderContentType, mediaLines)
	r.c.Response().SetBodyRaw(body.Bytes())
	return nil
}

// time reads a parameter that is a time; the zero time: it is not there.
func (r *request) time(name string) (time.Time, error) {
	text, sent := r.query[name]
	if !sent {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, badRequest("the query parameter %s is no time as in RFC 3339: send one such as 2027-01-31T00:00:00Z", name)
	}
	return t.UTC(), nil
}
