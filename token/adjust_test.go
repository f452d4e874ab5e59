package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// TestForm: each field of Form changes one member of tokens and responses, and the zero value none.
func TestForm(t *testing.T) {
	t.Parallel()
	jwt := func(c *token.Config) { c.AccessTokenType = "at+jwt" }
	plain := newFixture(t, jwt)
	a := plain.login("web", "openid", "profile", "api:read")
	_, at := segments(t, a.str("access_token"))
	_, id := segments(t, a.str("id_token"))
	require.Equal(t, "openid profile api:read", at["scope"])
	require.NotContains(t, at, "nbf")
	require.NotContains(t, id, "nbf")
	require.Contains(t, at, "acr")
	require.Contains(t, id, "acr")
	require.Contains(t, a.body, "refresh_token_expires_in")
	require.NotContains(t, a.body, "rt_expires_in")

	f := newFixture(t, jwt, func(c *token.Config) {
		c.Form = token.Form{ScopeArray: true, NotBefore: true, WithoutACR: true, SessionID: true, RTExpiresIn: true}
	})
	a = f.redeem("web", f.code(forClient("web", "openid", "profile", "api:read"), func(c *storage.AuthorizationCode) { c.Grant.SID = "sid-1" }))
	_, at = segments(t, a.str("access_token"))
	_, id = segments(t, a.str("id_token"))
	require.Equal(t, []any{"openid", "profile", "api:read"}, at["scope"])
	require.Equal(t, at["iat"], at["nbf"])
	require.Equal(t, id["iat"], id["nbf"])
	require.Equal(t, "sid-1", at["sid"])
	require.NotContains(t, at, "acr")
	require.NotContains(t, id, "acr")
	require.NotContains(t, a.body, "refresh_token_expires_in")
	require.EqualValues(t, 600, a.body["rt_expires_in"])
	require.Equal(t, "openid profile api:read", a.str("scope"), "the response has a string")
	require.Equal(t, "openid profile api:read", f.introspect("web", a.str("access_token")).str("scope"), "RFC 7662 §2.2: introspection has a string")
}

// TestAdjust: what Config.Adjust leaves is what the token, its record and the response have, at a code and at a refresh.
func TestAdjust(t *testing.T) {
	t.Parallel()
	adjust := func(_ context.Context, c *token.Contents) error {
		if !slices.Contains(c.Plan.Granted, "api:read") {
			c.Refresh = false
			return nil
		}
		c.Plan.Granted, c.RejectedScopes = []string{"openid", "profile", "api:read"}, []string{"api:aud"}
		c.Plan.Audience = nil
		c.AuthorizationDetails = json.RawMessage(`[{"type":"other"}]`)
		return nil
	}
	f := newFixture(t, func(c *token.Config) { c.Adjust = adjust })
	a := f.login("web", "openid", "profile", "api:read", "api:aud")
	require.NotContains(t, f.login("web", "openid", "profile").body, "refresh_token")
	for _, a := range []answer{a, f.refresh("web", a.str("refresh_token"))} {
		require.Equal(t, []string{"openid profile api:read", "api:aud"}, []string{a.str("scope"), a.str("rejected_scope")})
		_, at := segments(t, a.str("access_token"))
		require.Equal(t, "openid profile api:read", at["scope"])
		require.NotContains(t, at, "aud")
		require.Equal(t, []any{map[string]any{"type": "other"}}, at["authorization_details"])
		require.Equal(t, at["authorization_details"], f.introspect("web", a.str("access_token")).body["authorization_details"])
	}
}

// TestAdjustRejects: an error of Config.Adjust consumes neither a code nor a refresh token, and it cannot add scopes or audiences.
func TestAdjustRejects(t *testing.T) {
	t.Parallel()
	var adjust func(c *token.Contents) error
	f := newFixture(t, func(c *token.Config) {
		c.Adjust = func(_ context.Context, c *token.Contents) error { return adjust(c) }
	})
	code := f.code(forClient("web", "openid", "profile", "api:read"))
	for name, tc := range map[string]struct {
		adjust func(c *token.Contents) error
		status int
		code   portner.ErrorCode
	}{
		"an error for the client": {func(*token.Contents) error {
			return &portner.Error{Code: portner.InvalidAuthorizationDetails, Description: "HID-1001: The parent is not allowed."}
		}, 400, portner.InvalidAuthorizationDetails},
		"a fault":        {func(*token.Contents) error { return errors.New("no database") }, 503, portner.TemporarilyUnavailable},
		"no scope":       {func(c *token.Contents) error { c.Plan.Granted = nil; return nil }, 400, portner.InvalidScope},
		"another scope":  {func(c *token.Contents) error { c.Plan.Granted[0] = "api:write"; return nil }, 500, portner.ServerError},
		"a new audience": {func(c *token.Contents) error { c.Plan.Audience = []string{"https://api.example.no"}; return nil }, 500, portner.ServerError},
		"a new resource": {func(c *token.Contents) error { c.Resources = []string{"https://api.example.no"}; return nil }, 500, portner.ServerError},
	} {
		adjust = tc.adjust
		a := f.redeem("web", code)
		require.Equal(t, []any{tc.status, string(tc.code)}, []any{a.Code, a.str("error")}, name)
	}
	adjust = func(*token.Contents) error { return nil }
	a := f.redeem("web", code)
	require.Equal(t, 200, a.Code, "the code is still valid")
	adjust = func(*token.Contents) error { return errors.New("no database") }
	require.Equal(t, 503, f.refresh("web", a.str("refresh_token")).Code)
	adjust = func(*token.Contents) error { return nil }
	require.Equal(t, 200, f.refresh("web", a.str("refresh_token")).Code, "the refresh token is still valid")
}

// TestAdjustReceivesAssertion: the function receives the payload of the client assertion, nil if the client sent none.
func TestAdjustReceivesAssertion(t *testing.T) {
	t.Parallel()
	var payload json.RawMessage
	f := newFixture(t, func(c *token.Config) {
		c.Adjust = func(_ context.Context, c *token.Contents) error { payload = c.Client.Assertion; return nil }
	})
	f.login("web", "openid")
	require.Nil(t, payload)
	key, jwks := assertionKey(t)
	f.clients["jwt"] = &client.Client{
		ClientID: "jwt", OrganisationNo: consumerOrgno, TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks,
		RedirectURIs: []string{callback}, Scopes: []string{"openid"},
	}
	now := f.clock().Unix()
	form := codeForm(f.code(forClient("jwt", "openid")))
	form.Set("client_id", "jwt")
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", key(map[string]any{
		"iss": "jwt", "sub": "jwt", "aud": issuer, "iat": now, "exp": now + 60, "jti": "a", "assertion_details": []any{},
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := f.sendRequest(f.ep, r)
	require.Equal(t, 200, a.Code, a.Body)
	require.Contains(t, string(payload), "assertion_details")
}
