package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/pkce"
)

// TestReload: a client of a reloaded configuration can log users in.
func TestReload(t *testing.T) {
	t.Parallel()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	standintest.RequireReload(t, start, func(s *ansattporten.Server) any {
		resp, err := client.Get(s.Issuer + "/authorize?" + url.Values{
			"client_id": {"ny"}, "redirect_uri": {"http://localhost:3000/cb"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
			"code_challenge": {pkce.Challenge(pkce.NewVerifier())}, "code_challenge_method": {"S256"},
		}.Encode())
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode
	}, `{}`, `{"clients":[{"client_id":"ny","client_secret":"Vy4HsNq6TzBx0KmRc8WgLj2PdFu5AeXo","client_orgno":"991825827","integration_type":"ansattporten","redirect_uris":["http://localhost:3000/cb"],"scopes":["openid"]}]}`)
}
