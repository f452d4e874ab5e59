package client

import (
	"context"
	"fmt"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/storage"
)

// Registry is a Source of fixed registrations. It is immutable and safe for concurrent use.
type Registry struct {
	byID    map[string]*Client
	origins map[string]bool
}

// NewRegistry validates all registrations and reports all problems at once, as portner.FieldErrors: "web.redirect_uris[0]" is
// a member of the client with the client_id web, and "clients[2].client_id" of the third client, whose client_id is invalid.
func NewRegistry(env Environment, clients ...Client) (*Registry, error) {
	r := &Registry{byID: make(map[string]*Client, len(clients)), origins: map[string]bool{}}
	var problems fields.Checker
	for i := range clients {
		c := clients[i] // a copy, so that later changes of the argument do not reach the registry
		name := c.ClientID
		if !validClientID(name) {
			name = at("clients", i)
		}
		problems.Join(name, c.Validate(env))
		problems.Want(r.byID[c.ClientID] == nil, name+".client_id", "is registered twice")
		r.byID[c.ClientID] = &c
		if c.Disabled {
			continue
		}
		for _, o := range c.CORSOrigins() {
			r.origins[o] = true
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return r, nil
}

// Client implements Source. It returns disabled clients, too; Lookup rejects them.
func (r *Registry) Client(_ context.Context, clientID string) (*Client, error) {
	c, ok := r.byID[clientID]
	if !ok {
		return nil, fmt.Errorf("client: registry: %w", storage.ErrNotFound)
	}
	return c, nil
}

// HasOrigin reports whether an enabled browser client has the origin. A CORS preflight does not name the client. The error
// is nil; pass the method as Origins of a configuration.
func (r *Registry) HasOrigin(_ context.Context, origin string) (bool, error) {
	return r.origins[origin], nil
}
