package managementapi

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/feed"
	"github.com/postern-authz/postern/internal/httpserver"
)

// A Feed is the directory as servers follow it that have none of their own.
type Feed interface {
	State(ctx context.Context) (feed.State, error)
	Changes(ctx context.Context, after authz.Point, wait time.Duration) (feed.Changes, error)
	Documents(ctx context.Context, keys []authz.Key) (feed.Documents, error)
	AppKey(ctx context.Context, id string) (feed.AppKey, error)
}

// feedOperations are how other servers follow the directory. They are asked by
// servers and not by people, as often as those need, and count against no rate.
var feedOperations = []operation{
	{id: "getFeed", method: fiber.MethodGet, path: feed.PathState, unmetered: true,
		handle: publishes((*request).feedState)},
	{id: "getFeedChanges", method: fiber.MethodGet, path: feed.PathChanges, query: []string{"after", "wait"}, unmetered: true,
		handle: publishes((*request).feedChanges)},
	{id: "readFeedDocuments", method: fiber.MethodPost, path: feed.PathDocuments, body: mediaJSON, reads: true, unmetered: true,
		handle: publishes((*request).feedDocuments)},
	{id: "getFeedAppKey", method: fiber.MethodGet, path: feed.PathAppKeys + "/{app_key}", unmetered: true,
		handle: publishes(func(r *request) (feed.AppKey, error) { return r.feed.AppKey(r.ctx, r.param("app_key")) })},
}

// publishes shows a part of the feed to who may follow the directory.
func publishes[T any](see func(*request) (T, error)) func(*request) error {
	return func(r *request) error {
		if err := r.pap.AuthorizeFollowing(r.ctx, r.call); err != nil {
			return err
		}
		v, err := see(r)
		if err != nil {
			return err
		}
		body, err := httpserver.Encode(v)
		if err != nil {
			return err
		}
		return r.send(fiber.StatusOK, body)
	}
}

func (r *request) feedState() (feed.State, error) {
	s, err := r.feed.State(r.ctx)
	s.ServiceTokenExpiresAt = r.call.Principal.Expires
	return s, err
}

func (r *request) feedChanges() (feed.Changes, error) {
	after, err := feed.ParsePoint(r.query["after"])
	if err != nil {
		return feed.Changes{}, badRequest("the query parameter after is %.40q: send a point as it came, such as 12-3f, or 0-0 at first", r.query["after"])
	}
	wait := 0
	if text, sent := r.query["wait"]; sent {
		if wait, err = strconv.Atoi(text); err != nil || wait < 0 || wait > int(feed.MaxWait.Milliseconds()) {
			return feed.Changes{}, badRequest("the query parameter wait is %.20q: send milliseconds from 0 to %d", text, feed.MaxWait.Milliseconds())
		}
	}
	return r.feed.Changes(r.ctx, after, time.Duration(wait)*time.Millisecond)
}

func (r *request) feedDocuments() (feed.Documents, error) {
	in, err := read[feed.Query](r)
	if err != nil {
		return feed.Documents{}, err
	}
	if len(in.Keys) > feed.MaxKeys {
		return feed.Documents{}, badRequest("the request names %d keys: send %d at most", len(in.Keys), feed.MaxKeys)
	}
	return r.feed.Documents(r.ctx, in.Keys)
}
