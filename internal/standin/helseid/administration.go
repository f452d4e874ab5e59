package helseid

import (
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/admin"
	"github.com/portner-go/portner/nhn/helseid"
)

// lists are the lists of the configuration that the administration changes.
func lists() []admin.List {
	return []admin.List{
		admin.Clients(map[string]string{"token_endpoint_auth_method": client.PrivateKeyJWT}),
		admin.Other("apis", 1, admin.Field{Member: "name"}, admin.Field{Member: "scopes", Kind: admin.Lines}, admin.Field{Member: "claims", Kind: admin.Lines}),
		admin.Other("organisations", 1, admin.Field{Member: "client_id"}, admin.Field{
			Member: "tenancy", Kind: admin.Choice, Options: []string{helseid.SingleTenant, helseid.MultiTenant, helseid.NoTenancy},
		}, admin.Field{Member: "children", Kind: admin.Lines}, admin.Field{Member: "parents", Kind: admin.Lines}, admin.Field{Member: "apis", Kind: admin.Lines}),
		admin.Accounts(false, "given_name", "family_name", "hpr_number"),
	}
}

// inUse is what the administration shows.
func (s *Server) inUse() standin.InUse {
	c := s.Config
	return standin.InUse{Keys: s.Keys, Ended: s.op.Logout.NotifyEnded, Entries: func(list string) any {
		return map[string]any{
			"clients": c.Clients, "apis": c.APIs, "organisations": c.Organisations, "users": c.Users,
		}[list]
	}}
}
