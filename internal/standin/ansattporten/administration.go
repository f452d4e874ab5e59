package ansattporten

import (
	"context"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/admin"
)

// administer opens the administration, and reads the configuration again if it was changed.
func (s *Server) administer(ctx context.Context) (err error) {
	s.admin, err = standin.OpenAdministration(ctx, s.Options.Flags, standin.Administered{
		Name: "Ansattporten", Apply: s.apply, Sessions: true, Lists: []admin.List{
			admin.Clients(nil), admin.Scopes(), admin.ScopeAccess(), admin.Accounts(false, "name", "acr"),
		},
	}, s.Issuer, s.State, s.log)
	if err != nil {
		return err
	}
	s.Sites = append(s.Sites, s.admin.Sites()...)
	s.file, err = standin.Changed(s.admin, s.file, s.read)
	s.Config = s.file
	return err
}

// inUse is what the administration shows.
func (s *Server) inUse() standin.InUse {
	c := s.Config
	return standin.InUse{Keys: s.Keys, Ended: s.op.Logout.NotifyEnded, Entries: func(list string) any {
		return map[string]any{
			"clients": c.Clients, "scopes": c.Scopes, "scope_access": c.ScopeAccess, "users": c.Users,
		}[list]
	}}
}
