package altinn

import (
	"context"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/admin"
)

// administer opens the administration, and reads the configuration again if it was changed.
func (s *Server) administer(ctx context.Context) (err error) {
	s.admin, err = standin.OpenAdministration(ctx, s.Options.Flags, standin.Administered{
		Name: "Altinn", Apply: s.apply, Lists: []admin.List{
			admin.Other("organisations", 1, admin.Field{Member: "orgno"}, admin.Field{Member: "org"}, admin.Field{Member: "name"}),
			admin.Other("users", 1, admin.Field{Member: "user_id", Kind: admin.Number}, admin.Field{Member: "pid"}, admin.Field{Member: "username"},
				admin.Field{Member: "party_id", Kind: admin.Number}, admin.Field{Member: "party_uuid"}),
			admin.Other("parties", 1, admin.Field{Member: "orgno"}, admin.Field{Member: "name"}, admin.Field{Member: "party_id", Kind: admin.Number}, admin.Field{Member: "party_uuid"}),
			admin.Other("systems", 1, admin.Field{Member: "system_id"}, admin.Field{Member: "vendor_orgno"}, admin.Field{Member: "name"},
				admin.Field{Member: "client_ids", Kind: admin.Lines}, admin.Field{Member: "resources", Kind: admin.Lines}),
			admin.Other("system_users", 1, admin.Field{Member: "id"}, admin.Field{Member: "system_id"}, admin.Field{Member: "customer_orgno"}),
		},
	}, s.Issuer, s.State, s.log)
	if err != nil {
		return err
	}
	s.Sites = append(s.Sites, s.admin.Sites()...)
	s.file, err = standin.Changed(s.admin, s.file, s.read)
	s.Config = s.file.with(s.builtin)
	return err
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
