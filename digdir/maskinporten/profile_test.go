package maskinporten_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// TestGrantInAProvider: NewGrantHandler and Claims work with every profile, before and after its claims. The machine token has the claims of
// docs/spec/maskinporten.md §1.7 once, and the token of a user has none of them that its profile does not add.
func TestGrantInAProvider(t *testing.T) {
	t.Parallel()
	machines := clients()[0]
	machines.Scopes = []string{"test:api"}
	for name, tt := range map[string]struct {
		profile provider.Profile
		sub     any      // of machine tokens
		user    []string // claims of machine tokens that the token of a user has, too
	}{
		"ID-porten":      {provider.IDPorten(), nil, []string{"client_amr", "consumer", "pid"}},
		"OpenID Connect": {provider.OpenIDConnect(), machines.ClientID, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := optest.New(t, optest.Options{Clients: []client.Client{machines}, Change: func(cfg *provider.Config) {
				g, err := maskinporten.NewGrantHandler(maskinporten.Config{Issuer: cfg.Issuer, Clients: cfg.Clients, Scopes: cfg.Scopes, Replay: cfg.Replay})
				require.NoError(t, err)
				cfg.Profile, cfg.GrantHandlers, cfg.Claims = tt.profile, []token.GrantHandler{g}, maskinporten.Claims
				cfg.DPoP = &dpop.Policy{Replay: cfg.Replay}
			}})
			now := time.Now()
			a := v4().with("iss", machines.ClientID, "aud", optest.Issuer, "scope", "test:api", "pid", pid, "iat", int(now.Unix()), "exp", int(now.Unix())+60)
			got := post(t, op, url.Values{"grant_type": {bearer}, "assertion": {byKey(a)}})
			claims := tokenClaims(t, got)
			for _, name := range []string{"token_type", "client_amr", "consumer", "pid"} {
				require.Contains(t, claims, name)
			}
			require.Equal(t, organisation(digdir), claims["consumer"])
			require.NotContains(t, claims, "sub", "the person has not logged in")
			delete(a, "pid")
			claims = tokenClaims(t, post(t, op, url.Values{"grant_type": {bearer}, "assertion": {byKey(a.with("jti", rand.Text()))}}))
			require.Equal(t, tt.sub, claims["sub"])
			require.Equal(t, "Bearer", claims["token_type"])

			key := portnertest.NewProver()
			got = post(t, op, url.Values{"grant_type": {bearer}, "assertion": {byKey(a.with("jti", rand.Text()))}}, key.Proof("POST", optest.Issuer+"/token", "", now, nil))
			claims = tokenClaims(t, got)
			require.Equal(t, []any{"DPoP", "DPoP", map[string]any{"jkt": key.Thumbprint}}, []any{got["token_type"], claims["token_type"], claims["cnf"]})

			r := op.Request("tjeneste", "openid "+scope.Profile)
			b := op.Browser()
			claims = tokenClaims(t, op.Exchange(t, r, b.Login(t, r, "kari").Code(t)).JSON)
			for _, name := range []string{"token_type", "client_amr", "consumer", "pid"} {
				require.Equal(t, slices.Contains(tt.user, name), claims[name] != nil, name)
			}
		})
	}
}

// post sends a form to the token endpoint of a provider and returns the JSON of the response, which must be 200.
func post(t *testing.T, op *optest.OP, form url.Values, proofs ...string) map[string]any {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+"/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Dpop"] = proofs
	rec := httptest.NewRecorder()
	op.Provider.ServeHTTP(rec, r)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	var body map[string]any
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &body))
	return body
}

// tokenClaims returns the claims of the access token of a token response.
func tokenClaims(t *testing.T, response map[string]any) (claims map[string]any) {
	t.Helper()
	jwt, _ := response["access_token"].(string)
	parts := strings.Split(jwt, ".")
	require.Len(t, parts, 3, "%v", response)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(payload, &claims))
	return claims
}
