package token_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// TestDefaultAudience: the audience of Config.DefaultAudience is in the token, its record and introspection, at a code and at a refresh. A
// requested resource and the audience of a scope take precedence, and without one of its own the issuer stays.
func TestDefaultAudience(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) {
		c.AccessTokenType = "at+jwt"
		c.DefaultAudience = func(_ context.Context, c *token.Contents) ([]string, error) {
			if c.Client.ClientID == "web" {
				return []string{"the-api"}, nil
			}
			return nil, nil
		}
	})
	a := f.login("web", "openid", "profile")
	for _, a := range []answer{a, f.refresh("web", a.str("refresh_token"))} {
		_, at := segments(t, a.str("access_token"))
		require.Equal(t, "the-api", at["aud"])
		require.Equal(t, "the-api", f.introspect("web", a.str("access_token")).body["aud"])
	}
	requested := f.redeem("web", f.code(forClient("web", "openid"), func(c *storage.AuthorizationCode) {
		c.Grant.Resources = []string{"https://requested.example.no"}
	}))
	_, at := segments(t, requested.str("access_token"))
	require.Equal(t, "https://requested.example.no", at["aud"])
}

// TestDefaultAudienceRejects: a client is no default audience, and an error of the function consumes no code.
func TestDefaultAudienceRejects(t *testing.T) {
	t.Parallel()
	var audience []string
	var fail error
	f := newFixture(t, func(c *token.Config) {
		c.AccessTokenType = "at+jwt"
		c.DefaultAudience = func(context.Context, *token.Contents) ([]string, error) { return audience, fail }
	})
	code := f.code(forClient("web", "openid"))
	audience = []string{"web"}
	require.Equal(t, "invalid_target", f.redeem("web", code).str("error"))
	audience, fail = nil, &portner.Error{Code: portner.AccessDenied, Description: "No API."}
	require.Equal(t, "access_denied", f.redeem("web", code).str("error"))
	fail = errors.New("the register is down")
	require.Equal(t, "temporarily_unavailable", f.redeem("web", code).str("error"))
	fail = nil
	require.NotEmpty(t, f.redeem("web", code).str("access_token"))
}
