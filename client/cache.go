package client

import (
	"context"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/fields"
)

// SourceFunc is a Source that calls a function.
type SourceFunc func(ctx context.Context, clientID string) (*Client, error)

// Client calls f.
func (f SourceFunc) Client(ctx context.Context, clientID string) (*Client, error) {
	return f(ctx, clientID)
}

// Cache returns a Source that remembers at most max clients of s, each for at most ttl: a changed registration takes effect
// after ttl. If the cache is full, it forgets clients that have not been looked up for a long time. Errors are not
// remembered, storage.ErrNotFound included, so that a new client works at once and unknown identifiers take no memory.
//
// The returned Source is safe for concurrent use if s is. If max or ttl is not positive, Cache returns s itself.
func Cache(s Source, max int, ttl time.Duration) Source {
	if fields.IsNil(s) || max <= 0 || ttl <= 0 {
		return s
	}
	c := &cache{source: s, max: max, ttl: ttl}
	c.now = time.Now
	return c
}

// cache keeps two generations of at most max/2 clients. A client that is looked up moves into the recent one; when that is
// full, it becomes the older one, and the clients of the former older one are forgotten.
type cache struct {
	source Source
	max    int
	ttl    time.Duration
	now    func() time.Time

	mu            sync.Mutex
	recent, older map[string]cached
}

type cached struct {
	client  *Client
	expires time.Time
}

// Client implements Source.
func (c *cache) Client(ctx context.Context, clientID string) (*Client, error) {
	loaded := c.now()
	if found := c.find(clientID, loaded); found != nil {
		return found, nil
	}
	found, err := c.source.Client(ctx, clientID)
	if err == nil && found != nil && found.ClientID == clientID {
		c.remember(clientID, cached{found, loaded.Add(c.ttl)})
	}
	return found, err
}

// find returns a remembered client, or nil.
func (c *cache) find(clientID string, now time.Time) *Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.recent[clientID]
	if !ok {
		if entry, ok = c.older[clientID]; ok {
			delete(c.older, clientID)
			c.insert(clientID, entry)
		}
	}
	if !ok || !now.Before(entry.expires) {
		return nil
	}
	return entry.client
}

func (c *cache) remember(clientID string, entry cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.older, clientID)
	c.insert(clientID, entry)
}

// insert adds an entry to the recent generation.
func (c *cache) insert(clientID string, entry cached) {
	if _, ok := c.recent[clientID]; !ok && len(c.recent) >= max(1, c.max/2) {
		c.older, c.recent = c.recent, nil
		if c.max == 1 {
			c.older = nil
		}
	}
	if c.recent == nil {
		c.recent = map[string]cached{}
	}
	c.recent[clientID] = entry
}
