package outbox_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// A memory keeps an outbox and its trail as the contracts of outbox.Store and
// outbox.Trail say.
type memory struct {
	mu       sync.Mutex
	messages map[string]*pap.Message
	told     []string // what the trail heard
	broken   bool     // forgets what came of deliveries, like a process that dies
}

func remember(messages ...pap.Message) *memory {
	s := &memory{messages: map[string]*pap.Message{}}
	for _, m := range messages {
		s.put(m)
	}
	return s
}

func (s *memory) put(m pap.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.CreatedAt.IsZero() {
		m.CreatedAt = time.Now()
	}
	s.messages[m.ID] = &m
}

func (s *memory) get(id string) pap.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.messages[id]
}

func (s *memory) waiting(channel string) (waits []*pap.Message) {
	for _, m := range s.messages {
		if m.Channel == channel && m.DeliveredAt == nil && m.FailedAt == nil {
			waits = append(waits, m)
		}
	}
	slices.SortFunc(waits, func(a, b *pap.Message) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.ID, b.ID))
	})
	return waits
}

func (s *memory) ClaimMessages(_ context.Context, channel string, now time.Time, lock time.Duration, limit int) (claimed []pap.Message, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := map[string]bool{}
	for _, m := range s.waiting(channel) {
		overtakes := channel == pap.ChannelWebhook && first[m.Recipient]
		first[m.Recipient] = true
		taken := m.LockedUntil != nil && now.Before(*m.LockedUntil)
		if overtakes || taken || now.Before(m.AvailableAt) || len(claimed) == limit {
			continue
		}
		until := now.Add(lock)
		m.LockedUntil = &until
		m.Attempts++
		claimed = append(claimed, *m)
	}
	return claimed, nil
}

func (s *memory) MessageDelivered(_ context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.New("the process is dead")
	}
	s.messages[id].DeliveredAt = &at
	return nil
}

func (s *memory) MessageFailed(_ context.Context, id, reason string, retryAt time.Time, final bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	m.LastError, m.LockedUntil, m.AvailableAt = reason, nil, retryAt
	if final {
		m.FailedAt = &retryAt
	}
	return nil
}

func (s *memory) Delivered(ctx context.Context, id string, at time.Time) error {
	s.tell("sent " + id)
	return s.MessageDelivered(ctx, id, at)
}

func (s *memory) Undelivered(ctx context.Context, id, reason string, at time.Time) error {
	s.tell("not sent " + id)
	return s.MessageFailed(ctx, id, reason, at, true)
}

func (s *memory) DisableWebhook(ctx context.Context, id, reason string, at time.Time) error {
	s.tell("disabled the webhook of " + id)
	return s.MessageFailed(ctx, id, reason, at, true)
}

func (s *memory) tell(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, what)
}

func (s *memory) OutboxDepth(context.Context) (map[string]pap.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	depth := map[string]pap.Backlog{}
	for _, channel := range []string{pap.ChannelMail, pap.ChannelWebhook} {
		for _, m := range s.waiting(channel) {
			b := depth[channel]
			b.Waiting++
			if b.Oldest.IsZero() || m.CreatedAt.Before(b.Oldest) {
				b.Oldest = m.CreatedAt
			}
			depth[channel] = b
		}
	}
	return depth, nil
}
