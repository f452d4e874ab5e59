package exchange_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/provider"
)

const tokenURL = optest.Issuer + "/token"

// boundWorld is a provider that accepts DPoP proofs.
func boundWorld(t *testing.T, change ...func(*exchange.Config)) *world {
	t.Helper()
	return newWorldAt(t, func(c *provider.Config) { c.DPoP = &dpop.Policy{Replay: c.Replay} }, change...)
}

func (w *world) proof(p *portnertest.Prover) string {
	return p.Proof("POST", tokenURL, "", w.clock(), nil)
}

// loginWith is login with a key.
func (w *world) loginWith(clientID, scopes string, p *portnertest.Prover) optest.Answer {
	w.t.Helper()
	r := w.Request(clientID, scopes)
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {w.Browser().Login(w.t, r, "kari").Code(w.t)},
		"redirect_uri": {optest.RedirectURI(clientID)}, "code_verifier": {r.Verifier},
	}
	a := w.Call(w.t, "/token", clientID, form, w.proof(p))
	require.Equal(w.t, "DPoP", a.String("token_type"), a.JSON)
	return a
}

// TestExchangeOfBoundToken: the binding of a presented token is not proved again (RFC 8693 §1.1: its sender was another one), and the new token
// is bound to the key of the actor. A token that is exchanged for a bound one is never a bearer token.
func TestExchangeOfBoundToken(t *testing.T) {
	t.Parallel()
	w := boundWorld(t, func(c *exchange.Config) {
		c.Policy, c.IDTokens = decide(exchange.Decision{Scopes: []string{"test:api"}}), &keyset.Set{}
	})
	user, actor := portnertest.NewProver(), portnertest.NewProver()
	login := w.loginWith("portal", "openid profile test:api", user)
	bound, plain := login.String("access_token"), w.login("portal", "openid profile test:api").String("access_token")
	boundActor := w.loginWith("service", "openid test:api", user).String("access_token")
	plainActor := w.login("service", "openid test:api").String("access_token")
	with := func(f url.Values, actor string) url.Values {
		f.Set("actor_token", actor)
		f.Set("actor_token_type", exchange.AccessToken)
		return f
	}
	idToken := form(login.String("id_token"), "scope", "test:api")
	idToken.Set("subject_token_type", exchange.IDToken)
	for name, tt := range map[string]struct {
		client     string
		form       url.Values
		withoutKey bool // a request without a proof is accepted
	}{
		"a bearer token":                        {"service", form(plain), true},
		"a bound token":                         {"service", form(bound), false},
		"a bound token of the client itself":    {"portal", form(bound), false},
		"a bearer token, a bound actor token":   {"service", with(form(plain), boundActor), false},
		"a bound token, a bearer actor token":   {"service", with(form(bound), plainActor), false},
		"a bearer token, a bearer actor token":  {"service", with(form(plain), plainActor), true},
		"the id_token of a bound token's login": {"portal", idToken, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.Call(t, "/token", tt.client, tt.form)
			if tt.withoutKey {
				require.Equal(t, "Bearer", a.String("token_type"), a.JSON)
				require.NotContains(t, claims(t, a.String("access_token")), "cnf")
			} else {
				require.Equal(t, []any{http.StatusBadRequest, string(portner.InvalidDPoPProof)}, []any{a.Status, a.String("error")}, a.JSON)
			}
			a = w.Call(t, "/token", tt.client, tt.form, w.proof(actor))
			require.Equal(t, "DPoP", a.String("token_type"), a.JSON)
			require.Equal(t, map[string]any{"jkt": actor.Thumbprint}, claims(t, a.String("access_token"))["cnf"])
			again := w.Call(t, "/token", "deep", form(a.String("access_token")))
			require.Equal(t, string(portner.InvalidDPoPProof), again.String("error"), "nor is one that is exchanged again")
		})
	}
}

// TestPublicClientNarrowsBoundToken: a public client, which does not authenticate, proves the key of the token that it narrows. Otherwise
// whoever stole a bound token could exchange it for one of another key.
func TestPublicClientNarrowsBoundToken(t *testing.T) {
	t.Parallel()
	w := boundWorld(t, func(c *exchange.Config) { c.Policy, c.Issuers = nil, nil })
	owner, thief := portnertest.NewProver(), portnertest.NewProver()
	post := func(f url.Values, proofs ...string) optest.Answer {
		f.Set("client_id", "spa")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tokenURL, strings.NewReader(f.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header["Dpop"] = proofs
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		a := optest.Answer{Status: rec.Code}
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a.JSON))
		return a
	}
	r := w.Request("spa", "openid test:api test:two")
	r.Params.Set("redirect_uri", "https://spa.example.no/callback")
	login := func(proofs ...string) string {
		page := w.Browser().Login(t, r, "kari")
		a := post(url.Values{
			"grant_type": {"authorization_code"}, "code": {page.Left.Query().Get("code")}, "redirect_uri": {"https://spa.example.no/callback"},
			"code_verifier": {r.Verifier},
		}, proofs...)
		require.Equal(t, http.StatusOK, a.Status, a.JSON)
		return a.String("access_token")
	}
	narrow := func(token string) url.Values { return form(token, "scope", "test:api") }
	bound := login(w.proof(owner))
	for name, proofs := range map[string][]string{"no proof": nil, "another key": {w.proof(thief)}} {
		a := post(narrow(bound), proofs...)
		require.Equal(t, []any{http.StatusBadRequest, string(portner.InvalidRequest)}, []any{a.Status, a.String("error")}, name)
	}
	a := post(narrow(bound), w.proof(owner))
	require.Equal(t, "DPoP", a.String("token_type"), a.JSON)
	require.Equal(t, map[string]any{"jkt": owner.Thumbprint}, claims(t, a.String("access_token"))["cnf"])
	a = post(narrow(login()))
	require.Equal(t, "Bearer", a.String("token_type"), a.JSON)
}

// TestBoundTokenOfAnotherIssuer: a token of another issuer that is bound to its sender is rejected: the exchange has no proof of it.
func TestBoundTokenOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	w := boundWorld(t)
	thumbprint := portnertest.NewProver().Thumbprint
	for _, member := range []string{"jkt", "x5t#S256"} {
		f := form(w.machineToken(set("cnf", map[string]any{member: thumbprint}), set("token_type", nil)))
		f.Set("subject_token_type", exchange.JWT)
		for _, proofs := range [][]string{nil, {w.proof(portnertest.NewProver())}} {
			a := w.Call(t, "/token", "service", f, proofs...)
			require.Equal(t, []any{http.StatusBadRequest, string(portner.InvalidRequest)}, []any{a.Status, a.String("error")}, member)
		}
	}
}
