package main

import (
	"github.com/portner-go/portner/token"
)

// grantHandlers returns the grant types beside authorization_code and refresh_token. Clients register those that they use.
func (s *server) grantHandlers() []token.GrantHandler {
	if s.cfg.Profile == "openid" { // ID-porten has no client_credentials
		return []token.GrantHandler{token.ClientCredentials(s.store)}
	}
	return nil
}
