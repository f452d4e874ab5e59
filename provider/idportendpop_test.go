package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// dpopOP is a provider with the profile of ID-porten that accepts proofs, and keys of clients.
type dpopOP struct {
	*optest.OP
	t    *testing.T
	keys [2]*ecdsa.PrivateKey
}

func newDPoPOP(t *testing.T, nonce bool) *dpopOP {
	t.Helper()
	op := &dpopOP{t: t}
	public := client.Client{
		ClientID: "nettleser", OrganisationNo: optest.Org, IntegrationType: "idporten", ApplicationType: client.Browser,
		GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{optest.RedirectURI("nettleser")}, Scopes: []string{"openid", "profile"},
	}
	op.OP = newProfile(t, provider.IDPorten(), func(c *provider.Config) {
		registry, err := client.NewRegistry(client.Environment{Test: true}, append(optest.Clients(t), public)...)
		require.NoError(t, err)
		c.Clients, c.DPoP, c.Profile.DPoPNonce = registry, &dpop.Policy{Replay: c.Replay}, nonce
		if nonce {
			c.DPoP.Nonces, err = dpop.NewNonces(c.Issuer, c.Secrets...)
			require.NoError(t, err)
		}
	})
	for i := range op.keys {
		var err error
		op.keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
	}
	return op
}

// send sends a request with a proof of a key; nil sends none.
func (op *dpopOP) send(clientID string, key *ecdsa.PrivateKey, form url.Values, claims ...string) optest.Answer {
	op.t.Helper()
	r := httptest.NewRequestWithContext(op.t.Context(), http.MethodPost, optest.Issuer+"/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if clientID == "nettleser" {
		form.Set("client_id", clientID)
		r = httptest.NewRequestWithContext(op.t.Context(), http.MethodPost, optest.Issuer+"/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.SetBasicAuth(clientID, optest.Secret)
	}
	if key != nil {
		r.Header.Set("DPoP", proofFor(op.t, key, optest.Issuer+"/token", claims...))
	}
	w := httptest.NewRecorder()
	op.ServeHTTP(w, r)
	a := optest.Answer{Status: w.Code, Header: w.Header()}
	require.NoError(op.t, json.Unmarshal(w.Body.Bytes(), &a.JSON))
	return a
}

// login returns the form of a code.
func (op *dpopOP) login(clientID string) url.Values {
	op.t.Helper()
	r := op.Request(clientID, "openid profile")
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {op.Browser().Login(op.t, r, "kari").Code(op.t)}, "redirect_uri": {optest.RedirectURI(clientID)},
		"code_verifier": {r.Verifier},
	}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// userInfo calls userinfo with a scheme and a proof of a key.
func (op *dpopOP) userInfo(scheme, token string, key *ecdsa.PrivateKey) int {
	op.t.Helper()
	r := httptest.NewRequestWithContext(op.t.Context(), http.MethodGet, optest.Issuer+"/userinfo", nil)
	r.Header.Set("Authorization", scheme+" "+token)
	if key != nil {
		sum := sha256.Sum256([]byte(token))
		r.Header.Set("DPoP", proofFor(op.t, key, optest.Issuer+"/userinfo", "htm", "GET", "ath", base64.RawURLEncoding.EncodeToString(sum[:])))
	}
	w := httptest.NewRecorder()
	op.ServeHTTP(w, r)
	return w.Code
}

// TestIDPortenDPoP: DPoP is optional at ID-porten. A proof binds the access token. The refresh token of a client that authenticates is not
// bound (docs/spec/idporten.md §18.6).
func TestIDPortenDPoP(t *testing.T) {
	t.Parallel()
	op := newDPoPOP(t, false)
	first, other := op.keys[0], op.keys[1]

	a := op.send("tjeneste", nil, op.login("tjeneste"))
	require.Equal(t, []any{http.StatusOK, "Bearer"}, []any{a.Status, a.JSON["token_type"]}, "a proof is optional")
	require.Equal(t, http.StatusOK, op.userInfo("Bearer", a.String("access_token"), nil))

	a = op.send("tjeneste", first, op.login("tjeneste"))
	require.Equal(t, []any{http.StatusOK, "DPoP"}, []any{a.Status, a.JSON["token_type"]}, a.JSON)
	token := a.String("access_token")
	require.Equal(t, http.StatusOK, op.userInfo("DPoP", token, first))
	for name, status := range map[string]int{
		"another key": op.userInfo("DPoP", token, other), "no proof": op.userInfo("DPoP", token, nil),
		"Bearer": op.userInfo("Bearer", token, nil), "Bearer with a proof": op.userInfo("Bearer", token, first),
	} {
		require.Equal(t, http.StatusUnauthorized, status, name)
	}
	for _, key := range []*ecdsa.PrivateKey{other, nil, first} { // refresh tokens rotate
		a = op.send("tjeneste", key, refreshForm(a.String("refresh_token")))
		require.Equal(t, http.StatusOK, a.Status, a.JSON)
		want := "DPoP"
		if key == nil {
			want = "Bearer"
		}
		require.Equal(t, want, a.JSON["token_type"])
		if key != nil {
			require.Equal(t, http.StatusOK, op.userInfo("DPoP", a.String("access_token"), key))
		}
	}
	a = op.send("tjeneste", first, op.login("tjeneste"), "htu", optest.Issuer+"/par")
	require.Equal(t, []any{http.StatusBadRequest, "invalid_dpop_proof"}, []any{a.Status, a.JSON["error"]})
}

// TestIDPortenDPoPPublic: the refresh token of a public client is bound to the key of its first proof.
func TestIDPortenDPoPPublic(t *testing.T) {
	t.Parallel()
	op := newDPoPOP(t, false)
	first, other := op.keys[0], op.keys[1]
	a := op.send("nettleser", first, op.login("nettleser"))
	require.Equal(t, []any{http.StatusOK, "DPoP"}, []any{a.Status, a.JSON["token_type"]}, a.JSON)
	bound := a.String("refresh_token")
	for _, key := range []*ecdsa.PrivateKey{other, nil} {
		a = op.send("nettleser", key, refreshForm(bound))
		require.Equal(t, http.StatusBadRequest, a.Status)
		require.Contains(t, []string{"invalid_grant", "invalid_dpop_proof"}, a.JSON["error"])
	}
	a = op.send("nettleser", first, refreshForm(bound))
	require.Equal(t, []any{http.StatusOK, "DPoP"}, []any{a.Status, a.JSON["token_type"]}, "the other requests did not use the token up")
}

// TestDPoPNonceOfTheProfile: with Profile.DPoPNonce the token endpoint requires a nonce, and a code is not used up by the request that learns it.
func TestDPoPNonceOfTheProfile(t *testing.T) {
	t.Parallel()
	op := newDPoPOP(t, true)
	form := op.login("tjeneste")
	a := op.send("tjeneste", op.keys[0], form)
	require.Equal(t, []any{http.StatusBadRequest, "use_dpop_nonce"}, []any{a.Status, a.JSON["error"]})
	nonces := a.Header.Values("DPoP-Nonce")
	require.Len(t, nonces, 1)
	a = op.send("tjeneste", op.keys[0], form, "nonce", nonces[0])
	require.Equal(t, []any{http.StatusOK, "DPoP"}, []any{a.Status, a.JSON["token_type"]}, a.JSON)
	require.Equal(t, http.StatusOK, op.send("tjeneste", nil, op.login("tjeneste")).Status, "a proof is still optional")
}
