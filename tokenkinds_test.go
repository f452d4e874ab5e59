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

// Organisations of the page on token kinds (docs/spec/ansattporten.md §5), replaced where the page has a wrong check digit.
const (
	svv        = "944117784" // access token of a login
	skatt      = "974761076" // Maskinporten
	storbanken = "910753614" // consumer by itself
	lillebank  = "987464291" // consumer of the supplier
	eika       = "991825827" // supplier
	visma      = "936796702" // vendor of the employee's service
	employer   = "810969342" // employer, whom the user represents
	navAPI     = "https://api.nav.no/"
)

// TestTokenKinds issues the six kinds of token of docs/spec/ansattporten.md §5 and compares them with one golden file. Values
// that differ between runs are replaced by their kind.
func TestTokenKinds(t *testing.T) {
	t.Parallel()
	got := map[string]map[string]any{}
	got["id_token"], got["access token of a login"] = loginTokens(t)
	mp := newMaskinporten(t)
	got["Maskinporten"] = mp.token(t, "skatt", map[string]any{"scope": "krr:global/kontaktinformasjon.read"})
	got["consumer by itself"] = mp.token(t, "storbanken", map[string]any{"scope": "nav:forsikring", "resource": navAPI})
	got["consumer through a supplier"] = mp.token(t, "eika", map[string]any{"scope": "nav:forsikring", "resource": navAPI, "consumer_org": lillebank})
	got["employee"] = employeeToken(t)

	doc, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	doc = append(doc, '\n')
	const golden = "testdata/tokenkinds.golden.json"
	if os.Getenv("PORTNER_UPDATE") == "1" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, doc, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(doc))
	for kind, claims := range got {
		require.Equal(t, tokenKinds[kind], slices.Sorted(maps.Keys(claims)), kind)
	}
}

// tokenKinds holds the claims of each kind. Unlike the golden file it is not written by the test.
var tokenKinds = map[string][]string{
	"id_token":                    {"acr", "amr", "aud", "auth_time", "exp", "iat", "iss", "jti", "locale", "nonce", "pid", "sid", "sub"},
	"access token of a login":     {"acr", "client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "pid", "scope", "sub"},
	"Maskinporten":                {"client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "scope", "token_type"},
	"consumer by itself":          {"aud", "client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "scope", "token_type"},
	"consumer through a supplier": {"aud", "client_amr", "client_id", "consumer", "delegation_source", "exp", "iat", "iss", "jti", "scope", "supplier", "token_type"},
	"employee":                    {"acr", "authorization_details", "client_amr", "client_id", "consumer", "exp", "iat", "iss", "jti", "pid", "scope", "sub"},
}

// stable decodes a JWT and replaces values that differ between runs by their kind.
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

// clientOf returns a client of another organisation than that of the test provider.
func clientOf(t *testing.T, id, orgno string, scopes ...string) client.Client {
	t.Helper()
	c := optest.Clients(t)[0]
	c.ClientID, c.ClientName, c.OrganisationNo, c.Scopes = id, id, orgno, scopes
	base := optest.RedirectURI(id)
	c.RedirectURIs, c.PostLogoutRedirectURIs, c.FrontchannelLogoutURI = []string{base}, []string{base + "/out"}, base+"/fc"
	return c
}

// loginTokens returns the id_token and the access token of a login at ID-porten.
func loginTokens(t *testing.T) (idToken, accessToken map[string]any) {
	t.Helper()
	op := optest.New(t, optest.Options{
		Clients: []client.Client{clientOf(t, "vitecautodata", svv, "openid", "svv:pkk")},
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

// machineServer issues the tokens of machines.
type machineServer struct {
	server *maskinporten.Server
	key    *rsa.PrivateKey
}

const machineIssuer = "https://test.maskinporten.no/"

func newMaskinporten(t *testing.T) machineServer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	jwks := json.RawMessage(fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"k","alg":"RS256","use":"sig","e":"AQAB","n":%q}]}`,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes())))
	machine := func(id, orgno string, scopes ...string) client.Client {
		return client.Client{
			ClientID: id, ClientName: id, OrganisationNo: orgno, IntegrationType: "maskinporten",
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
		Issuer: machineIssuer, Clients: clients, Scopes: scopes, Replay: memory.New(), Keys: keys,
		Delegations: map[string]maskinporten.DelegationSource{"https://tt02.altinn.no/": delegated{}},
	})
	require.NoError(t, err)
	return machineServer{server, key}
}

// delegated is a delegation source in which lillebank delegated to eika.
type delegated struct{}

func (delegated) Delegated(_ context.Context, consumer, supplier, _ string) (bool, error) {
	return consumer == lillebank && supplier == eika, nil
}

// token signs an assertion and requests a token over HTTP.
func (m machineServer) token(t *testing.T, clientID string, claims map[string]any) map[string]any {
	t.Helper()
	now := time.Now().Unix()
	maps.Copy(claims, map[string]any{"iss": clientID, "aud": machineIssuer, "iat": now, "exp": now + 120, "jti": rand.Text()})
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
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, machineIssuer+"token", strings.NewReader(form.Encode()))
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

// oneEmployer is a register with one organisation.
type oneEmployer struct{}

func (oneEmployer) Exist(context.Context, []string) error { return nil }

func (oneEmployer) Reportees(context.Context, norway.PID, []string) ([]ansattporten.Resource, error) {
	return []ansattporten.Resource{{Name: "Sykmelding", Reportees: []ansattporten.Reportee{
		{Orgno: employer, Name: "MIN ARBEIDSGIVER", UnitType: "AS", Rights: []string{"Read"}},
	}}}, nil
}

// employeeToken returns the access token of a user who represents an employer at the service of a vendor.
func employeeToken(t *testing.T) map[string]any {
	t.Helper()
	types, err := rar.NewRegistry(ansattporten.ServiceType(oneEmployer{}))
	require.NoError(t, err)
	op := optest.New(t, optest.Options{
		Clients: []client.Client{clientOf(t, "skyregnskap", visma, "openid", "nav:forsikring")},
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
