package portner_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

// The organisations of seed 004 whose numbers have a right check digit, and stand-ins for those that do not.
const (
	svv        = "944117784" // column B
	skatt      = "974761076" // column C
	storbanken = "910753614" // column D
	lillebank  = "987464291" // column E: the consumer
	eika       = "991825827" // column E: the supplier
	visma      = "936796702" // column F: the client's organisation
	employer   = "810969342" // column F: whom the person acts for
	navAPI     = "https://api.nav.no/"
)

// TestSeed004 is the table of seed 004 as one golden file: six kinds of token, each claim present or absent
// as the table and its "today's equivalent" say (maskinporten-altinn section 5). What differs from run to
// run is replaced by its kind.
func TestSeed004(t *testing.T) {
	t.Parallel()
	got := map[string]map[string]any{}
	got["A id_token"], got["B access_token of a login"] = loginTokens(t)
	mp := newMaskinporten(t)
	got["C Maskinporten"] = mp.token(t, "skatt", map[string]any{"scope": "krr:global/kontaktinformasjon.read"})
	got["D consumer by itself"] = mp.token(t, "storbanken", map[string]any{"scope": "nav:forsikring", "resource": navAPI})
	got["E consumer via supplier"] = mp.token(t, "eika", map[string]any{"scope": "nav:forsikring", "resource": navAPI, "consumer_org": lillebank})
	got["F employee"] = employeeToken(t)

	doc, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	doc = append(doc, '\n')
	const golden = "testdata/seed004.golden.json"
	if os.Getenv("PORTNER_UPDATE") == "1" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, doc, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(doc))
	for column, claims := range got {
		require.Equal(t, seed004[column], slices.Sorted(maps.Keys(claims)), column)
	}
}

// seed004 are the claims of each column, spelled out: a golden file is easily updated, this is not.
var seed004 = map[string][]string{
	"A id_token":                {"acr", "amr", "aud", "auth_time", "exp", "iat", "iss", "jti", "locale", "nonce", "pid", "sid", "sub"},
	"B access_token of a login": {"acr", "client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "pid", "scope", "sub"},
	"C Maskinporten":            {"client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "scope", "token_type"},
	"D consumer by itself":      {"aud", "client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "scope", "token_type"},
	"E consumer via supplier":   {"aud", "client_amr", "client_id", "consumer", "delegation_source", "exp", "iat", "iss", "jti", "scope", "supplier", "token_type"},
	"F employee":                {"acr", "authorization_details", "client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "pid", "scope", "sub"},
}

// stable decodes a JWT and replaces what differs from run to run by its kind.
func stable(t *testing.T, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(t, parts, 3)
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	for name, v := range m {
		switch name {
		case "exp", "iat", "auth_time":
			require.IsType(t, float64(0), v, name)
			m[name] = "NumericDate"
		case "jti", "sid", "sub":
			m[name] = fmt.Sprintf("%d characters", len(v.(string)))
		}
	}
	return m
}

// seedOrg gives a client to another organisation than the test provider's own.
func seedOrg(t *testing.T, id, orgno string, scopes ...string) client.Client {
	t.Helper()
	c := optest.Clients(t)[0]
	c.ClientID, c.ClientName, c.ClientOrgno, c.Scopes = id, id, orgno, scopes
	base := optest.RedirectURI(id)
	c.RedirectURIs, c.PostLogoutRedirectURIs, c.FrontchannelLogoutURI = []string{base}, []string{base + "/out"}, base+"/fc"
	return c
}

// loginTokens are columns A and B: ID-porten's.
func loginTokens(t *testing.T) (idToken, accessToken map[string]any) {
	t.Helper()
	op := optest.New(t, optest.Options{
		Clients: []client.Client{seedOrg(t, "vitecautodata", svv, "openid", "svv:pkk")},
		Scopes:  []scope.Scope{{Name: "svv:pkk", OwnerOrgno: svv, Description: "PKK", AccessibleForAll: true}},
	})
	login := func(scopes string) optest.Answer {
		r := op.Request("vitecautodata", scopes)
		a := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
		require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
		return a
	}
	return stable(t, login("openid").String("id_token")), stable(t, login("svv:pkk").String("access_token"))
}

// seedMaskinporten issues columns C, D and E.
type seedMaskinporten struct {
	server *maskinporten.Server
	key    *rsa.PrivateKey
}

const seedIssuer = "https://test.maskinporten.no/"

func newMaskinporten(t *testing.T) seedMaskinporten {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	jwks := json.RawMessage(fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"k","alg":"RS256","use":"sig","e":"AQAB","n":%q}]}`,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes())))
	machine := func(id, orgno string, scopes ...string) client.Client {
		return client.Client{
			ClientID: id, ClientName: id, ClientOrgno: orgno, IntegrationType: "maskinporten",
			TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks, Scopes: scopes,
		}
	}
	clients, err := client.NewRegistry(client.Environment{}, machine("skatt", skatt, "krr:global/kontaktinformasjon.read"),
		machine("storbanken", storbanken, "nav:forsikring"), machine("eika", eika, "nav:forsikring"))
	require.NoError(t, err)
	scopes, err := scope.NewRegistry([]scope.Scope{
		{Name: "krr:global/kontaktinformasjon.read", OwnerOrgno: eika, Description: "KRR", AccessibleForAll: true},
		{Name: "nav:forsikring", OwnerOrgno: eika, Description: "Forsikring", DelegationSource: "https://tt02.altinn.no/"},
	}, []scope.Access{
		{Scope: "nav:forsikring", ConsumerOrgno: storbanken, State: scope.Approved},
		{Scope: "nav:forsikring", ConsumerOrgno: lillebank, State: scope.Approved},
	})
	require.NoError(t, err)
	signer, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{signer}})
	require.NoError(t, err)
	server, err := maskinporten.New(maskinporten.Config{
		Issuer: seedIssuer, Clients: clients, Scopes: scopes, Replay: memory.New(), Keys: keys,
		Delegations: map[string]maskinporten.DelegationSource{"https://tt02.altinn.no/": delegated{}},
	})
	require.NoError(t, err)
	return seedMaskinporten{server, key}
}

// delegated is an Altinn where the small bank lets the group act for it.
type delegated struct{}

func (delegated) Delegated(_ context.Context, consumer, supplier, _ string) (bool, error) {
	return consumer == lillebank && supplier == eika, nil
}

// token signs an assertion and trades it over HTTP.
func (m seedMaskinporten) token(t *testing.T, clientID string, claims map[string]any) map[string]any {
	t.Helper()
	now := time.Now().Unix()
	maps.Copy(claims, map[string]any{"iss": clientID, "aud": seedIssuer, "iat": now, "exp": now + 120, "jti": rand.Text()})
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, m.key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {input + "." + base64.RawURLEncoding.EncodeToString(sig)},
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, seedIssuer+"token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	m.server.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	return stable(t, answer.AccessToken)
}

// oneEmployer is a register with one organisation in it.
type oneEmployer struct{}

func (oneEmployer) Reportees(context.Context, norway.PID, string) (ansattporten.Resource, error) {
	return ansattporten.Resource{Name: "Sykmelding", Reportees: []ansattporten.Reportee{
		{Orgno: employer, Name: "MIN ARBEIDSGIVER", UnitType: "AS", Rights: []string{"Read"}},
	}}, nil
}

// employeeToken is column F: somebody logs in for their employer to the service of another organisation.
func employeeToken(t *testing.T) map[string]any {
	t.Helper()
	types, err := rar.NewRegistry(ansattporten.ServiceType(oneEmployer{}))
	require.NoError(t, err)
	op := optest.New(t, optest.Options{
		Clients: []client.Client{seedOrg(t, "skyregnskap", visma, "openid", "nav:forsikring")},
		Scopes:  []scope.Scope{{Name: "nav:forsikring", OwnerOrgno: eika, Description: "Forsikring", AccessibleForAll: true}},
		Persons: map[string]session.Authentication{"kari": {
			Identity: session.Identity{Subject: "kari", Identifiers: optest.Identifiers(optest.KariPID)}, ACR: acr.AnsattportenHigh, AMR: []string{"BankID"},
		}},
		Change: func(c *provider.Config) { c.Profile, c.AuthorizationDetails = ansattporten.Profile(), types },
	})
	r := op.Request("skyregnskap", "nav:forsikring", "authorization_details",
		`[{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40"}]`)
	b := op.Browser()
	p := b.Login(t, r, "kari")
	require.Equal(t, "representation", p.Step())
	p = b.Post(t, p, url.Values{"choice": p.Choices()})
	a := op.Exchange(t, r, p.Code(t))
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	return stable(t, a.String("access_token"))
}
