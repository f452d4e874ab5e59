package idporten

import (
	"context"
	"fmt"
	"time"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/admin"
	"github.com/portner-go/portner/storage"
)

// lists are the lists of the configuration that the administration changes.
func lists() []admin.List {
	return []admin.List{admin.Clients(nil), admin.Scopes(), admin.ScopeAccess(), admin.Accounts(true, "acr")}
}

// inUse is what the administration shows.
func (s *Server) inUse() standin.InUse {
	return standin.InUse{
		Keys: s.Keys, Authorizations: authorized{s}, Ended: s.Provider.Logout.NotifyEnded,
		Entries: func(list string) any {
			return map[string]any{"clients": s.Config.Clients, "scopes": s.Config.Scopes, "scope_access": s.Config.ScopeAccess, "users": s.Config.Users}[list]
		},
	}
}

// authorized implements admin.Authorizations.
type authorized struct{ s *Server }

// subject returns the subject of a user of the configuration.
func (u authorized) subject(username string) (string, error) {
	one, ok := standin.Find(u.s.Config.Users, func(one User) bool { return one.Username == username })
	if !ok {
		return "", fmt.Errorf("users: %w", storage.ErrNotFound)
	}
	return u.s.Users.Subject(one), nil
}

// List returns the newest authorizations of a user.
func (u authorized) List(ctx context.Context, username string, now time.Time) ([]authorizations.Authorization, error) {
	subject, err := u.subject(username)
	if err != nil {
		return nil, err
	}
	page, err := u.s.granted.OfUser(ctx, subject, authorizations.Filter{WithoutConsent: true}, now)
	return append([]authorizations.Authorization{}, page.Authorizations...), err
}

// Revoke ends an authorization of a user.
func (u authorized) Revoke(ctx context.Context, username, id string, now time.Time) error {
	subject, err := u.subject(username)
	if err != nil {
		return err
	}
	return u.s.granted.Revoke(ctx, subject, id, now)
}
