package authorizations_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

const otherOrg = "910753614"

// TestPseudonymousGrantsAreNotListed checks that pseudonymous grants are listed only to the owner of all of their scopes.
func TestPseudonymousGrantsAreNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, scopes := range []string{"test:pseudonym", "test:opaque", "test:pseudonym other:api"} {
		r := w.op.Request("profil", scopes)
		w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t))
	}
	const any = "?require_user_consent=false"
	require.Len(t, w.list("GET", "/clients/authorizations"+any, w.own, ""), 2)
	require.Len(t, w.list("POST", "/clients/authorizations"+any, optest.Org, aboutKari), 2)
	require.Len(t, w.list("POST", "/api-provider/authorizations"+any, optest.OwnerOrg, aboutKari), 4, "the owner may introspect two of them")
	require.Empty(t, w.list("POST", "/api-provider/authorizations"+any, otherOrg, aboutKari))

	all, err := w.api.OfUser(t.Context(), "kari", authorizations.Filter{WithoutConsent: true}, time.Now())
	require.NoError(t, err)
	require.Len(t, all.Authorizations, 5, "the user sees all")
}

// TestPseudonymousLoginsAreNotListed checks that pseudonymous logins are not listed.
func TestPseudonymousLoginsAreNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.call("GET", "/innlogginger/logg/idporten", w.own, "").Body.String()
	for _, scopes := range []string{"test:pseudonym", "test:opaque", "openid test:pseudonym"} {
		r := w.op.Request("profil", scopes)
		w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t))
	}
	require.Equal(t, before, w.call("GET", "/innlogginger/logg/idporten", w.own, "").Body.String())
	logins, err := w.op.Store.Logins(t.Context(), w.cfg.Vault.UserKey("kari"), time.Now())
	require.NoError(t, err)
	require.Len(t, logins, 5, "the user sees all")
}

// TestPseudonymousCallers checks that a pseudonymous token is rejected, also if a scope became pseudonymous after it was issued.
func TestPseudonymousCallers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, scopes := range []string{"test:pseudonym", "test:opaque"} {
		r := w.op.Request("profil", scopes+" "+authorizations.Scope)
		pseudonymous := w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t)).String("access_token")
		require.Equal(t, http.StatusUnauthorized, w.call("GET", "/clients/authorizations", pseudonymous, "").Code, scopes)
	}
	registry, err := scope.NewRegistry([]scope.Scope{{Name: authorizations.Scope, OwnerOrgno: optest.OwnerOrg, Description: "x", RequiresPseudonymousTokens: true}}, nil)
	require.NoError(t, err)
	w.cfg.Scopes = registry
	w.use()
	require.Equal(t, http.StatusUnauthorized, w.call("GET", "/clients/authorizations", w.own, "").Code)
}

func (w *world) use() {
	w.t.Helper()
	api, err := authorizations.New(w.cfg)
	require.NoError(w.t, err)
	w.handler = api.Handler()
}

// TestExchangedTokensEndWithTheirParent checks that a token ends with the token it was exchanged for.
func TestExchangedTokensEndWithTheirParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	parent, grant, err := w.op.Store.AccessToken(t.Context(), storage.HashOf(w.own), now)
	require.NoError(t, err)
	child := parent
	child.Hash, child.GrantID = storage.HashOf("child"), "child"
	id, err := w.cfg.Vault.Open(grant.Identity, grant.ID)
	require.NoError(t, err)
	of := grant
	of.ID, of.Identity, of.Delegation = "child", w.cfg.Vault.Seal(id, "child"), storage.Delegation{Subject: parent.Hash}
	require.NoError(t, w.op.Store.InsertGrant(t.Context(), &storage.Issuance{Grant: of, Access: child}, now))

	require.Equal(t, http.StatusOK, w.call("GET", "/clients/authorizations", "child", "").Code)
	require.NoError(t, w.op.Store.Revoke(t.Context(), storage.Revocation{GrantID: grant.ID}, now))
	require.Equal(t, http.StatusUnauthorized, w.call("GET", "/clients/authorizations", "child", "").Code)
	require.Equal(t, http.StatusUnauthorized, w.call("DELETE", "/authorizations/child", "child", "").Code)
}

type noClients struct{}

func (noClients) Client(context.Context, string) (*client.Client, error) {
	return nil, errors.New("down")
}

// TestClientOutage checks that an outage of the clients is answered with 503.
func TestClientOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Clients = noClients{}
	w.use()
	require.Equal(t, http.StatusServiceUnavailable, w.call("GET", "/clients/authorizations", w.own, "").Code)
}

// TestOwnerEndsNoOtherAuthorizations verifies that the owner of a scope does not end grants of the same client for other APIs.
func TestOwnerEndsNoOtherAuthorizations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const any = "?require_user_consent=false"
	logIn := func(scopes string) {
		r := w.op.Request("profil", scopes)
		w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t))
	}
	logIn("openid other:api")
	listed := w.list("POST", "/api-provider/authorizations"+any, otherOrg, aboutKari)
	require.Len(t, listed, 1)
	require.Equal(t, http.StatusNoContent, w.call("DELETE", "/authorizations/"+listed[0].ID, otherOrg, "").Code)
	require.Empty(t, w.list("POST", "/api-provider/authorizations"+any, otherOrg, aboutKari))
	require.Len(t, w.list("GET", "/clients/authorizations"+any, w.own, ""), 2, "the grant for other scopes is live")

	logIn("openid other:api")
	listed = w.list("POST", "/api-provider/authorizations"+any, otherOrg, aboutKari)
	require.Equal(t, http.StatusNoContent, w.call("DELETE", "/authorizations/"+listed[0].ID, optest.Org, "").Code)
	require.Equal(t, http.StatusUnauthorized, w.call("GET", "/clients/authorizations", w.own, "").Code, "the organisation of the client ends all of them")
}

// TestAudience: a token for other resource servers only is rejected; one for this API, for the provider or without aud is not.
func TestAudience(t *testing.T) {
	t.Parallel()
	const other, api = "https://other.example.no", "https://authorizations.example.no"
	w := newWorld(t)
	w.cfg.Audience = []string{api}
	named, err := authorizations.New(w.cfg)
	require.NoError(t, err)
	for _, tt := range []struct {
		resources []string
		want      bool
		wantNamed bool
	}{
		{nil, true, true}, {[]string{other}, false, false}, {[]string{api}, false, true}, {[]string{other, api}, false, true},
	} {
		r := w.op.Request("profil", "openid "+authorizations.Scope)
		r.Params["resource"] = tt.resources
		bearer := "Bearer " + w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t)).String("access_token")
		request := token.APIRequest{Authorization: []string{bearer}}
		for a, want := range map[*authorizations.API]bool{w.api: tt.want, named: tt.wantNamed} {
			_, err := a.AuthenticateUser(t.Context(), request, authorizations.Scope)
			_, again := a.Authenticate(t.Context(), request)
			if want {
				require.NoError(t, err)
				require.NoError(t, again)
				continue
			}
			require.ErrorIs(t, err, portner.InvalidToken, "%v", tt.resources)
			require.ErrorIs(t, again, portner.InvalidToken)
		}
	}
	w.cfg.Audience = []string{api, ""}
	_, err = authorizations.New(w.cfg)
	require.ErrorContains(t, err, "Audience[1]")
}
