package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/pkce"
)

// TestUnknownResource: a resource that is not in the configuration is refused before any page.
func TestUnknownResource(t *testing.T) {
	t.Parallel()
	s := start(t)
	for resource, want := range map[string]bool{"urn:altinn:resource:9999:1": false, "urn:altinn:resource:2480:40": true} {
		q := url.Values{
			"client_id": {ansattporten.DemoClient}, "redirect_uri": {s.DemoAt + "/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
			"code_challenge": {pkce.Challenge(pkce.NewVerifier())}, "code_challenge_method": {"S256"},
			"authorization_details": {`[{"type":"ansattporten:altinn:service","resource":"` + resource + `"}]`},
		}
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := c.Get(s.Issuer + "/authorize?" + q.Encode())
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		at, err := res.Location()
		require.NoError(t, err)
		require.Equal(t, want, at.Path == "/login", at)
		if !want {
			require.Equal(t, "invalid_authorization_details", at.Query().Get("error"))
		}
	}
}
