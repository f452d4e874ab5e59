package ansattporten

import (
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/admin"
)

// lists are the lists of the configuration that the administration changes.
func lists() []admin.List {
	return []admin.List{
		admin.Clients(nil), admin.Scopes(), admin.ScopeAccess(), admin.Accounts(false, "name", "acr"),
	}
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
