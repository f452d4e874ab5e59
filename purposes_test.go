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
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// Values of the matrix. Every client, issuer and server has the same key, so that only the purpose tells JWTs apart.
const (
	matrixScope   = "altinn:read"
	altinnIssuer  = "https://platform.tt02.altinn.no/authentication/api/v1/openid/"
	foreignIssuer = "https://foreign.example.no"
	machineClient = "machine"  // at Maskinporten
	keyClient     = "signing"  // at the provider, with private_key_jwt
	webClient     = "exchange" // at the provider, with a secret
)

// reader reads one kind of JWT. Its iss and aud are those it requires.
type reader struct {
	iss, aud, clientID string
	jti                any // nil for a new one
	// sites are the calls in the source that read the JWT, as "file:method".
	sites   []string
	purpose *jose.Purpose
	// kinds are the kinds it accepts.
	kinds   []string
	accepts func(*testing.T, string) bool
}

// kind is one kind of JWT.
type kind struct {
	typ     string
	claims  map[string]any
	purpose *jose.Purpose // nil if this module reads no such JWT
	// issued is the text that this module issued, "" if the test made the JWT. site is the call in the source that signs it.
	issued, site string
}

// matrix is the world of the test.
type matrix struct {
	key     *rsa.PrivateKey
	keys    *keyset.Set
	kid     string
	jwks    json.RawMessage
	op      *optest.OP // of ID-porten tokens
	typed   *optest.OP // with at+jwt
	machine *maskinporten.Server
	altinn  *altinn.Server
	api     *authorizations.API
	logouts []string // logout tokens that clients received
	bound   string   // an access token that is bound to the common key
}

// Send implements logout.Sender.
func (m *matrix) Send(_ context.Context, _, logoutToken string) error {
	m.logouts = append(m.logouts, logoutToken)
	return nil
}

// User implements altinn.UserSource.
func (m *matrix) User(context.Context, norway.PID) (altinn.User, error) {
	return altinn.User{ID: 1, PartyID: 2, PartyUUID: "b2b5dd5c-3f15-4b3c-9ecf-1f0e5a1c2f9d"}, nil
}

// SystemUser implements maskinporten.SystemUserSource.
func (m *matrix) SystemUser(context.Context, maskinporten.SystemUserQuery) (maskinporten.SystemUser, error) {
	return maskinporten.SystemUser{ID: "b2b5dd5c-3f15-4b3c-9ecf-1f0e5a1c2f9d", System: "991825827_system"}, nil
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{}
	var err error
	m.key, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	m.keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{{Signer: m.key, Alg: keyset.RS256}}})
	require.NoError(t, err)
	m.kid = m.keys.States()[0].KID
	doc, _ := m.keys.JWKS(time.Now())
	m.jwks = json.RawMessage(doc)
	m.op, m.typed = m.newProvider(t, ""), m.newProvider(t, "at+jwt")
	m.machine, m.altinn = m.newMachineServer(t), m.newAltinn(t)
	thumbprint, err := json.Marshal(m.publicJWK())
	require.NoError(t, err)
	m.bound = m.sign(t, "at+jwt", map[string]any{
		"iss": optest.Issuer, "aud": navAPI, "sub": "s", "client_id": webClient, "scope": matrixScope, "jti": "b", "iat": time.Now().Unix(),
		"exp": time.Now().Unix() + 3600, "cnf": map[string]any{"jkt": sha256Of(string(thumbprint))},
	})
	return m
}

func (m *matrix) newProvider(t *testing.T, typ string) *optest.OP {
	t.Helper()
	signing, web := clientOf(t, keyClient, optest.Org, "openid", matrixScope), clientOf(t, webClient, optest.Org, "openid", "profile", matrixScope, authorizations.Scope)
	signing.TokenEndpointAuthMethod, signing.JWKS, signing.Secrets = client.PrivateKeyJWT, m.jwks, nil
	web.Scopes = append(web.Scopes, scope.Introspection)
	web.IntegrationType = "" // ID-porten has no token exchange
	web.GrantTypes = []string{"authorization_code", "refresh_token", exchange.GrantType}
	web.BackchannelLogoutURI = optest.RedirectURI(webClient) + "/bc"
	web.ResponseModes = []string{"query", "jwt"}
	foreign, err := resource.New(resource.Config{Issuer: foreignIssuer, Keys: resource.StaticKeys(m.jwks), URL: optest.Issuer})
	require.NoError(t, err)
	user := session.Identity{Subject: "kari", Identifiers: optest.Identifiers(optest.KariPID)}
	var config provider.Config
	op := optest.New(t, optest.Options{
		Keys: m.keys, Clients: []client.Client{signing, web},
		Scopes: []scope.Scope{
			{Name: matrixScope, OwnerOrgno: optest.Org, Description: "Altinn"}, {Name: authorizations.Scope, OwnerOrgno: optest.Org, Description: "Fullmakter"},
		},
		Change: func(c *provider.Config) {
			vault, err := session.NewVault(c.Issuer, c.Secrets...)
			require.NoError(t, err)
			g, err := exchange.New(exchange.Config{
				Issuer: optest.Issuer, Store: c.Store.(token.GrantStore), Vault: vault, Scopes: c.Scopes,
				Policy: func(context.Context, *exchange.Request) (exchange.Decision, error) {
					return exchange.Decision{Scopes: []string{matrixScope}}, nil
				},
				Issuers: map[string]exchange.Issuer{foreignIssuer: {
					Verifier: foreign, User: func(context.Context, *resource.Token) (session.Identity, error) { return user, nil },
				}},
				IDTokens: m.keys,
			})
			require.NoError(t, err)
			c.Profile.ResponseModes = []string{"query", "form_post", "jwt"}
			c.Profile.Lifetimes.AccessToken, c.Profile.Lifetimes.IDToken = time.Hour, time.Hour // longer than the test on a slow machine
			c.GrantHandlers, c.Backchannel, c.Profile.AccessTokenType = []token.GrantHandler{g}, m, typ
			config = *c
		},
	})
	if typ == "" {
		m.api, err = authorizations.New(authorizations.Config{
			Store: op.Store, Vault: op.Vault, Tokens: op.Token.Minter(), Clients: config.Clients, Scopes: config.Scopes,
			Sufficient: func(string) bool { return true },
		})
		require.NoError(t, err)
	}
	return op
}

func (m *matrix) newMachineServer(t *testing.T) *maskinporten.Server {
	t.Helper()
	clients, err := client.NewRegistry(client.Environment{}, client.Client{
		ClientID: machineClient, ClientName: machineClient, OrganisationNo: eika, IntegrationType: "maskinporten",
		TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: m.jwks, Scopes: []string{matrixScope},
	})
	require.NoError(t, err)
	scopes, err := scope.NewRegistry([]scope.Scope{
		{Name: matrixScope, OwnerOrgno: eika, Description: "Altinn", DelegationSource: "https://tt02.altinn.no/", AccessibleForAll: true},
	}, nil)
	require.NoError(t, err)
	details, err := rar.NewRegistry(maskinporten.SystemUserType(m))
	require.NoError(t, err)
	s, err := maskinporten.New(maskinporten.Config{
		Issuer: machineIssuer, Clients: clients, Scopes: scopes, Replay: memory.New(), Keys: m.keys, AuthorizationDetails: details,
		Delegations: map[string]maskinporten.DelegationSource{"https://tt02.altinn.no/": delegated{}},
	})
	require.NoError(t, err)
	return s
}

func (m *matrix) newAltinn(t *testing.T) *altinn.Server {
	t.Helper()
	trust := func(iss string) altinn.Provider {
		return altinn.Provider{Issuers: []altinn.Issuer{{Issuer: iss, Keys: resource.StaticKeys(m.jwks)}}}
	}
	s, err := altinn.New(altinn.Config{
		Issuer: altinnIssuer, Keys: m.keys, Users: m, Maskinporten: trust(machineIssuer), IDPorten: trust(optest.Issuer), Studio: trust("studio"),
	})
	require.NoError(t, err)
	return s
}

// sign signs claims with the common key.
func (m *matrix) sign(t *testing.T, typ string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := m.keys.Sign("", typ, payload, time.Now())
	require.NoError(t, err)
	return signed
}

// do sends a request to a handler.
func (m *matrix) do(t *testing.T, h http.Handler, method, target string, form url.Values, bearer string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (m *matrix) redeem(t *testing.T, assertion string) *httptest.ResponseRecorder {
	t.Helper()
	return m.do(t, m.machine, http.MethodPost, machineIssuer+"token", url.Values{"grant_type": {client.JWTBearer}, "assertion": {assertion}}, "")
}

// login returns the tokens of a login at the web client, and the browser.
func (m *matrix) login(t *testing.T, op *optest.OP) (optest.Answer, *optest.Browser) {
	t.Helper()
	r, b := op.Request(webClient, "openid profile "+matrixScope), op.Browser()
	a := op.Exchange(t, r, b.Login(t, r, "kari").Code(t))
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	return a, b
}

// response returns a signed response of the authorization endpoint.
func (m *matrix) response(t *testing.T, change ...string) string {
	t.Helper()
	r := m.op.Request(webClient, matrixScope, append([]string{"response_mode", "jwt"}, change...)...)
	b := m.op.Browser()
	p := b.Get(t, r.URL())
	if p.Left == nil {
		p = b.Login(t, r, "kari")
	}
	require.NotNil(t, p.Left)
	return p.Left.Query().Get("response")
}

// introspect returns the signed introspection response for a token.
func (m *matrix) introspect(t *testing.T, token string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+"/tokeninfo", strings.NewReader(url.Values{"token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/token-introspection+jwt")
	r.SetBasicAuth(webClient, url.QueryEscape(optest.Secret))
	w := httptest.NewRecorder()
	m.op.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	return w.Body.String()
}

// introspects reports whether a resource server accepts an introspection response.
func (m *matrix) introspects(t *testing.T, jwt string) bool {
	api, err := resource.New(resource.Config{Issuer: optest.Issuer, URL: navAPI, Introspection: &resource.Introspection{
		Endpoint: optest.Issuer + "/tokeninfo", ClientID: webClient, ClientSecret: portner.Secret(optest.Secret), Keys: resource.StaticKeys(m.jwks),
		HTTP: &http.Client{Transport: responds(jwt)},
	}})
	require.NoError(t, err)
	_, err = api.Verify(t.Context(), resource.Bearer("opaque"))
	return err == nil
}

// proves reports whether a resource server accepts a JWT as the proof for m.bound, with the public key in its header.
func (m *matrix) proves(t *testing.T, jwt string) bool {
	api, err := resource.New(resource.Config{
		Issuer: optest.Issuer, URL: navAPI, Keys: resource.StaticKeys(m.jwks), DPoP: &dpop.Policy{Replay: memory.New()},
	})
	require.NoError(t, err)
	_, err = api.Verify(t.Context(), resource.Request{
		Method: http.MethodGet, Path: "/", Authorization: []string{"DPoP " + m.bound}, DPoP: []string{m.embed(t, jwt)},
	})
	return err == nil
}

// embed signs the claims of a JWT again, with its typ and with the key in the header.
func (m *matrix) embed(t *testing.T, jwt string) string {
	t.Helper()
	k := issued(t, jwt, nil, "")
	header, err := json.Marshal(map[string]any{"typ": k.typ, "alg": "PS256", "jwk": m.publicJWK()})
	require.NoError(t, err)
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + strings.Split(jwt, ".")[1]
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPSS(rand.Reader, m.key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	require.NoError(t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// publicJWK returns the common key with the members of its thumbprint (RFC 7638 §3.2).
func (m *matrix) publicJWK() map[string]string {
	return map[string]string{"e": "AQAB", "kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(m.key.N.Bytes())}
}

func sha256Of(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// responds is an introspection endpoint with one response.
type responds string

// RoundTrip implements http.RoundTripper.
func (jwt responds) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/token-introspection+jwt")
	_, err := w.WriteString(string(jwt))
	return w.Result(), err
}

// assertion returns the claims of an assertion for Maskinporten.
func (m *matrix) assertion(more map[string]any) map[string]any {
	now := time.Now().Unix()
	claims := map[string]any{"iss": machineClient, "aud": machineIssuer, "scope": matrixScope, "iat": now, "exp": now + 100, "jti": rand.Text()}
	maps.Copy(claims, more)
	return claims
}

// machineToken returns a token that Maskinporten issued.
func (m *matrix) machineToken(t *testing.T, more map[string]any) string {
	t.Helper()
	w := m.redeem(t, m.sign(t, "", m.assertion(more)))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer["access_token"].(string)
}

// issued returns the kind of a JWT that this module issued.
func issued(t *testing.T, text string, purpose *jose.Purpose, site string) kind {
	t.Helper()
	var parts [2]map[string]any
	for i, segment := range strings.Split(text, ".")[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(segment)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &parts[i]))
	}
	typ, _ := parts[0]["typ"].(string)
	return kind{typ: typ, claims: parts[1], purpose: purpose, issued: text, site: site}
}

// kinds returns the kinds of JWTs: those that this module issues, those that its clients sign, and others.
func (m *matrix) kinds(t *testing.T) map[string]kind {
	t.Helper()
	const mint, notify, altinnSite = "token/mint.go:Keys.Sign", "logout/notify.go:Keys.Sign", "digdir/altinn/server.go:Keys.Sign"
	const response = "authorize/jarm.go:Keys.Sign"
	tokens, browser := m.login(t, m.op)
	typed, _ := m.login(t, m.typed)
	page := browser.Get(t, optest.Issuer+"/logout?"+url.Values{"id_token_hint": {tokens.String("id_token")}}.Encode())
	require.Less(t, page.Status, 400)
	require.Len(t, m.logouts, 1)
	tokens, _ = m.login(t, m.op) // the first ones ended with the session
	systemUser := map[string]any{"authorization_details": []any{map[string]any{
		"type": "urn:altinn:systemuser", "systemuser_org": map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + storbanken},
	}}}
	machineToken := m.machineToken(t, nil)
	platform := m.do(t, m.altinn, http.MethodGet, altinn.ExchangePath+"maskinporten", nil, machineToken)
	require.Equal(t, http.StatusOK, platform.Code)
	now := time.Now().Unix()
	request := map[string]any{"iss": keyClient, "aud": optest.Issuer, "iat": now, "exp": now + 60, "jti": "r"}
	for name, values := range m.op.Request(keyClient, matrixScope).Params {
		request[name] = values[0]
	}
	clientAssertion := map[string]any{"iss": keyClient, "sub": keyClient, "aud": optest.Issuer, "iat": now, "exp": now + 60, "jti": "a"}
	return map[string]kind{
		"id_token":                   issued(t, tokens.String("id_token"), jose.IDToken, mint),
		"access token":               issued(t, tokens.String("access_token"), jose.AccessToken, mint),
		"at+jwt":                     issued(t, typed.String("access_token"), jose.AccessToken, mint),
		"authorization response":     issued(t, m.response(t), jose.AuthorizationResponse, response),
		"authorization error":        issued(t, m.response(t, "scope", "x:y"), jose.AuthorizationResponse, response),
		"logout token":               issued(t, m.logouts[0], nil, notify),
		"Maskinporten token":         issued(t, machineToken, jose.AccessToken, mint),
		"audience-restricted":        issued(t, m.machineToken(t, map[string]any{"resource": navAPI, "pid": optest.KariPID}), jose.AccessToken, mint),
		"delegated":                  issued(t, m.machineToken(t, map[string]any{"consumer_org": lillebank}), jose.AccessToken, mint),
		"system user":                issued(t, m.machineToken(t, systemUser), jose.AccessToken, mint),
		"Altinn token":               issued(t, platform.Body.String(), jose.AccessToken, altinnSite),
		"Maskinporten assertion":     {claims: m.assertion(nil), purpose: jose.AuthorizationGrant},
		"assertion, all claims":      {claims: m.assertion(map[string]any{"sub": machineClient, "resource": navAPI, "pid": optest.KariPID, "nbf": now}), purpose: jose.AuthorizationGrant},
		"client assertion":           {claims: clientAssertion, purpose: jose.ClientAssertion},
		"typed client assertion":     {typ: "client-authentication+jwt", claims: clientAssertion, purpose: jose.ClientAssertion},
		"request object":             {claims: request, purpose: jose.RequestObject},
		"typed request object":       {typ: "oauth-authz-req+jwt", claims: request, purpose: jose.RequestObject},
		"Studio token":               {claims: map[string]any{"sub": "dev", "urn:altinn:app": "studio", "jti": "s", "iat": now}},
		"DPoP proof":                 {typ: "dpop+jwt", claims: map[string]any{"htm": "GET", "htu": navAPI, "ath": sha256Of(m.bound), "jti": "d", "iat": now}, purpose: jose.DPoPProof},
		"introspection response":     issued(t, m.introspect(t, tokens.String("access_token")), jose.IntrospectionResponse, "token/introspectionjwt.go:Keys.Sign"),
		"unsigned claims of it":      {claims: map[string]any{"iat": now, "token_introspection": map[string]any{"active": true, "sub": "s"}}},
		"security event token":       {typ: "secevent+jwt", claims: map[string]any{"jti": "e", "iat": now, "sub": "s", "events": map[string]any{"urn:x": map[string]any{}}}},
		"proof with the subject":     {typ: "dpop+jwt", claims: map[string]any{"htm": "POST", "htu": "x", "jti": "d", "iat": now, "sub": machineClient}},
		"response with claims of it": {typ: "token-introspection+jwt", claims: map[string]any{"iat": now, "token_introspection": map[string]any{}, "client_id": "x", "scope": "x"}},
	}
}

// readers returns the readers of JWTs that verify a signature.
func (m *matrix) readers(t *testing.T) map[string]reader {
	t.Helper()
	machines := []string{"Maskinporten token", "audience-restricted", "delegated", "system user", "Altinn token"}
	logins := []string{"access token", "at+jwt"}
	own, _ := m.login(t, m.op)
	exchanges := func(role, typ string) func(*testing.T, string) bool {
		return func(t *testing.T, jwt string) bool {
			form := url.Values{"grant_type": {exchange.GrantType}, "scope": {matrixScope}}
			if role == "actor_token" {
				form.Set("subject_token", own.String("access_token"))
				form.Set("subject_token_type", exchange.AccessToken)
			}
			form.Set(role, jwt)
			form.Set(role+"_type", typ)
			return m.op.Call(t, "/token", webClient, form).Status == http.StatusOK
		}
	}
	exchangesAtAltinn := func(name string) func(*testing.T, string) bool {
		return func(t *testing.T, jwt string) bool {
			return m.do(t, m.altinn, http.MethodGet, altinn.ExchangePath+name, nil, jwt).Code == http.StatusOK
		}
	}
	api, err := resource.New(resource.Config{Issuer: optest.Issuer, Keys: resource.StaticKeys(m.jwks), URL: navAPI})
	require.NoError(t, err)
	idTokens := reader{iss: optest.Issuer, aud: webClient, clientID: webClient, purpose: jose.IDToken, kinds: []string{"id_token"}}
	idTokens.jti = issued(t, own.String("id_token"), nil, "").claims["jti"] // of a live login: every JWT has it, so that it rejects none
	accessTokens := reader{clientID: "x", purpose: jose.AccessToken}
	with := func(r reader, iss, aud string, kinds []string, accepts func(*testing.T, string) bool, sites ...string) reader {
		r.iss, r.aud, r.accepts, r.sites = iss, aud, accepts, sites
		if kinds != nil {
			r.kinds = kinds
		}
		return r
	}
	return map[string]reader{
		"assertion at Maskinporten": {
			iss: machineClient, aud: machineIssuer, clientID: machineClient, sites: []string{"digdir/maskinporten/grant.go:VerifyAssertion"},
			purpose: jose.AuthorizationGrant, kinds: []string{"Maskinporten assertion", "assertion, all claims"},
			accepts: func(t *testing.T, jwt string) bool { return m.redeem(t, jwt).Code == http.StatusOK },
		},
		"client_assertion": {
			iss: keyClient, aud: optest.Issuer, clientID: keyClient, sites: []string{"client/assertion.go:verifyKey"},
			purpose: jose.ClientAssertion, kinds: []string{"client assertion", "typed client assertion"},
			accepts: func(t *testing.T, jwt string) bool {
				return m.do(t, m.op, http.MethodPost, optest.Issuer+"/tokeninfo", url.Values{
					"client_id": {keyClient}, "client_assertion": {jwt}, "token": {"x"},
					"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
				}, "").Code == http.StatusOK
			},
		},
		"request": {
			iss: keyClient, aud: optest.Issuer, clientID: keyClient, sites: []string{"authorize/requestobject.go:VerifyAssertion"},
			purpose: jose.RequestObject, kinds: []string{"request object", "typed request object"},
			accepts: func(t *testing.T, jwt string) bool {
				return m.asksForLogin(t, url.Values{"client_id": {keyClient}, "request": {jwt}})
			},
		},
		"id_token_hint at authorize": with(idTokens, optest.Issuer, webClient, nil, func(t *testing.T, jwt string) bool {
			return m.asksForLogin(t, m.op.Request(webClient, matrixScope, "id_token_hint", jwt).Params)
		}, "authorize/hint.go:VerifyIDToken"),
		"id_token_hint at logout": with(idTokens, optest.Issuer, webClient, nil, func(t *testing.T, jwt string) bool {
			w := m.do(t, m.op, http.MethodGet, optest.Issuer+"/logout?"+url.Values{"id_token_hint": {jwt}}.Encode(), nil, "")
			return !strings.Contains(w.Body.String(), "id_token_hint") // without a session there is another error
		}, "logout/hint.go:VerifyIDToken"),
		"subject_token, id_token": with(idTokens, optest.Issuer, webClient, nil, exchanges("subject_token", exchange.IDToken), "exchange/presented.go:VerifyIDToken"),
		"actor_token, id_token":   with(idTokens, optest.Issuer, webClient, nil, exchanges("actor_token", exchange.IDToken), "exchange/presented.go:VerifyIDToken"),

		"subject_token of another issuer": with(accessTokens, foreignIssuer, optest.Issuer, slices.Concat(machines, logins),
			exchanges("subject_token", exchange.AccessToken), "exchange/presented.go:Verifier.Verify"),
		"subject_token of another issuer, jwt": with(accessTokens, foreignIssuer, optest.Issuer, slices.Concat(machines, logins),
			exchanges("subject_token", exchange.JWT), "exchange/presented.go:Verifier.Verify"),
		"actor_token of another issuer": with(accessTokens, foreignIssuer, optest.Issuer, slices.Concat(machines, logins),
			exchanges("actor_token", exchange.AccessToken), "exchange/presented.go:Verifier.Verify"),
		"resource server": with(accessTokens, optest.Issuer, navAPI, slices.Concat(machines, logins), func(t *testing.T, jwt string) bool {
			_, err := api.Verify(t.Context(), resource.Bearer(jwt))
			return err == nil
		}, "resource/verifier.go:jose.Verify"),
		"introspection": {
			iss: optest.Issuer, aud: webClient, clientID: webClient, sites: []string{"resource/introspection.go:jose.Verify"},
			purpose: jose.IntrospectionResponse, kinds: []string{"introspection response"}, accepts: m.introspects,
		},
		"proof of a bound token": {
			iss: optest.Issuer, aud: navAPI, clientID: webClient, sites: []string{"dpop/check.go:jose.VerifyEmbedded"},
			purpose: jose.DPoPProof, kinds: []string{"DPoP proof"}, accepts: m.proves,
		},
		"maskinporten at Altinn": with(accessTokens, machineIssuer, altinnIssuer, machines, exchangesAtAltinn("maskinporten"), "digdir/altinn/server.go:verifier.Verify"),
		"id-porten at Altinn":    with(accessTokens, optest.Issuer, altinnIssuer, logins, exchangesAtAltinn("id-porten"), "digdir/altinn/server.go:verifier.Verify"),
		"altinnstudio at Altinn": with(accessTokens, "studio", altinnIssuer, []string{"Studio token"}, exchangesAtAltinn("altinnstudio"), "digdir/altinn/server.go:verifier.Verify"),
	}
}

// asksForLogin reports whether the provider accepts an authorization request.
func (m *matrix) asksForLogin(t *testing.T, params url.Values) bool {
	w := m.do(t, m.op, http.MethodGet, optest.Issuer+"/authorize?"+params.Encode(), nil, "")
	return w.Code == http.StatusSeeOther && strings.Contains(w.Header().Get("Location"), "/login?")
}

// aimedAt returns the claims of a kind with the iss, aud, times and names that a reader requires. A JWT whose subject is its issuer
// keeps that relation.
func (k kind) aimedAt(r reader) map[string]any {
	now := time.Now().Unix()
	claims := maps.Clone(k.claims)
	sub, _ := claims["sub"].(string)
	if iss, _ := claims["iss"].(string); sub != "" && (sub == iss || sub == machineClient) {
		claims["sub"] = r.iss
	}
	claims["iss"], claims["aud"], claims["iat"], claims["exp"], claims["jti"] = r.iss, r.aud, now, now+100, rand.Text()
	if r.jti != nil {
		claims["jti"] = r.jti
	}
	if k.purpose == jose.IntrospectionResponse { // RFC 9701 §5
		delete(claims, "exp")
	}
	for name, value := range map[string]any{"scope": matrixScope, "client_id": r.clientID, "nbf": now} {
		if _, ok := claims[name]; ok {
			claims[name] = value
		}
	}
	return claims
}

// TestOneJWTOnePurpose gives each JWT that this module or another program issues to each reader, signed with the right key and with the
// right issuer, audience and times. Only the readers of its purpose accept it, with its own typ in any spelling, and with no other typ.
func TestOneJWTOnePurpose(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	kinds := m.kinds(t)
	for name, r := range m.readers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, k := range kinds {
				want := slices.Contains(r.kinds, name)
				accepts := func(typ string) bool { return r.accepts(t, m.sign(t, typ, k.aimedAt(r))) }
				for _, typ := range spellings(k.typ) {
					require.Equal(t, want, accepts(typ), "%s, typ %q, claims %v", name, typ, k.aimedAt(r))
				}
				untyped := want && k.purpose != jose.IntrospectionResponse && k.purpose != jose.DPoPProof // they always have their typ
				require.Equal(t, untyped, accepts("JWT"), "%s with typ JWT", name)
				own := typeOf(r.purpose)
				if !want && own != "" { // the claims of another kind under the right typ
					require.False(t, accepts(own), "%s with typ %s", name, own)
				}
				for _, typ := range []string{
					"foo+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt", "at+jwt", "oauth-authz-req+jwt", "client-authentication+jwt",
				} {
					if want && typ != own {
						require.False(t, accepts(typ), "%s with typ %s", name, typ)
					}
				}
			}
		})
	}
}

// TestNumericDates: every reader accepts times with a fraction or an exponent (RFC 7519 §2), and none accepts another type, a negative
// number or one beyond the year 2242. The readers of id_token_hint read no times of an expired token.
func TestNumericDates(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	kinds := m.kinds(t)
	bad := []any{"%d", "%d.0", json.Number("1e300"), json.Number("8589934593"), json.Number("-1"), nil, true, []int64{1}}
	for name, r := range m.readers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, name := range r.kinds {
				k := kinds[name]
				with := func(change map[string]any) string {
					claims := k.aimedAt(r)
					maps.Copy(claims, change)
					return m.sign(t, k.typ, claims)
				}
				now := time.Now().Unix()
				for _, format := range []string{"%d.0", "%d.125", "%d.999999", "%d0e-1", "0.%de10"} {
					times := map[string]any{}
					for claim, at := range map[string]int64{"iat": now, "nbf": now, "exp": now + 100} {
						times[claim] = json.Number(fmt.Sprintf(format, at))
					}
					if k.purpose == jose.IntrospectionResponse {
						delete(times, "exp")
					}
					require.True(t, r.accepts(t, with(times)), "%s with %s", name, times)
				}
				if strings.HasPrefix(t.Name(), "TestNumericDates/id_token_hint") {
					continue
				}
				for _, value := range bad {
					if text, ok := value.(string); ok {
						value = fmt.Sprintf(text, now+100)
					}
					require.False(t, r.accepts(t, with(map[string]any{"exp": value})), "%s with exp %v", name, value)
				}
			}
		})
	}
}

// typeOf returns the explicit type of a purpose.
func typeOf(p *jose.Purpose) string {
	for _, typ := range []string{"at+jwt", "oauth-authz-req+jwt", "client-authentication+jwt", "logout+jwt", "token-introspection+jwt", "dpop+jwt"} {
		if p.Typed(jose.Header{Typ: typ}) {
			return typ
		}
	}
	return ""
}

// spellings returns a typ as RFC 7515 §4.1.9 allows to write it.
func spellings(typ string) []string {
	switch typ {
	case "":
		return []string{"", "application/jwt"}
	case "dpop+jwt": // RFC 9449 §4.3: the value is compared as it is
		return []string{typ}
	}
	return []string{typ, "Application/" + strings.ToUpper(typ)}
}

// revocation is the reader that responds alike to every token.
const revocation = "revocation"

// lookups returns the readers of own access tokens, which find a token by its text.
func (m *matrix) lookups() map[string]reader {
	return map[string]reader{
		revocation: {sites: []string{"token/revocation.go:minter.accessToken"}},
		"userinfo": {sites: []string{"token/userinfo.go:minter.accessToken"}, accepts: func(t *testing.T, jwt string) bool {
			return m.op.UserInfo(t, jwt).Status == http.StatusOK
		}},
		"introspection": {sites: []string{"token/introspection.go:minter.accessToken"}, accepts: func(t *testing.T, jwt string) bool {
			return m.op.Introspect(t, webClient, jwt).JSON["active"] == true
		}},
		"authorizations": {sites: []string{"digdir/authorizations/caller.go:VerifyAccessToken"}, accepts: func(t *testing.T, jwt string) bool {
			_, err := m.api.AuthenticateUser(t.Context(), token.APIRequest{Authorization: []string{"Bearer " + jwt}}, matrixScope)
			return err == nil
		}},
		"subject_token": {sites: []string{"exchange/presented.go:LookupSubjectToken", "nhn/helseid/exchange.go:LookupSubjectToken"}, accepts: func(t *testing.T, jwt string) bool {
			return m.op.Call(t, "/token", webClient, url.Values{
				"grant_type": {exchange.GrantType}, "subject_token": {jwt}, "subject_token_type": {exchange.AccessToken},
			}).Status == http.StatusOK
		}},
	}
}

// TestOwnAccessTokensAreLookedUp: where a provider accepts its own access tokens it finds the text that it issued. Other JWTs, and the
// same claims signed again, are unknown.
func TestOwnAccessTokensAreLookedUp(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	lookups := m.lookups()

	delete(lookups, revocation)
	kinds := m.kinds(t)
	own := kinds["access token"].issued
	revoke := func(jwt string) {
		require.Equal(t, http.StatusOK, m.op.Call(t, "/revoke", webClient, url.Values{"token": {jwt}}).Status)
	}
	for name, k := range kinds {
		again := m.sign(t, k.typ, k.aimedAt(reader{iss: optest.Issuer, aud: optest.Issuer, clientID: webClient}))
		revoke(again)
		if k.issued != "" && k.issued != own {
			revoke(k.issued)
		}
		for site, r := range lookups {
			if k.issued != "" {
				require.Equal(t, name == "access token", r.accepts(t, k.issued), "%s at %s", name, site)
			}
			require.False(t, r.accepts(t, again), "%s signed again at %s", name, site)
		}
	}
	require.True(t, lookups["introspection"].accepts(t, own), "no other JWT revokes it")
	revoke(own)
	require.False(t, lookups["introspection"].accepts(t, own))
}

// verifiers are the methods and functions that verify or find a JWT, and signers those that sign one. A call in a file that the matrix
// does not name is a reader or an issuer without a cell.
var (
	verifiers = []string{
		"jose.Verify", "jose.VerifyEmbedded", "VerifyIDToken", "VerifyAssertion", "verifyKey", "VerifyAccessToken", "LookupSubjectToken", "minter.accessToken", "Verifier.Verify", "verifier.Verify",
	}
	signers = []string{"Keys.Sign", "jose.NewSigner"}
	// within are calls inside the functions above.
	within = []string{
		"client/assertionkey.go:jose.Verify", "client/assertionkey.go:verifyKey", "keyset/keyset.go:jose.Verify", "keyset/timeline.go:jose.NewSigner",
	}
)

// TestMatrixIsComplete: every purpose has a reader and a kind, and every call that reads or signs a JWT is in the matrix.
func TestMatrixIsComplete(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	kinds, readers, sites := m.kinds(t), m.readers(t), slices.Clone(within)
	for name, r := range readers {
		require.NotEmpty(t, r.kinds, name)
		for _, k := range r.kinds {
			require.Contains(t, kinds, k, name)
			require.Contains(t, []*jose.Purpose{r.purpose, nil}, kinds[k].purpose, "%s as %s", k, name)
		}
		for k, of := range kinds {
			if of.purpose != nil && of.purpose != jose.AccessToken { // which of the issuers it accepts is the matter of each reader
				require.Equal(t, of.purpose == r.purpose, slices.Contains(r.kinds, k), "%s as %s", k, name)
			}
		}
		sites = append(sites, r.sites...)
	}
	for _, r := range m.lookups() {
		sites = append(sites, r.sites...)
	}
	for _, p := range jose.Purposes() {
		read, made := p == jose.LogoutToken || p == jose.AuthorizationResponse, p == jose.LogoutToken // only issued
		for _, r := range readers {
			read = read || r.purpose == p
		}
		for _, k := range kinds {
			made = made || k.purpose == p
		}
		require.True(t, read && made, "%v", p)
	}
	for _, k := range kinds {
		if k.site != "" {
			sites = append(sites, k.site)
		}
	}
	slices.Sort(sites)
	require.Equal(t, slices.Compact(sites), callsOf(t, slices.Concat(verifiers, signers)))
}

// outside are folders without code of a provider: programs, helpers, and tests of clients, for which portnertest signs wrong tokens.
var outside = []string{"examples", "internal", "portnertest", "reliability", "storage", "telemetry"}

// callsOf returns the calls of functions in the source of the module, as "file:function", sorted. A function is written with the last
// one or two names of the call.
func callsOf(t *testing.T, functions []string) []string {
	t.Helper()
	found := map[string]bool{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && (d.Name() == "testdata" || slices.Contains(outside, path)) {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for _, name := range namesOf(call.Fun) {
				if slices.Contains(functions, name) {
					found[filepath.ToSlash(path)+":"+name] = true
				}
			}
			return true
		})
		return nil
	}))
	return slices.Sorted(maps.Keys(found))
}

// namesOf returns the last name of a called function, and the last two.
func namesOf(fun ast.Expr) []string {
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	names := []string{selector.Sel.Name}
	switch x := selector.X.(type) {
	case *ast.Ident:
		names = append(names, x.Name+"."+selector.Sel.Name)
	case *ast.SelectorExpr:
		names = append(names, x.Sel.Name+"."+selector.Sel.Name)
	}
	return names
}
