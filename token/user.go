package token

import "context"

// User is the current state of a user at the host.
type User struct {
	// Disabled rejects every code and token of the user that is presented to this provider. A code or refresh token that is
	// presented is also consumed or revoked for good; access tokens are accepted again when the user is enabled. A resource
	// server that verifies self-contained access tokens itself accepts them until they expire.
	Disabled bool
	// Claims are claims by name, for Config.ScopeClaims and for claims functions. The map must not change.
	Claims map[string]any
}

// UserSource finds users.
type UserSource interface {
	// User returns the user with this subject (session.Identity.Subject). It is called once per request, and again if another
	// request changed the grant meanwhile. An error that wraps storage.ErrNotFound has the effect of Disabled. Every other
	// error is a fault, and the response is 503.
	User(ctx context.Context, subject string) (User, error)
}

// UserFunc is a function as a UserSource.
type UserFunc func(ctx context.Context, subject string) (User, error)

// User calls f.
func (f UserFunc) User(ctx context.Context, subject string) (User, error) { return f(ctx, subject) }
