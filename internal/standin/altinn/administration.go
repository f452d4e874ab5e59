package altinn

import (
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/admin"
)

// lists are the lists of the configuration that the administration changes.
func lists() []admin.List {
	return []admin.List{
		admin.Other("organisations", 1, admin.Field{Member: "orgno"}, admin.Field{Member: "org"}, admin.Field{Member: "name"}),
		admin.Other("users", 1, admin.Field{Member: "user_id", Kind: admin.Number}, admin.Field{Member: "pid"}, admin.Field{Member: "username"},
			admin.Field{Member: "party_id", Kind: admin.Number}, admin.Field{Member: "party_uuid"}),
		admin.Other("parties", 1, admin.Field{Member: "orgno"}, admin.Field{Member: "name"}, admin.Field{Member: "party_id", Kind: admin.Number}, admin.Field{Member: "party_uuid"}),
		admin.Other("systems", 1, admin.Field{Member: "system_id"}, admin.Field{Member: "vendor_orgno"}, admin.Field{Member: "name"},
			admin.Field{Member: "client_ids", Kind: admin.Lines}, admin.Field{Member: "resources", Kind: admin.Lines}),
		admin.Other("system_users", 1, admin.Field{Member: "id"}, admin.Field{Member: "system_id"}, admin.Field{Member: "customer_orgno"}),
	}
}

// inUse is what the administration shows.
func (s *Server) inUse() standin.InUse {
	c := s.Config
	return standin.InUse{Keys: s.Keys, Entries: func(list string) any {
		return map[string]any{
			"organisations": c.Organisations, "users": c.Users, "parties": c.Parties, "systems": c.Systems, "system_users": c.SystemUsers,
		}[list]
	}}
}
