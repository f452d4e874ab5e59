package authorizations_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

const otherOrg = "910753614"

// Whoever asks by a person's number must not learn which pseudonym is hers: what a client may not know of the
// person behind a grant its organisation is not told here either, and of the owners of scopes only one who may
// introspect all of them (security rows H2, H4).
func TestPseudonymousGrantsStayApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, scopes := range []string{"test:pseudonym", "test:opaque", "test:pseudonym other:api"} {
		r := w.op.Request("profil", scopes)
		w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t))
	}
	const any = "?require_user_consent=false"
	require.Len(t, w.list("GET", "/clients/authorizations"+any, w.own, ""), 2)
	require.Len(t, w.list("POST", "/clients/authorizations"+any, optest.Org, aboutKari), 2)
	require.Len(t, w.list("POST", "/api-provider/authorizations"+any, optest.OwnerOrg, aboutKari), 4, "it resolves two of them anyhow")
	require.Empty(t, w.list("POST", "/api-provider/authorizations"+any, otherOrg, aboutKari))

	all, err := w.api.OfPerson(t.Context(), "kari", authorizations.Filter{Any: true}, time.Now())
	require.NoError(t, err)
	require.Len(t, all, 5, "she herself sees all")
}

// The same of the login history: the second of a pseudonymous login is as good as a name.
func TestPseudonymousLoginsStayApart(t *testing.T) {
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
	require.Len(t, logins, 5, "she herself sees all")
}

// A token must tell who the person is, as its scopes stand today (decision K8).
func TestCallersArePersons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, hiding := range []string{"test:pseudonym", "test:opaque"} {
		r := w.op.Request("profil", hiding+" "+authorizations.Scope)
		hidden := w.op.Exchange(t, r, w.op.Browser().Login(t, r, "kari").Code(t)).String("access_token")
		require.Equal(t, http.StatusUnauthorized, w.call("GET", "/clients/authorizations", hidden, "").Code, hiding)
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

// What came of an exchange ends with the token that was exchanged, here as everywhere (security row D4).
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

// An outage is no verdict (security row I6).
func TestClientsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Clients = noClients{}
	w.use()
	require.Equal(t, http.StatusServiceUnavailable, w.call("GET", "/clients/authorizations", w.own, "").Code)
}
