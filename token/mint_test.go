package token_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

const voucherGrant = "urn:example:grant-type:voucher"

// voucherFixture is a token endpoint with a grant handler that leaves the grant to Mint.
func voucherFixture(t *testing.T, contents token.Contents, change ...func(*token.Config)) *fixture {
	f := newFixture(t, append(change, func(c *token.Config) {
		c.GrantHandlers = []token.GrantHandler{{Type: voucherGrant, Handle: func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
			contents := contents
			contents.Client = r.Client
			return m.Mint(ctx, contents, func(ctx context.Context, i *storage.Issuance) error {
				return c.Store.(token.GrantStore).InsertGrant(ctx, i, r.Now)
			})
		}}}
	})...)
	f.clients["web"].GrantTypes = append(f.clients["web"].GrantTypes, voucherGrant)
	return f
}

func TestMintCompletesTheGrant(t *testing.T) {
	t.Parallel()
	kari := session.Identity{Subject: "user-1", Identifiers: identified(session.TypePID, pid)}
	f := voucherFixture(t, token.Contents{Identity: kari, Scopes: []string{"openid", "profile"}, IDToken: true, Refresh: true, Nonce: "n"})
	a := f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}})
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	_, idToken := segments(t, a.str("id_token"))
	require.Equal(t, "n", idToken["nonce"])
	info := f.userInfo(a.str("access_token"))
	require.Equal(t, idToken["sub"], info.body["sub"])
	require.Equal(t, pid, info.body["pid"])
	require.Equal(t, true, f.introspect("web", a.str("access_token")).body["active"])
	b := f.refresh("web", a.str("refresh_token"))
	require.Equal(t, http.StatusOK, b.Code, b.Body.String())

	_, g, err := f.store.AccessToken(t.Context(), storage.HashOf(b.str("access_token")), f.clock())
	require.NoError(t, err)
	require.Equal(t, testVault().UserKey("user-1"), g.UserKey)
	require.Equal(t, start, g.CreatedAt.UTC())
	require.Equal(t, start.Add(2*time.Hour), g.ExpiresAt.UTC())
}

func TestMintEvaluatesScopes(t *testing.T) {
	t.Parallel()
	f := voucherFixture(t, token.Contents{Scopes: []string{"api:read", "unregistered:scope"}})
	a := f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}})
	if a.Code == http.StatusOK { // scopes the client may not have are left out
		require.Equal(t, "api:read", a.str("scope"))
	}
	f = voucherFixture(t, token.Contents{Scopes: []string{"unregistered:scope"}})
	f.requireError(f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}}), http.StatusBadRequest, portner.InvalidScope)
	f = voucherFixture(t, token.Contents{Scopes: []string{"api:pseudo"}, Identity: session.Identity{Subject: "user-1"}})
	a = f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}})
	_, g, err := f.store.AccessToken(t.Context(), storage.HashOf(a.str("access_token")), f.clock())
	require.NoError(t, err)
	require.True(t, g.Pseudonymous)
}

// Mint checks the grant: users without access get no tokens, whichever handler decided it.
func TestMintChecksTheGrant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*world)
		scopes []string
	}{
		"user disabled":   {func(w *world) { w.user.Disabled = true }, []string{"api:read"}},
		"user removed":    {func(w *world) { w.userErr = storage.ErrNotFound }, []string{"api:read"}},
		"consent missing": {func(*world) {}, []string{"api:consent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			f := voucherFixture(t, token.Contents{Scopes: tt.scopes, Identity: session.Identity{Subject: "user-1"}}, func(c *token.Config) { c.Users, c.Store = w, consenting{c.Store, w} })
			tt.change(w)
			f.requireError(f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}}), http.StatusBadRequest, portner.InvalidGrant)
		})
	}
}

// TestAudienceIsNoClient: no grant handler and no older grant issues a token for a client, which would accept it as an id_token.
func TestAudienceIsNoClient(t *testing.T) {
	t.Parallel()
	const api = "https://api.example.no"
	f := voucherFixture(t, token.Contents{Scopes: []string{"api:read"}, Resources: []string{api}, Grant: storage.Grant{Resources: []string{api}}, Refresh: true})
	a := f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}})
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	f.clients[api] = &client.Client{ClientID: api} // registered after the grant was made
	for _, denied := range []answer{f.refresh("web", a.str("refresh_token")), f.send(f.ep, "web", url.Values{"grant_type": {voucherGrant}})} {
		require.Equal(t, http.StatusBadRequest, denied.Code)
		require.Equal(t, "invalid_target", denied.str("error"))
	}
	delete(f.clients, api)
	require.Equal(t, http.StatusOK, f.refresh("web", a.str("refresh_token")).Code, "nothing was consumed")
}

// The lifetime of an id_token is that of Lifetimes.IDToken, whatever that of the access token is.
func TestIDTokenLifetime(t *testing.T) {
	t.Parallel()
	for _, lifetimes := range []token.Lifetimes{
		{AccessToken: 5 * time.Minute, IDToken: time.Minute}, {AccessToken: time.Minute, IDToken: 5 * time.Minute},
	} {
		f := newFixture(t, func(c *token.Config) { c.Lifetimes = lifetimes })
		_, claims := segments(t, f.login("web", "openid", "api:short").str("id_token"))
		require.EqualValues(t, lifetimes.IDToken.Seconds(), claims["exp"].(float64)-claims["iat"].(float64))
		require.EqualValues(t, start.Unix(), claims["iat"])
	}
}
