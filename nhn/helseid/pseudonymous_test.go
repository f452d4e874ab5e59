package helseid_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// TestExchangeDisclosesNoUser: a subject token whose client must not identify the user, because a scope of the host is pseudonymous or opaque,
// is not exchanged for one that has the claims of the user.
func TestExchangeDisclosesNoUser(t *testing.T) {
	t.Parallel()
	const grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	s := service(t, func(c *helseid.Config) {
		c.Registrations = registrations{"api": {APIs: []string{"nhn:sample"}}}
		c.APIs = append(c.APIs, helseid.API{Name: "nhn:other", Scopes: []string{"nhn:other/read"}})
	})
	api := optest.Clients(t)[0]
	api.ClientID, api.GrantTypes, api.Scopes, api.RedirectURIs = "api", []string{grantExchange}, []string{"nhn:other/read"}, nil
	user := optest.Clients(t)[0]
	user.ClientID, user.Scopes = "user", []string{"openid", "nhn:sample/open", "nhn:sample/pseudonymous", "nhn:sample/opaque"}
	user.RedirectURIs = []string{optest.RedirectURI("user")}
	for _, c := range []*client.Client{&api, &user} {
		c.IntegrationType, c.PostLogoutRedirectURIs, c.FrontchannelLogoutURI, c.FrontchannelLogoutSessionRequired = "", nil, "", false
	}
	scopes := []scope.Scope{
		{Name: "nhn:sample/open"},
		{Name: "nhn:sample/pseudonymous", RequiresPseudonymousTokens: true},
		{Name: "nhn:sample/opaque", TokenType: scope.Opaque},
		{Name: "nhn:other/read"},
	}
	for i := range scopes {
		scopes[i].OwnerOrgno, scopes[i].Description = optest.OwnerOrg, scopes[i].Name
		scopes[i].EnforcedAudForAccessToken, _, _ = strings.Cut(scopes[i].Name, "/")
	}
	op := optest.New(t, optest.Options{Clients: []client.Client{api, user}, Scopes: scopes, Change: func(c *provider.Config) {
		c.GrantHandlers = []token.GrantHandler{s.TokenExchange(c.Store.(token.GrantStore))}
	}})
	for name, status := range map[string]int{"open": http.StatusOK, "pseudonymous": http.StatusBadRequest, "opaque": http.StatusBadRequest} {
		r := op.Request("user", "openid nhn:sample/"+name)
		subject := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t)).String("access_token")
		require.NotEmpty(t, subject, name)
		a := op.Call(t, "/token", "api", url.Values{
			"grant_type": {grantExchange}, "subject_token": {subject}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "scope": {"nhn:other/read"},
		})
		require.Equal(t, status, a.Status, "%s: %v, %s", name, a.JSON, payload(a.String("access_token")))
		if status == http.StatusOK {
			var claims map[string]any
			require.NoError(t, json.Unmarshal(payload(a.String("access_token")), &claims))
			require.Equal(t, optest.KariPID, claims["pid"], "the control")
		}
	}
}

func payload(jwt string) []byte {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return text
}
