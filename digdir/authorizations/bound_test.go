package authorizations_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/provider"
)

const apiURL = "https://api.idporten.dev/brukerprofil"

// TestBoundCaller: a token of a user that is bound to a key is accepted with its proof for the URL of the API only. An API without a URL rejects
// it, and its responses are those of bearer tokens.
func TestBoundCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.provider.DPoP = &dpop.Policy{Replay: w.op.Store}
	p, err := provider.New(w.provider)
	require.NoError(t, err)
	w.op.Use(p)
	w.cfg.Tokens, w.cfg.Vault = p.Token.Minter(), p.Vault
	plain, err := authorizations.New(w.cfg)
	require.NoError(t, err)
	w.cfg.URL = apiURL
	api, err := authorizations.New(w.cfg)
	require.NoError(t, err)

	key := portnertest.NewProver()
	r := w.op.Request("profil", "openid "+authorizations.Scope)
	a := w.op.Call(t, "/token", "profil", url.Values{
		"grant_type": {"authorization_code"}, "code": {w.op.Browser().Login(t, r, "kari").Code(t)}, "redirect_uri": {optest.RedirectURI("profil")},
		"code_verifier": {r.Verifier},
	}, key.Proof("POST", optest.Issuer+"/token", "", time.Now(), nil))
	at := a.String("access_token")
	require.Equal(t, "DPoP", a.String("token_type"), a.JSON)
	const path = "/clients/authorizations"
	proof := func(p *portnertest.Prover, url string) string {
		return p.Proof("GET", url, at, time.Now(), nil)
	}
	const bearerOnly = `Bearer error="invalid_token"`
	for name, tt := range map[string]struct {
		api           *authorizations.API
		authorization string
		proof         string
		status        int
		challenge     string // a regular expression
	}{
		"a proof":                     {api, "DPoP " + at, proof(key, apiURL+path), 200, "^$"},
		"a proof of another path":     {api, "DPoP " + at, proof(key, apiURL+"/innlogginger/logg/idporten"), 401, `^DPoP error="invalid_dpop_proof"`},
		"a proof of userinfo":         {api, "DPoP " + at, proof(key, optest.Issuer+"/userinfo"), 401, `^DPoP error="invalid_dpop_proof"`},
		"a proof of another key":      {api, "DPoP " + at, proof(portnertest.NewProver(), apiURL+path), 401, `^DPoP error="invalid_token"`},
		"no proof":                    {api, "DPoP " + at, "", 401, `^DPoP error="invalid_dpop_proof"`},
		"downgrade":                   {api, "Bearer " + at, proof(key, apiURL+path), 401, `^Bearer .*error="invalid_token".*, DPoP algs="`},
		"no token":                    {api, "", "", 401, `^Bearer realm="[^"]+", DPoP algs="`},
		"bearer token":                {api, "Bearer " + w.own, "", 200, "^$"},
		"bearer token with DPoP":      {api, "DPoP " + w.own, proof(key, apiURL+path), 401, `^DPoP error="invalid_token"`},
		"no URL: downgrade":           {plain, "Bearer " + at, proof(key, apiURL+path), 401, "^" + bearerOnly + "$"},
		"no URL: a proof":             {plain, "DPoP " + at, proof(key, path), 400, `^Bearer error="invalid_request"$`},
		"no URL: an unknown token":    {plain, "Bearer x", "", 401, "^" + bearerOnly + "$"},
		"no URL: no token":            {plain, "", "", 401, "^Bearer$"},
		"no URL: a bearer token":      {plain, "Bearer " + w.own, "", 200, "^$"},
		"a machine cannot be a thief": {api, "DPoP " + optest.Org, proof(key, apiURL+path), 401, `^DPoP error="invalid_token"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			if tt.authorization != "" {
				r.Header.Set("Authorization", tt.authorization)
			}
			if tt.proof != "" {
				r.Header.Set("DPoP", tt.proof)
			}
			rec := httptest.NewRecorder()
			tt.api.Handler().ServeHTTP(rec, r)
			require.Equal(t, tt.status, rec.Code, rec.Body)
			require.Regexp(t, tt.challenge, rec.Header().Get("WWW-Authenticate"))
		})
	}
	w.cfg.URL = "api.idporten.dev"
	_, err = authorizations.New(w.cfg)
	require.Equal(t, []string{"URL"}, fields.Names(err))
}
