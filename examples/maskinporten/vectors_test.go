package main

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// claims holds members of a grant or of its header.
type claims = map[string]any

// stand is a running server with a trusted and an untrusted test authority.
type stand struct {
	*maskinporten.Server
	ca, stranger string
}

func newStand(t *testing.T) stand {
	t.Helper()
	dir := t.TempDir()
	s := stand{ca: filepath.Join(dir, "ca"), stranger: filepath.Join(dir, "stranger")}
	require.NoError(t, maskinporten.MakeTestCA(s.stranger, time.Now()))
	s.Server = start(t, "-testca", s.ca, "-config", write(t, `{
		"clients": [{ "client_id": "strict", "client_orgno": "991825827", "scopes": ["t:api", "t:closed", "t:inactive", "t:plain"], "jwks": `+string(maskinporten.DemoJWKS())+` }],
		"scopes": [
			{ "name": "t:api", "description": "x", "accessible_for_all": true, "allowed_integration_types": ["api_klient"] },
			{ "name": "t:closed", "description": "x" },
			{ "name": "t:inactive", "description": "x", "active": false },
			{ "name": "t:plain", "description": "x", "accessible_for_all": true }
		]
	}`))
	return s
}

// grant returns a valid grant of the built-in client with changed members; nil removes a member.
func (s stand) grant(t *testing.T, other claims) claims {
	t.Helper()
	now := time.Now().Unix()
	c := claims{"aud": s.Issuer, "iss": maskinporten.DemoClient, "scope": maskinporten.DemoScope, "iat": now, "exp": now + 120, "jti": rand.Text()}
	maps.Copy(c, other)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// byKey signs with the public test key.
func byKey(t *testing.T, payload claims) string {
	t.Helper()
	return signed(t, claims{"alg": "RS256", "kid": maskinporten.DemoKID}, payload)
}

func signed(t *testing.T, header, payload claims) string {
	t.Helper()
	assertion, err := maskinporten.Sign(maskinporten.DemoKey(), header, payload)
	require.NoError(t, err)
	return assertion
}

// byCertificate signs with a certificate of an authority and sends its chain.
func byCertificate(t *testing.T, dir, name string, payload claims) string {
	t.Helper()
	return byChain(t, dir, name, func(chain []string) claims { return claims{"x5c": chain} }, payload)
}

// byChain signs with a certificate of an authority. header returns the header parameters for its chain, without alg.
func byChain(t *testing.T, dir, name string, header func(chain []string) claims, payload claims) string {
	t.Helper()
	var chain []string
	require.NoError(t, maskinporten.Blocks(filepath.Join(dir, name+".pem"), func(b []byte) error {
		chain = append(chain, base64.StdEncoding.EncodeToString(b))
		return nil
	}))
	var assertion string
	require.NoError(t, maskinporten.Blocks(filepath.Join(dir, name+".key.pem"), func(b []byte) error {
		key, err := x509.ParsePKCS8PrivateKey(b)
		require.NoError(t, err)
		h := header(chain)
		h["alg"] = "RS256"
		input := segment(t, h) + "." + segment(t, payload)
		sum := sha256.Sum256([]byte(input))
		signature, err := key.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
		assertion = input + "." + base64.RawURLEncoding.EncodeToString(signature)
		return err
	}))
	return assertion
}

func segment(t *testing.T, v claims) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}

// post sends a form and returns the status and the members of the response.
func (s stand) post(t *testing.T, form url.Values) (int, map[string]any) {
	t.Helper()
	resp, err := http.PostForm(s.Issuer+"token", form)
	require.NoError(t, err)
	defer resp.Body.Close()
	var body map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
	return resp.StatusCode, body
}

func (s stand) send(t *testing.T, assertion string) (int, map[string]any) {
	t.Helper()
	return s.post(t, url.Values{"grant_type": {client.JWTBearer}, "assertion": {assertion}})
}

// TestVectors runs the vectors of docs/spec/maskinporten.md §6.3 over HTTP, with the system clock. Package maskinporten tests them
// with the published times.
func TestVectors(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	now := time.Now().Unix()
	details := func(d ...any) string { return byKey(t, s.grant(t, claims{"authorization_details": d})) }
	user := func(orgno string, more claims) claims {
		c := claims{"type": "urn:altinn:systemuser", "systemuser_org": claims{"authority": "iso6523-actorid-upis", "ID": "0192:" + orgno}}
		maps.Copy(c, more)
		return c
	}
	delegated := func(other claims) string {
		c := claims{"scope": maskinporten.DemoDelegated, "consumer_org": maskinporten.DemoCustomer}
		maps.Copy(c, other)
		return byKey(t, s.grant(t, c))
	}
	once := byKey(t, s.grant(t, nil))
	status, _ := s.send(t, once)
	require.Equal(t, http.StatusOK, status)
	for name, v := range map[string]struct{ assertion, code, says string }{
		"lifetime of 122 s":                   {byKey(t, s.grant(t, claims{"exp": now + 122, "iat": now})), "invalid_grant", "120 seconds"},
		"expired":                             {byKey(t, s.grant(t, claims{"iat": now - 131, "exp": now - 11})), "invalid_grant", "MP-130"},
		"iat in the future":                   {byKey(t, s.grant(t, claims{"iat": now + 3600, "exp": now + 3640})), "invalid_grant", "Issue time is after now"},
		"replayed":                            {once, "invalid_grant", "MP-012"},
		"aud without slash":                   {byKey(t, s.grant(t, claims{"aud": strings.TrimSuffix(s.Issuer, "/")})), "invalid_grant", "MP-110"},
		"iss of an organisation":              {byKey(t, s.grant(t, claims{"iss": maskinporten.DemoOrg})), "invalid_grant", "MP-100"},
		"x5c not an array":                    {signed(t, claims{"alg": "RS256", "x5c": "MIIB"}, s.grant(t, claims{"iss": maskinporten.DemoCertificate})), "invalid_grant", "MP-123"},
		"x5c beside registered keys":          {byCertificate(t, s.ca, "seid2", s.grant(t, nil)), "invalid_grant", "The client requires pre-registered jwk and no key identifier (kid) provided"},
		"unknown kid":                         {signed(t, claims{"alg": "RS256", "kid": "unknown"}, s.grant(t, nil)), "invalid_grant", "Invalid assertion. Client authentication failed. Unknown key identifier (kid) for client."},
		"certificate of another organisation": {byCertificate(t, s.ca, "other", s.grant(t, claims{"iss": maskinporten.DemoCertificate})), "invalid_grant", "MP-122"},
		"certificate of another authority":    {byCertificate(t, s.stranger, "seid2", s.grant(t, claims{"iss": maskinporten.DemoCertificate})), "invalid_grant", "MP-120"},
		"revoked certificate":                 {byCertificate(t, s.ca, "revoked", s.grant(t, claims{"iss": maskinporten.DemoCertificate})), "invalid_grant", "MP-120"},
		"HS256 with the public key":           {hs256(t, s.grant(t, nil)), "invalid_grant", "MP-124"},
		"no scope":                            {byKey(t, s.grant(t, claims{"scope": nil})), "invalid_request", "MP-011"},
		"scope not registered":                {byKey(t, s.grant(t, claims{"scope": "t:unknown"})), "invalid_scope", "MP-200"},
		"scope of another integration type":   {byKey(t, s.grant(t, claims{"iss": "strict", "scope": "t:api"})), "invalid_scope", "MP-201"},
		"scope without access":                {byKey(t, s.grant(t, claims{"iss": "strict", "scope": "t:closed"})), "invalid_scope", "MP-250"},
		"not delegated":                       {delegated(claims{"scope": maskinporten.DemoAltinn, "consumer_org": maskinporten.DemoOwner}), "invalid_scope", "MP-251"},
		"own organisation":                    {delegated(claims{"consumer_org": maskinporten.DemoOrg}), "invalid_request", "The combination consumer_org in claim"},
		"iss_onbehalfof":                      {delegated(claims{"iss_onbehalfof": "x"}), "invalid_request", "MP-011"},
		"prefixed consumer_org":               {delegated(claims{"consumer_org": "0192:" + maskinporten.DemoCustomer}), "invalid_request", "MP-011"},
		"unknown details type":                {details(user(maskinporten.DemoCustomer, claims{"type": "urn:altinn:foo"})), "invalid_authorization_details", "MP-301"},
		"unknown details member":              {details(user(maskinporten.DemoCustomer, claims{"x": 1})), "invalid_authorization_details", "MP-302"},
		"two customers":                       {details(user(maskinporten.DemoCustomer, nil), user(maskinporten.DemoOwner, nil)), "invalid_authorization_details", "MP-303"},
		"no system user":                      {details(user(maskinporten.DemoOwner, nil)), "invalid_altinn_customer_configuration", "MP-303"},
		"resource not a URI":                  {byKey(t, s.grant(t, claims{"resource": "not a uri"})), "invalid_request", "MP-011"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := s.send(t, v.assertion)
			require.Equal(t, http.StatusBadRequest, status, "%v", body)
			require.Equal(t, v.code, body["error"], "%v", body)
			uri, _ := body["error_uri"].(string)
			require.Contains(t, body["error_description"].(string)+" "+uri, v.says)
			require.Contains(t, body["error_description"], " (trace_id: ")
		})
	}
	status, body := s.post(t, url.Values{"grant_type": {"client_credentials"}})
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "unsupported_grant_type", body["error"])
}

// hs256 is signed with the public key as a secret.
func hs256(t *testing.T, payload claims) string {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(maskinporten.DemoKey().Public())
	require.NoError(t, err)
	input := segment(t, claims{"alg": "HS256", "kid": maskinporten.DemoKID}) + "." + segment(t, payload)
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
