package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/postern-authz/postern/internal/authz"
)

// fetch reads keys in one round trip. GETRANGE bounds what is sent, however
// large a value somebody has put there.
func (t *Tier) fetch(ctx context.Context, keys []authz.Key, kept []authz.Kept) (err error) {
	defer func() {
		if r := recover(); r != nil { // who owns Redis must not end this process
			err = fmt.Errorf("reading Redis' answer panicked: %v", r)
		}
	}()
	pipe := t.client.Pipeline()
	answers := make([]*goredis.StringCmd, len(keys))
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = t.sealer.name(key)
		answers[i] = pipe.GetRange(ctx, names[i], 0, maxValue)
	}
	_, _ = pipe.Exec(ctx) // each answer has its own error
	for i, answer := range answers {
		value, failure := answer.Result()
		switch {
		case failure == nil:
			kept[i] = t.accept(keys[i], names[i], value)
		case isReply(failure, "WRONGTYPE"):
			t.spoiled(names[i], "")
		default:
			err = errors.Join(err, failure)
		}
	}
	return err
}

// accept opens a value. One that does not open is removed: it would be in the
// way of what is written later.
func (t *Tier) accept(key authz.Key, name, value string) authz.Kept {
	if value == "" {
		return authz.Kept{}
	}
	kept, err := t.sealer.open(key, []byte(value))
	if err != nil {
		t.log.Debug("a value in Redis was not sealed for its key", "key", name, "err", err)
		t.spoiled(name, value)
		return authz.Kept{}
	}
	return kept
}

func (t *Tier) spoiled(name, value string) {
	t.metrics.forged.Inc()
	t.breaker.warn("redis.forged", "Redis holds values that were not sealed for their keys with this secret: somebody writes to it, or its network is at fault")
	t.enqueue(write{name: name, head: strings.Clone(value[:min(len(value), headerSize)]), remove: true})
}

// isReply tells whether an error is an answer of Redis that begins so.
func isReply(err error, prefix string) bool {
	var reply goredis.Error
	return errors.As(err, &reply) && strings.HasPrefix(reply.Error(), prefix)
}
