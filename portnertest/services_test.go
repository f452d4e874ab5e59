package portnertest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage/memory"
)

// service is one kind of provider, with the scope and the key that its tokens need.
type service struct {
	start  func(testing.TB, portnertest.Config) *portnertest.Provider
	scopes []string
	bound  bool
	login  bool
	change func(*resource.Config)
	jwks   string
}

func services() map[string]service {
	altinn := func(t testing.TB, cfg portnertest.Config) *portnertest.Provider {
		return portnertest.NewAltinn(t, cfg, portnertest.NewMaskinporten(t, cfg))
	}
	return map[string]service{
		"idporten":     {start: portnertest.New, scopes: []string{"skatt:les"}, login: true, jwks: "/jwks.json"},
		"ansattporten": {start: portnertest.NewAnsattporten, scopes: []string{"skatt:les"}, login: true, jwks: "/jwks.json"},
		"maskinporten": {start: portnertest.NewMaskinporten, scopes: []string{"skatt:les"}, jwks: "jwk"},
		"altinn":       {start: altinn, scopes: []string{"altinn:serviceowner"}, jwks: ".well-known/openid-configuration/jwks"},
		"helseid": {
			start: portnertest.NewHelseID, scopes: []string{"nhn:journal/read"}, login: true, bound: true, jwks: "/.well-known/openid-configuration/jwks",
			change: func(c *resource.Config) { c.Audience = []string{"nhn:journal"} },
		},
	}
}

// api returns a verifier of the tokens of a service.
func (s service) api(t *testing.T, p *portnertest.Provider) *resource.Verifier {
	t.Helper()
	cfg := resource.Config{
		Issuer: p.Issuer, URL: "https://api.example.no", Now: p.Now, DPoP: &dpop.Policy{Replay: memory.New()},
		Keys: resource.RemoteKeys{URI: p.Issuer + s.jwks, HTTP: p.HTTP, AllowStandardBase64: true},
	}
	if s.change != nil {
		s.change(&cfg)
	}
	v, err := resource.New(cfg)
	require.NoError(t, err)
	return v
}

// call verifies a token at the API.
func call(v *resource.Verifier, p *portnertest.Provider, token string, key *portnertest.Prover, scopes ...string) error {
	r := resource.Bearer(token)
	if key != nil {
		proof := key.Proof("GET", "https://api.example.no/tax", token, p.Now(), nil)
		r = resource.Request{Method: "GET", Path: "/tax", Authorization: []string{"DPoP " + token}, DPoP: []string{proof}}
	}
	found, err := v.Verify(context.Background(), r)
	if err != nil {
		return err
	}
	return resource.Rules{Scopes: scopes}.Check(found, p.Now())
}

// TestMintToken: each service mints tokens of its own form. An API of package resource accepts the one without a defect, and rejects the
// others.
func TestMintToken(t *testing.T) {
	t.Parallel()
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var scopes []scope.Scope
			for _, one := range s.scopes {
				scopes = append(scopes, scope.Scope{Name: one})
			}
			p := s.start(t, portnertest.Config{Scopes: scopes})
			v := s.api(t, p)
			var key *portnertest.Prover
			if s.bound {
				key = portnertest.NewProver()
			}
			mint := func(f portnertest.Fault, claims map[string]any) string {
				return p.MintToken(t, portnertest.Token{Scopes: s.scopes, Fault: f, Claims: claims, DPoP: key})
			}
			require.NoError(t, call(v, p, mint(portnertest.NoFault, nil), key, s.scopes...))
			token := mint(portnertest.NoFault, map[string]any{"department": "tax", "client_amr": nil})
			require.NoError(t, call(v, p, token, key, s.scopes...))
			claims, err := jose.PeekPayload(token, 1<<16)
			require.NoError(t, err)
			department, err := claims.String("department")
			require.NoError(t, err)
			require.Equal(t, "tax", department)
			require.False(t, claims.Has("client_amr"))
			faults := []portnertest.Fault{
				portnertest.ExpiredToken, portnertest.FutureToken, portnertest.ForeignAudience, portnertest.ForeignIssuer, portnertest.ForeignKey, portnertest.Unsigned,
			}
			if s.login {
				faults = append(faults, portnertest.IDTokenInstead)
			}
			for _, f := range faults {
				require.Error(t, call(v, p, mint(f, nil), key, s.scopes...), f)
			}
		})
	}
}

// TestMintedTokensAreIntrospected: the provider introspects a minted token with its changed claims, and a token with a defect is not active.
func TestMintedTokensAreIntrospected(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{})
	tests := map[portnertest.Fault]bool{
		portnertest.NoFault: true, portnertest.RevokedToken: false, portnertest.ExpiredToken: false, portnertest.ForeignKey: false, portnertest.IDTokenInstead: false,
	}
	for fault, active := range tests {
		token := op.MintToken(t, portnertest.Token{Scopes: []string{"skatt:les"}, Claims: map[string]any{"department": "tax"}, Fault: fault})
		answer := introspect(t, op, token)
		require.Equal(t, active, answer["active"], fault)
		if active {
			require.Equal(t, "tax", answer["department"])
			op.Revoke(t, token)
			require.Equal(t, false, introspect(t, op, token)["active"])
		}
	}
}

func introspect(t *testing.T, op *portnertest.Provider, token string) map[string]any {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, op.Issuer+"/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(portnertest.ClientID, portnertest.ClientSecret)
	resp, err := op.HTTP.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(body, &answer), string(body))
	return answer
}

// TestOrganisations: a token is one of the organisation and the supplier that the test names.
func TestOrganisations(t *testing.T) {
	t.Parallel()
	mp := portnertest.NewMaskinporten(t, portnertest.Config{})
	v := services()["maskinporten"].api(t, mp)
	read := func(tok portnertest.Token) *resource.Token {
		found, err := v.Verify(t.Context(), resource.Bearer(mp.MintToken(t, tok)))
		require.NoError(t, err)
		return found
	}
	require.Equal(t, portnertest.Organisation, read(portnertest.Token{Scopes: []string{"a:b"}}).Consumer.Orgno)
	found := read(portnertest.Token{Scopes: []string{"a:b"}, Consumer: "910753614", Supplier: "974761076"})
	require.Equal(t, "910753614", found.Consumer.Orgno)
	require.Equal(t, "974761076", found.Supplier.Orgno)
	op := portnertest.New(t, portnertest.Config{})
	found, err := services()["idporten"].api(t, op).Verify(t.Context(), resource.Bearer(op.MintToken(t, portnertest.Token{Scopes: []string{"a:b"}, Consumer: "910753614"})))
	require.NoError(t, err)
	require.Equal(t, "910753614", found.Consumer.Orgno)
}

// TestRepresentation: the browser chooses whom the user represents at Ansattporten.
func TestRepresentation(t *testing.T) {
	t.Parallel()
	op := portnertest.NewAnsattporten(t, portnertest.Config{Users: map[string]portnertest.User{"kari": {
		PID: "21879498012", Represents: []ansattporten.Reportee{{Orgno: "991825827", Name: "En", Rights: []string{"Read"}}, {Orgno: "910753614", Name: "To", Rights: []string{"Read"}}},
	}}})
	details := map[string]string{"authorization_details": `[{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40"}]`}
	tokens := op.LogIn(t, portnertest.Login{Parameters: details})
	require.Contains(t, encoded(t, tokens.Claims["authorization_details"]), "991825827")
	tokens = op.LogIn(t, portnertest.Login{Parameters: details, Represent: "910753614"})
	require.Contains(t, encoded(t, tokens.Claims["authorization_details"]), "910753614")
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// TestTime: the clock stands still until Advance moves it; then tokens expire.
func TestTime(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{})
	now := op.Now()
	token := op.MintToken(t, portnertest.Token{Scopes: []string{"a:b"}})
	require.Equal(t, now, op.Now())
	require.Equal(t, true, introspect(t, op, token)["active"])
	op.Advance(3 * time.Hour)
	require.Equal(t, now.Add(3*time.Hour), op.Now())
	require.Equal(t, false, introspect(t, op, token)["active"])
}
