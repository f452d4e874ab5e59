package memory

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// pushedRequest is a pushed request. A consumed one remains without its parameters until it expires.
type pushedRequest struct {
	mu     sync.Mutex
	place  slot
	hash   storage.Hash
	client string
	params string
	none   bool // params is nil, not empty
	used   bool
	gone   bool
	end    int64
}

func (p *pushedRequest) slot() *slot { return &p.place }

func (p *pushedRequest) verdict(hash storage.Hash, now int64) error {
	switch {
	case p.gone || p.hash != hash || now >= p.end:
		return storage.ErrNotFound
	case p.used:
		return storage.ErrConsumed
	}
	return nil
}

// PushRequest implements authorize.PushedRequestStore.
func (s *Store) PushRequest(ctx context.Context, in storage.PushedRequest, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &pushedRequest{
		hash: in.Hash, client: strings.Clone(in.ClientID),
		params: string(in.Params), none: in.Params == nil, end: nanos(in.ExpiresAt),
	}
	p.place.shard = uint8(s.shardOf(string(p.hash[:])))
	err := s.withRoom(now, func() error { return s.insertPushed(p) }, pushedKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

func (s *Store) insertPushed(p *pushedRequest) error {
	if !s.pushedCount.take(1) {
		return storage.ErrFull
	}
	if !s.pushedClients.take(p.client) {
		s.pushedCount.give(1)
		return storage.ErrFull
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.pushed.add(string(p.hash[:]), p) {
		s.pushedClients.give(p.client)
		s.pushedCount.give(1)
		return storage.ErrConflict
	}
	s.due.pushed.schedule(p, p.end)
	return nil
}

// PushedRequest implements authorize.PushedRequestStore.
func (s *Store) PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (storage.PushedRequest, error) {
	if err := ctx.Err(); err != nil {
		return storage.PushedRequest{}, err
	}
	p := s.pushed.get(string(hash[:]))
	if p == nil {
		return storage.PushedRequest{}, storage.ErrNotFound
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verdict(hash, nanos(now)) != nil {
		return storage.PushedRequest{}, storage.ErrNotFound
	}
	out := storage.PushedRequest{Hash: hash, ClientID: p.client, ExpiresAt: fromNanos(p.end)}
	if !p.none {
		out.Params = []byte(p.params)
	}
	return out, nil
}

// ConsumePushedRequest implements authorize.PushedRequestStore.
func (s *Store) ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := s.pushed.get(string(hash[:]))
	if p == nil {
		return storage.ErrNotFound
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.verdict(hash, nanos(now)); err != nil {
		return err
	}
	p.used, p.params = true, ""
	s.pushedClients.give(p.client)
	return nil
}

// collect implements expiring.
func (p *pushedRequest) collect(s *Store, now int64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return 0
	}
	if now < p.end {
		s.due.pushed.schedule(p, p.end)
		return 0
	}
	p.gone = true
	s.due.pushed.cancel(p)
	s.pushed.drop(string(p.hash[:]))
	if !p.used {
		s.pushedClients.give(p.client)
	}
	s.pushedCount.give(1)
	return 1
}
