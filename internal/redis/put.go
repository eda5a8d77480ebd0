package redis

import (
	"context"
	"math/rand/v2"

	goredis "github.com/redis/go-redis/v9"

	"github.com/postern-authz/postern/internal/authz"
)

// A write waits in the queue: a document to put, or a spoiled value to remove.
type write struct {
	key  authz.Key
	doc  authz.Document
	asOf authz.Point

	remove bool
	name   string
	head   string // how the value to remove begins; empty: it is no string
}

// Put offers the documents of keys as they were at a point. It returns at once;
// what there is no room for is dropped, and everything while Redis is away.
func (t *Tier) Put(keys []authz.Key, docs []authz.Document, asOf authz.Point) {
	for i := range min(len(keys), len(docs)) {
		if !t.breaker.closed() || !t.enqueue(write{key: keys[i], doc: docs[i], asOf: asOf}) {
			t.metrics.dropped.Inc()
		}
	}
}

func (t *Tier) enqueue(w write) bool {
	select {
	case t.queue <- w:
		return true
	default:
		return false
	}
}

func (t *Tier) write(ctx context.Context) {
	for {
		select {
		case w := <-t.queue:
			t.do(ctx, w)
		case <-ctx.Done():
			return
		}
	}
}

func (t *Tier) do(ctx context.Context, w write) {
	switch {
	case w.remove && t.breaker.closed():
		t.script(ctx, opRemove, removeHeld, w.name, w.head)
	case w.remove:
	case !t.breaker.closed():
		t.metrics.dropped.Inc()
	default:
		t.put(ctx, w)
	}
}

func (t *Tier) put(ctx context.Context, w write) {
	value, err := t.sealer.seal(w.key, w.doc, w.asOf)
	if err != nil {
		t.metrics.tooLarge.Inc()
		return
	}
	most := t.ttl.Milliseconds()
	ttl := most - rand.Int64N(most/10+1) // so that what was written together does not end together
	switch done, err := t.script(ctx, opPut, putNewer, t.sealer.name(w.key), value, ttl, most); {
	case err != nil:
		t.metrics.refused.Inc()
	case done:
		t.metrics.ok.Inc()
	default:
		t.metrics.older.Inc()
	}
}

// script runs a script on one key, and tells whether it did something.
func (t *Tier) script(ctx context.Context, operation, text, name string, args ...any) (bool, error) {
	within, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	done, err := goredis.NewScript(text).Run(within, t.client, []string{name}, args...).Int()
	if ctx.Err() == nil {
		t.breaker.after(operation, err)
	}
	return done == 1, err
}

// putNewer sets a value unless a newer one of the same secret is there. One that
// would stay longer than any of ours is not ours, whatever it says; so who owns
// Redis cannot keep a key from being written for longer than that, unless he
// goes on.
//
// ARGV: the value, its time to live in ms, the longest of any.
const putNewer = `
local held = redis.pcall('GETRANGE', KEYS[1], 0, 12)
if type(held) == 'string' and #held == 13 and string.sub(held, 1, 5) == string.sub(ARGV[1], 1, 5) then
  local left = redis.call('PTTL', KEYS[1])
  if left >= 0 and left <= tonumber(ARGV[3]) then
    for i = 6, 13 do
      local theirs, ours = string.byte(held, i), string.byte(ARGV[1], i)
      if theirs > ours then return 0 end
      if theirs < ours then break end
    end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`

// removeHeld removes a value that begins so, or that is no string.
//
// ARGV: the beginning, as long as a header unless the value is shorter.
const removeHeld = `
local held = redis.pcall('GETRANGE', KEYS[1], 0, 36)
if type(held) == 'string' and held ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`
