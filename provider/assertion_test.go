package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// signing is a client with private_key_jwt at a test provider.
type signing struct {
	op  *optest.OP
	key *ecdsa.PrivateKey
}

const signingClient = "signing"

func newSigning(t *testing.T, change func(*provider.Config)) *signing {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	jwk, err := jose.MarshalJWK(jose.PublicKey{KID: "k1", Key: key.Public()})
	require.NoError(t, err)
	registered := client.Client{
		ClientID: signingClient, ClientName: signingClient, OrganisationNo: optest.Org, IntegrationType: "api_klient",
		TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: json.RawMessage(`{"keys":[` + string(jwk) + `]}`),
		GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{optest.Callback}, Scopes: []string{"openid"},
	}
	return &signing{optest.New(t, optest.Options{Clients: []client.Client{registered}, Change: change}), key}
}

// assertion returns a client assertion with a new jti and changed claims.
func (s *signing) assertion(t *testing.T, change map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": signingClient, "sub": signingClient, "aud": optest.Issuer, "iat": now, "exp": now + 100, "jti": rand.Text(),
	}
	maps.Copy(claims, change)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(`{"alg":"ES256","kid":"k1"}`)) + "." + b64(payload)
	digest := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	require.NoError(t, err)
	return signed + "." + b64(append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...))
}

// endpoints are the endpoints that authenticate clients, with the status of a response to an authenticated client whose request has no
// further parameters than those of call.
var endpoints = map[string]int{"/token": http.StatusBadRequest, "/par": http.StatusCreated, "/tokeninfo": http.StatusOK, "/introspect": http.StatusOK, "/revoke": http.StatusOK}

// call sends a request with an assertion from an address, and client_id if it is not empty.
func (s *signing) call(t *testing.T, path, assertion, clientID, addr string) *httptest.ResponseRecorder {
	t.Helper()
	form := url.Values{}
	switch path {
	case "/token":
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}} // invalid_grant for an authenticated client
	case "/par":
		form = s.op.Request(signingClient, "openid").Params
		form.Set("redirect_uri", optest.Callback)
	default:
		form.Set("token", "x")
	}
	form.Del("client_id")
	if clientID != "" {
		form.Set("client_id", clientID)
	}
	form.Set("client_assertion", assertion)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = addr
	w := httptest.NewRecorder()
	s.op.ServeHTTP(w, r)
	return w
}

// errorOf returns the error code of a response, "" if it has none.
func errorOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Body.Len() == 0 {
		return ""
	}
	var body struct {
		Error string `json:"error"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	return body.Error
}

const addr = "192.0.2.1:1234"

// requireAuthenticated requires the response to an authenticated client.
func requireAuthenticated(t *testing.T, path string, w *httptest.ResponseRecorder, what ...any) {
	t.Helper()
	require.Equal(t, endpoints[path], w.Code, "%s: %s: %v", path, w.Body, what)
	if path == "/token" {
		require.Equal(t, "invalid_grant", errorOf(t, w), what...)
	}
}

// TestAssertionWithoutClientID: the sub of an assertion names the client (RFC 7521 §4.2) at every endpoint. The profiles of ID-porten
// and Ansattporten require client_id. A client_id of another client is rejected, and sub alone authenticates nobody.
func TestAssertionWithoutClientID(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		profile  provider.Profile
		required bool
	}{
		"OpenID Connect": {provider.OpenIDConnect(), false},
		"ID-porten":      {provider.IDPorten(), true},
		"Ansattporten":   {ansattporten.Profile(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigning(t, func(c *provider.Config) { c.Profile = tc.profile })
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			forger := &signing{s.op, other}
			for path := range endpoints {
				requireAuthenticated(t, path, s.call(t, path, s.assertion(t, nil), signingClient, addr), "with client_id")
				w := s.call(t, path, s.assertion(t, nil), "", addr)
				if tc.required {
					require.Equal(t, http.StatusBadRequest, w.Code, path)
					require.Equal(t, "invalid_request", errorOf(t, w))
					require.Contains(t, w.Body.String(), "client_id")
				} else {
					requireAuthenticated(t, path, w, "without client_id")
				}
				require.Equal(t, http.StatusUnauthorized, s.call(t, path, s.assertion(t, nil), "tjeneste", addr).Code, "%s: another client", path)
				if tc.required {
					continue
				}
				for what, assertion := range map[string]string{
					"other key":      forger.assertion(t, nil),
					"another sub":    s.assertion(t, map[string]any{"sub": "tjeneste", "iss": "tjeneste"}),
					"sub of another": s.assertion(t, map[string]any{"sub": "tjeneste"}),
					"iss of another": s.assertion(t, map[string]any{"iss": "tjeneste"}),
					"unknown sub":    s.assertion(t, map[string]any{"sub": "unknown", "iss": "unknown"}),
					"no sub":         s.assertion(t, map[string]any{"sub": ""}),
					"sub in a list":  s.assertion(t, map[string]any{"sub": []string{signingClient}}),
					"long sub":       s.assertion(t, map[string]any{"sub": strings.Repeat("x", 300)}),
					"no JWT":         "x.y.z",
					"long":           strings.Repeat("x", 20_000),
				} {
					w := s.call(t, path, assertion, "", addr)
					require.Equal(t, "invalid_client", errorOf(t, w), "%s: %s: %s", path, what, w.Body)
					require.Equal(t, http.StatusUnauthorized, w.Code, "%s: %s", path, what)
				}
			}
		})
	}
}

// TestAssertionAudienceOfProfiles: the plain profile accepts the issuer in an array of one, those of ID-porten and Ansattporten accept
// the string only, and no profile accepts two audiences (docs/threat-model.md K4).
func TestAssertionAudienceOfProfiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		profile provider.Profile
		listed  bool
	}{
		"OpenID Connect": {provider.OpenIDConnect(), true},
		"ID-porten":      {provider.IDPorten(), false},
		"Ansattporten":   {ansattporten.Profile(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigning(t, func(c *provider.Config) { c.Profile = tc.profile })
			for path := range endpoints {
				for _, aud := range []struct {
					value any
					want  bool
				}{
					{optest.Issuer, true},
					{[]string{optest.Issuer}, tc.listed},
					{[]string{optest.Issuer, optest.Issuer}, false},
					{[]string{optest.Issuer, optest.Issuer + "/token"}, false},
					{[]string{optest.Issuer + "/"}, false},
					{[]string{}, false},
				} {
					w := s.call(t, path, s.assertion(t, map[string]any{"aud": aud.value}), signingClient, addr)
					if aud.want {
						requireAuthenticated(t, path, w, aud.value)
						continue
					}
					require.Equal(t, "invalid_client", errorOf(t, w), fmt.Sprint(path, aud.value))
				}
			}
		})
	}
}

// TestRubbishLocksNoClientOut: of 40 requests with one assertion at once one is authenticated, and the others are replays. Neither these
// nor other rubbish from the same address delay the client, at any endpoint.
func TestRubbishLocksNoClientOut(t *testing.T) {
	t.Parallel()
	s := newSigning(t, nil)
	basic := func(path, id, secret string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(url.Values{"token": {"x"}, "grant_type": {"x"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = addr
		r.SetBasicAuth(id, secret)
		w := httptest.NewRecorder()
		s.op.ServeHTTP(w, r)
		return w
	}
	for path, want := range endpoints {
		assertion := s.assertion(t, nil)
		responses := make([]*httptest.ResponseRecorder, 40)
		var wg sync.WaitGroup
		for i := range responses {
			wg.Go(func() { responses[i] = s.call(t, path, assertion, signingClient, addr) })
		}
		wg.Wait()
		accepted := 0
		for _, w := range responses {
			if w.Code == want && errorOf(t, w) != "invalid_client" {
				accepted++
				continue
			}
			require.Equal(t, http.StatusUnauthorized, w.Code, path)
			require.Equal(t, "invalid_client", errorOf(t, w), path)
		}
		require.Equal(t, 1, accepted, path)
		for range 15 {
			require.Equal(t, http.StatusUnauthorized, s.call(t, path, "x", signingClient, addr).Code)
			basic(path, signingClient, "wrong")
			basic(path, "tjeneste", "wrong")
		}
		require.Equal(t, http.StatusUnauthorized, s.call(t, path, assertion, signingClient, addr).Code, "%s: still a replay", path)
		requireAuthenticated(t, path, s.call(t, path, s.assertion(t, nil), signingClient, addr), "after rubbish")
		require.NotContains(t, []int{http.StatusUnauthorized, http.StatusTooManyRequests}, basic(path, "tjeneste", optest.Secret).Code, path)
	}
}
