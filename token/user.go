package token

import "context"

// User is what the host knows about a user now.
type User struct {
	// Disabled ends the grants of the user at their next use.
	Disabled bool
	// Claims are claims by name, for Config.ScopeClaims and for claims functions. The map must not change.
	Claims map[string]any
}

// UserSource finds users.
type UserSource interface {
	// User returns the user with this subject (session.Identity.Subject). It is called once per request. An error that wraps
	// storage.ErrNotFound ends the grants of the user; every other error is a fault, which is answered with 503.
	User(ctx context.Context, subject string) (User, error)
}

// UserFunc is a function as a UserSource.
type UserFunc func(ctx context.Context, subject string) (User, error)

// User calls f.
func (f UserFunc) User(ctx context.Context, subject string) (User, error) { return f(ctx, subject) }
