package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/portner-go/portner/storage"
)

// Registry is a Source over fixed registrations. It is immutable and safe for concurrent use.
type Registry struct {
	byID    map[string]*Client
	origins map[string]bool
}

// NewRegistry validates all registrations and reports all problems at once; each names its client.
func NewRegistry(env Environment, clients ...Client) (*Registry, error) {
	r := &Registry{byID: make(map[string]*Client, len(clients)), origins: map[string]bool{}}
	var problems []error
	for i := range clients {
		c := clients[i] // a copy: the registry shares no registration with its maker
		if err := c.Validate(env); err != nil {
			problems = append(problems, err)
		}
		if _, ok := r.byID[c.ClientID]; ok {
			problems = append(problems, &PropertyError{ClientID: c.ClientID, Property: "client_id", Rule: "registered twice"})
		}
		r.byID[c.ClientID] = &c
		if c.Disabled {
			continue
		}
		for _, o := range c.CORSOrigins() {
			r.origins[o] = true
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return r, nil
}

// Client implements Source. Disabled registrations are found: they still have a name for the log, and
// authentication refuses them.
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
