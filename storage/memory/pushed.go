package memory

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// pushedRequest is a pushed request. A consumed one remains without its parameters until it expires.
type pushedRequest struct {
	mu     sync.Mutex
	place  slot
	hash   storage.Hash
	source *source
	params string
	none   bool // params is nil, not empty
	used   bool
	gone   bool
	end    int64
}

// source counts the pushed requests of one source of a client. Its shard guards it, except the share.
type source struct {
	name   string
	client *pushingClient
	open   int   // not consumed
	share  share // consumed or not
}

type pushingClient struct {
	id      string
	sources table[string, *source]
	share   share // of all sources
}

// pushingShard owns the sources of some clients.
type pushingShard struct {
	mu      sync.Mutex
	clients table[string, *pushingClient]
	_       [40]byte
}

// takePushed counts a request, and returns its source, or nil if there is no room.
func (s *Store) takePushed(clientID, name string) *source {
	most := s.maxPushed
	if name != clientID {
		most = s.maxPushedPerAddress
	}
	shard := &s.pushing[s.shardOf(clientID)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	c := shard.clients.m[clientID]
	if c == nil {
		c = &pushingClient{id: strings.Clone(clientID)}
	}
	from := c.sources.m[name]
	if from == nil {
		from = &source{name: strings.Clone(name), client: c}
	}
	if from.open >= most || !s.pushedCount.take(1, owners{first: &c.share, part: &from.share}) {
		return nil
	}
	from.open++
	c.sources.set(from.name, from)
	shard.clients.set(c.id, c)
	return from
}

// consumePushed makes room in the source of a request.
func (s *Store) consumePushed(from *source) {
	shard := &s.pushing[s.shardOf(from.client.id)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	from.open--
}

// givePushed reverses takePushed and, if the request is still open, makes room in its source.
func (s *Store) givePushed(from *source, open bool) {
	c := from.client
	shard := &s.pushing[s.shardOf(c.id)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if open {
		from.open--
	}
	s.pushedCount.give(1, owners{first: &c.share, part: &from.share})
	if from.share.held() == 0 {
		c.sources.drop(from.name)
	}
	if c.share.held() == 0 {
		shard.clients.drop(c.id)
	}
}

func (p *pushedRequest) slot() *slot { return &p.place }
func (p *pushedRequest) shard() int  { return p.place.shard() }

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
	p := &pushedRequest{hash: in.Hash, params: string(in.Params), none: in.Params == nil, end: record.Nanos(in.ExpiresAt)}
	err := s.withRoom(now, func() error { return s.insertPushed(p, in.ClientID, in.Source) }, pushedKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

func (s *Store) insertPushed(p *pushedRequest, clientID, from string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.source = s.takePushed(clientID, from); p.source == nil {
		return storage.ErrFull
	}
	s.pushedRequests.insert(p)
	if !s.pushed.add(string(p.hash[:]), p) {
		s.pushedRequests.remove(p)
		s.givePushed(p.source, true)
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
	if p.verdict(hash, record.Nanos(now)) != nil {
		return storage.PushedRequest{}, storage.ErrNotFound
	}
	out := storage.PushedRequest{Hash: hash, ClientID: p.source.client.id, Source: p.source.name, ExpiresAt: record.Time(p.end)}
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
	if err := p.verdict(hash, record.Nanos(now)); err != nil {
		return err
	}
	p.used, p.params = true, ""
	s.consumePushed(p.source)
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
	s.pushedRequests.remove(p)
	s.givePushed(p.source, !p.used)
	return 1
}
