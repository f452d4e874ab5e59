package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// TestClaimsParameter: the plain profile returns requested claims in id_token and userinfo, to clients that are registered for the
// scope of the claim. The ID-porten profile ignores the parameter. The metadata says so.
func TestClaimsParameter(t *testing.T) {
	t.Parallel()
	const claims = `{"id_token":{"email":{"essential":true},"phone_number":null},"userinfo":{"name":null}}`
	users := token.UserFunc(func(context.Context, string) (token.User, error) {
		return token.User{Claims: map[string]any{"name": "Kari Nordmann", "email": "kari@example.no", "phone_number": "+4799999999"}}, nil
	})
	for name, tc := range map[string]struct {
		profile   provider.Profile
		supported bool
	}{"plain": {provider.OpenIDConnect(), true}, "ID-porten": {provider.IDPorten(), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := optest.Clients(t)[0]
			app.ClientID, app.Scopes, app.RedirectURIs = "app", []string{"openid", "profile", "email"}, []string{optest.RedirectURI("app")}
			app.FrontchannelLogoutURI = ""
			op := optest.New(t, optest.Options{
				Clients: []client.Client{app}, Scopes: scope.StandardScopes(),
				Change: func(c *provider.Config) { c.Profile, c.Users = tc.profile, users },
			})
			r := op.Request("app", "openid", "claims", claims)
			p := op.Browser().Login(t, r, "kari")
			answer := op.Exchange(t, r, p.Code(t))
			idToken := payload(t, answer.String("id_token"))
			userInfo := op.UserInfo(t, answer.String("access_token"))
			if tc.supported {
				require.Equal(t, "kari@example.no", idToken["email"])
				require.Equal(t, "Kari Nordmann", userInfo.String("name"))
			} else {
				require.NotContains(t, idToken, "email")
			}
			require.NotContains(t, idToken, "name", "requested for userinfo only")
			require.NotContains(t, idToken, "phone_number", "the client is not registered for the scope phone")
			require.NotContains(t, userInfo.JSON, "email", "requested for the id_token only")

			w := httptest.NewRecorder()
			op.ServeHTTP(w, httptest.NewRequest(http.MethodGet, optest.Issuer+"/.well-known/openid-configuration", nil))
			var meta map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &meta))
			require.Equal(t, tc.supported, meta["claims_parameter_supported"])
		})
	}
}

// payload returns the claims of a JWT.
func payload(t *testing.T, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(text, &m))
	return m
}

// TestClaimsParameterNeedsConsent: the claims parameter returns no claim of a scope that requires consent and was not requested, was
// declined, or was left out at the refresh.
func TestClaimsParameterNeedsConsent(t *testing.T) {
	t.Parallel()
	const claims = `{"id_token":{"email":null},"userinfo":{"email":null}}`
	email := scope.StandardScopes()[0]
	require.Equal(t, scope.Email, email.Name)
	email.RequiresUserConsent = true
	app := optest.Clients(t)[0]
	app.ClientID, app.Scopes, app.RedirectURIs = "app", []string{"openid", "email"}, []string{optest.RedirectURI("app")}
	app.FrontchannelLogoutURI = ""
	op := optest.New(t, optest.Options{
		Clients: []client.Client{app}, Scopes: []scope.Scope{email},
		Change: func(c *provider.Config) {
			c.Profile = provider.OpenIDConnect()
			c.Users = token.UserFunc(func(context.Context, string) (token.User, error) {
				return token.User{Claims: map[string]any{"email": "kari@example.no"}}, nil
			})
		},
	})
	requireEmail := func(want bool, idToken, accessToken string) {
		t.Helper()
		_, inIDToken := payload(t, idToken)["email"]
		_, inUserInfo := op.UserInfo(t, accessToken).JSON["email"]
		require.Equal(t, [2]bool{want, want}, [2]bool{inIDToken, inUserInfo})
	}
	for name, tc := range map[string]struct {
		scopes string
		answer []string // nil if the consent page is not shown
		want   bool
	}{
		"not requested": {scopes: "openid"},
		"declined":      {scopes: "openid email", answer: []string{}},
		"approved":      {scopes: "openid email", answer: []string{"email"}, want: true},
	} {
		r := op.Request("app", tc.scopes, "claims", claims, "prompt", "consent")
		b := op.Browser()
		p := b.Login(t, r, "kari")
		if tc.answer != nil {
			require.Equal(t, "consent", p.Step(), name)
			p = b.Post(t, p, map[string][]string{"scope": tc.answer})
		}
		answer := op.Exchange(t, r, p.Code(t))
		requireEmail(tc.want, answer.String("id_token"), answer.String("access_token"))
		if !tc.want {
			continue
		}
		answer = op.Call(t, "/token", "app", map[string][]string{
			"grant_type": {client.RefreshToken}, "refresh_token": {answer.String("refresh_token")}, "scope": {"openid"},
		})
		requireEmail(false, answer.String("id_token"), answer.String("access_token"))
	}
}

// TestClaimsParameterOfPseudonyms: the claims parameter adds no claim of the user to pseudonymous documents, not even updated_at and
// zoneinfo: a client would find the user among those of its open logins by them.
func TestClaimsParameterOfPseudonyms(t *testing.T) {
	t.Parallel()
	const claims = `{"id_token":{"updated_at":null,"zoneinfo":null,"locale":null},"userinfo":{"updated_at":null,"zoneinfo":null,"locale":null}}`
	app := optest.Clients(t)[0]
	app.ClientID, app.Scopes, app.RedirectURIs = "app", []string{"openid", "profile", "test:pseudonym"}, []string{optest.RedirectURI("app")}
	app.FrontchannelLogoutURI = ""
	op := optest.New(t, optest.Options{
		Clients: []client.Client{app},
		Change: func(c *provider.Config) {
			c.Profile = provider.OpenIDConnect()
			c.Users = token.UserFunc(func(context.Context, string) (token.User, error) {
				return token.User{Claims: map[string]any{"updated_at": 1731234567, "zoneinfo": "Europe/Oslo", "locale": "se"}}, nil
			})
		},
	})
	for scopes, want := range map[string]bool{"openid": true, "openid test:pseudonym": false, "openid profile test:pseudonym": false} {
		r := op.Request("app", scopes, "claims", claims)
		answer := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
		for _, document := range []map[string]any{payload(t, answer.String("id_token")), op.UserInfo(t, answer.String("access_token")).JSON} {
			require.NotEmpty(t, document["sub"])
			for _, name := range []string{"updated_at", "zoneinfo"} {
				_, has := document[name]
				require.Equal(t, want, has, "%s: %s", scopes, name)
			}
			require.Equal(t, want, document["locale"] == "se", scopes)
		}
	}
}
