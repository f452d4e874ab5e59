package maskinporten

import (
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/admin"
)

// lists are the lists of the configuration that the administration changes.
func lists() []admin.List {
	return []admin.List{
		admin.Clients(map[string]string{"integration_type": "maskinporten", "token_endpoint_auth_method": client.PrivateKeyJWT}), admin.Scopes(), admin.ScopeAccess(),
		admin.Other("organisations", 1, admin.Field{Member: "orgno"}, admin.Field{Member: "name"}),
		admin.Other("delegations", 2, admin.Field{Member: "consumer_orgno"}, admin.Field{Member: "supplier_orgno"}, admin.Field{Member: "scopes", Kind: admin.Lines}),
		admin.Other("system_users", 1, admin.Field{Member: "id"}, admin.Field{Member: "system_id"}, admin.Field{Member: "client_ids", Kind: admin.Lines},
			admin.Field{Member: "vendor_orgno"}, admin.Field{Member: "customer_orgno"}),
		admin.Other("consents", 1, admin.Field{Member: "id"}, admin.Field{Member: "from"}, admin.Field{Member: "to_orgno"}, admin.Field{Member: "valid_to"}),
	}
}

// inUse is what the administration shows.
func (s *Server) inUse() standin.InUse {
	c := s.Config
	return standin.InUse{Keys: s.Keys, Entries: func(list string) any {
		return map[string]any{
			"clients": c.Clients, "scopes": c.Scopes, "scope_access": c.ScopeAccess,
			"organisations": c.Organisations, "delegations": c.Delegations, "system_users": c.SystemUsers, "consents": c.Consents,
		}[list]
	}}
}
