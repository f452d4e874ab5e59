package helseid_test

import (
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

const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	scopePID      = "helseid://scopes/identity/pid"
	claimPID      = "helseid://claims/identity/pid"
	claimParent   = "helseid://claims/client/claims/orgnr_parent"
)

// exchanges is a provider with two clients: user, in which users log in and which acts for no organisation, and api, of one organisation,
// which is the APIs nhn:sample and nhn:other, and whose tokens would live longer.
type exchanges struct{ *optest.OP }

func newExchanges(t *testing.T) exchanges {
	t.Helper()
	s := service(t, func(c *helseid.Config) {
		c.Registrations = registrations{"api": {Tenancy: helseid.SingleTenant, APIs: []string{"nhn:sample", "nhn:other"}}}
		c.APIs = append(c.APIs,
			helseid.API{Name: "nhn:other", Scopes: []string{"nhn:other/read"}, Claims: []string{claimParent, claimPID}},
			helseid.API{Name: "nhn:third", Scopes: []string{"nhn:third/read"}})
	})
	api := optest.Clients(t)[0]
	api.ClientID, api.GrantTypes, api.RedirectURIs, api.AccessTokenLifetime = "api", []string{grantExchange}, nil, 600
	api.Scopes = []string{"nhn:other/read", scopePID}
	user := optest.Clients(t)[0]
	user.ClientID, user.RedirectURIs = "user", []string{optest.RedirectURI("user")}
	user.Scopes = []string{"openid", "nhn:sample/open", "nhn:sample/pseudonymous", "nhn:sample/opaque", "nhn:third/read"}
	for _, c := range []*client.Client{&api, &user} {
		c.IntegrationType, c.PostLogoutRedirectURIs, c.FrontchannelLogoutURI, c.FrontchannelLogoutSessionRequired = "", nil, "", false
	}
	scopes := []scope.Scope{
		{Name: "nhn:sample/open"},
		{Name: "nhn:sample/pseudonymous", RequiresPseudonymousTokens: true},
		{Name: "nhn:sample/opaque", TokenType: scope.Opaque},
		{Name: "nhn:other/read"},
		{Name: "nhn:third/read"},
		{Name: scopePID, RequiresUser: true},
	}
	for i := range scopes {
		scopes[i].OwnerOrgno, scopes[i].Description = optest.OwnerOrg, scopes[i].Name
		if aud, _, ok := strings.Cut(scopes[i].Name, "/"); ok && strings.HasPrefix(aud, "nhn:") {
			scopes[i].EnforcedAudForAccessToken = aud
		}
	}
	return exchanges{optest.New(t, optest.Options{Clients: []client.Client{api, user}, Scopes: scopes, Change: func(c *provider.Config) {
		c.Profile.Claims = s.Profile().Claims
		c.GrantHandlers = []token.GrantHandler{s.TokenExchange(c.Store.(token.GrantStore))}
	}})}
}

// token returns an access token of a login at user.
func (x exchanges) token(t *testing.T, scopes string) string {
	t.Helper()
	r := x.Request("user", scopes)
	a := x.Exchange(t, r, x.Browser().Login(t, r, "kari").Code(t))
	require.Equal(t, http.StatusOK, a.Status, "%s: %v", scopes, a.JSON)
	return a.String("access_token")
}

// exchange is a request of api.
func (x exchanges) exchange(t *testing.T, subject, scopes string) optest.Answer {
	t.Helper()
	return x.Call(t, "/token", "api", url.Values{
		"grant_type": {grantExchange}, "subject_token": {subject}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "scope": {scopes},
	})
}

// claimsOf returns the claims of the access token of a response.
func claimsOf(t *testing.T, a optest.Answer) (claims map[string]any) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.JSON)
	require.NoError(t, json.Unmarshal(payload(a.String("access_token")), &claims))
	return claims
}

// TestExchangedToken: an exchanged token ends with the subject token at the latest, and has no organisation of the client that exchanged
// it, which is in act.
func TestExchangedToken(t *testing.T) {
	t.Parallel()
	op := newExchanges(t)
	subject := op.token(t, "openid nhn:sample/open")
	var first map[string]any
	require.NoError(t, json.Unmarshal(payload(subject), &first))
	claims := claimsOf(t, op.exchange(t, subject, "nhn:other/read"))
	require.Equal(t, []any{first["exp"], "nhn:other/read", "nhn:other"}, []any{claims["exp"], claims["scope"], claims["aud"]})
	require.Equal(t, map[string]any{"client_id": "api", "orgnr_parent": optest.Org}, claims["act"])
	require.NotContains(t, claims, claimParent, "the first client acts for no organisation")
}

// TestExchangeRefuses: a token that is for no API of the client is not exchanged, and an exchange issues scopes of APIs alone, although the
// client registered others.
func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	op := newExchanges(t)
	for name, tt := range map[string]struct{ of, scopes, want string }{
		"a token for the API":     {"openid nhn:sample/open", "nhn:other/read", ""},
		"a token for another API": {"openid nhn:third/read", "nhn:other/read", "invalid_request"},
		"a token for no API":      {"openid", "nhn:other/read", "invalid_request"},
		"a scope of identities":   {"openid nhn:sample/open", "nhn:other/read " + scopePID, "invalid_scope"},
		"only one of identities":  {"openid nhn:sample/open", scopePID, "invalid_scope"},
	} {
		a := op.exchange(t, op.token(t, tt.of), tt.scopes)
		require.Equal(t, tt.want, a.String("error"), "%s: %v", name, a.JSON)
	}
}

// TestExchangesAreBounded: a token that is the result of token.MaxExchanges exchanges is not exchanged again.
func TestExchangesAreBounded(t *testing.T) {
	t.Parallel()
	op := newExchanges(t)
	subject := op.token(t, "openid nhn:sample/open")
	for range token.MaxExchanges {
		a := op.exchange(t, subject, "nhn:other/read")
		require.Equal(t, http.StatusOK, a.Status, a.JSON)
		subject = a.String("access_token")
	}
	a := op.exchange(t, subject, "nhn:other/read")
	require.Equal(t, "invalid_request", a.String("error"), a.JSON)
}
