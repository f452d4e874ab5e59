package provider_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/scope"
)

// TestIntrospectionLinksNoPseudonym checks that an API that reads the national identity number in a token that was narrowed for it does
// not receive the pseudonym of the user by introspecting it (docs/threat-model.md H10).
func TestIntrospectionLinksNoPseudonym(t *testing.T) {
	t.Parallel()
	secret, err := client.NewSecret(optest.Secret, time.Time{})
	require.NoError(t, err)
	op := optest.New(t, optest.Options{
		Clients: []client.Client{{
			ClientID: "shop", ClientName: "shop", OrganisationNo: optest.Org, IntegrationType: "api_klient", Secrets: []client.Secret{secret},
			GrantTypes: []string{client.AuthorizationCode, client.RefreshToken}, RedirectURIs: []string{optest.RedirectURI("shop")},
			Scopes: []string{"openid", "test:api", "other:api", "test:pseudonym"},
		}},
		Scopes: []scope.Scope{{Name: "other:api", OwnerOrgno: "889640782", Description: "another API"}},
	})
	login := func(scopes string) optest.Answer {
		r, b := op.Request("shop", scopes), op.Browser()
		return op.Exchange(t, r, b.Login(t, r, "kari").Code(t))
	}
	pseudonym := payload(t, login("openid test:pseudonym").String("id_token"))["sub"]
	narrow := op.Call(t, "/token", "shop", url.Values{
		"grant_type": {client.RefreshToken}, "refresh_token": {login("openid test:api other:api").String("refresh_token")}, "scope": {"test:api"},
	}).String("access_token")
	held := payload(t, narrow)
	require.Equal(t, optest.KariPID, held["pid"])
	require.NotEqual(t, pseudonym, held["sub"])
	got := op.Introspect(t, "owner", narrow).JSON
	require.Equal(t, held["jti"], got["jti"])
	require.Equal(t, held["sub"], got["sub"])
}
