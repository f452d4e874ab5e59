package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// ErrDisabled reports that the client exists and is disabled. It wraps storage.ErrNotFound, because the responses for
// disabled and unknown clients are equal.
var ErrDisabled = fmt.Errorf("client: the client is disabled: %w", storage.ErrNotFound)

// Lookup finds an enabled client in s. Every package of this module that needs a client calls it.
//
// It returns an error that wraps storage.ErrNotFound if there is no such client, and the client with ErrDisabled if it is
// disabled. Every other error is a fault: the source failed (portner.ErrUnavailable), or it returned a client with
// another client_id.
func Lookup(ctx context.Context, s Source, clientID string) (*Client, error) {
	if !validClientID(clientID) {
		return nil, fmt.Errorf("client: lookup: %w", storage.ErrNotFound)
	}
	c, err := s.Client(ctx, clientID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("client: lookup: %w: %w", portner.ErrUnavailable, err)
	case c == nil || c.ClientID != clientID: // for example a database that ignores case
		return nil, errors.New("client: lookup: the source returned another client")
	case c.Disabled:
		return c, ErrDisabled
	}
	return c, nil
}

// validClientID reports whether id is 1 to 256 printable ASCII characters (RFC 6749 appendix A.1).
func validClientID(id string) bool {
	return id != "" && len(id) <= maxClientID && isPrintable(id)
}
