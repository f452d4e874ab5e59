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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// proofFor returns a DPoP proof for a POST to a URL. claims are names and values that replace others.
func proofFor(t *testing.T, key *ecdsa.PrivateKey, target string, claims ...string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	jwk, err := jose.MarshalJWK(jose.PublicKey{Key: key.Public()})
	require.NoError(t, err)
	members := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": target, "iat": time.Now().Unix()}
	for i := 0; i < len(claims); i += 2 {
		members[claims[i]] = claims[i+1]
	}
	payload, err := json.Marshal(members)
	require.NoError(t, err)
	input := encode([]byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+string(jwk)+`}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	require.NoError(t, err)
	return input + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// TestProofsOfPushedRequests: the PAR endpoint of a provider accepts proofs for its URL at the issuer and at the listener of mutual TLS. It
// requires no nonce, also if the token endpoint does.
func TestProofsOfPushedRequests(t *testing.T) {
	t.Parallel()
	const mtls = "https://mtls.example.no"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		nonces, err := dpop.NewNonces(c.Issuer, c.Secrets...)
		require.NoError(t, err)
		c.DPoP, c.MTLSURL, c.Profile.Paths.PushedRequests = &dpop.Policy{Replay: c.Replay, Nonces: nonces}, mtls, "/connect/par"
	}})
	form := op.Request("tjeneste", "openid").Params
	push := func(target string) (int, map[string]any) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+"/connect/par", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("DPoP", proofFor(t, key, target))
		r.SetBasicAuth("tjeneste", optest.Secret)
		w := httptest.NewRecorder()
		op.ServeHTTP(w, r)
		var body map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		return w.Code, body
	}
	for _, target := range []string{optest.Issuer + "/connect/par", mtls + "/connect/par"} {
		status, body := push(target)
		require.Equal(t, http.StatusCreated, status, "%s: %v", target, body)
		p := op.Browser().Login(t, optest.Request{ClientID: "tjeneste", Params: url.Values{
			"client_id": {"tjeneste"}, "request_uri": {body["request_uri"].(string)},
		}}, "kari")
		code, err := op.Store.Code(t.Context(), storage.HashOf(p.Code(t)), time.Now())
		require.NoError(t, err)
		require.Len(t, code.DPoPKey, 43)
	}
	for _, target := range []string{optest.Issuer + "/par", optest.Issuer + "/token", "https://other.example.no/connect/par"} {
		status, body := push(target)
		require.Equal(t, http.StatusBadRequest, status, target)
		require.Equal(t, "invalid_dpop_proof", body["error"], target)
	}
}

// TestSignedResponsesOfProfiles: the response modes of the profile are those of the metadata and of the authorization endpoint.
func TestSignedResponsesOfProfiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		modes, algs []string // of the profile
		want        []any    // authorization_signing_alg_values_supported
		alg         string   // of responses
	}{
		"plain":    {nil, nil, nil, ""},
		"no JARM":  {[]string{"query"}, nil, nil, ""},
		"JARM":     {[]string{"query", "form_post", "jwt"}, nil, []any{"RS256", "PS256", "ES256"}, "RS256"},
		"FAPI 2.0": {[]string{"jwt", "query.jwt", "form_post.jwt"}, []string{"PS256", "ES256"}, []any{"PS256", "ES256"}, "PS256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := tc.algs // New rejects others
			if keys == nil {
				keys = []string{keyset.ES256, keyset.PS256, keyset.RS256}
			}
			op := optest.New(t, optest.Options{Keys: keysOf(t, keys...), Change: func(c *provider.Config) {
				c.Profile.ResponseModes, c.Profile.SigningAlgorithms = tc.modes, tc.algs
			}})
			w := httptest.NewRecorder()
			op.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+"/.well-known/openid-configuration", nil))
			var metadata map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &metadata))
			modes := []any{"query", "form_post"}
			if tc.modes != nil {
				modes = nil
				for _, mode := range tc.modes {
					modes = append(modes, mode)
				}
			}
			require.Equal(t, modes, metadata["response_modes_supported"])
			require.Equal(t, tc.want != nil, metadata["authorization_signing_alg_values_supported"] != nil)
			r := op.Request("tjeneste", "openid", "response_mode", "jwt")
			if tc.alg == "" {
				require.Equal(t, http.StatusBadRequest, op.Browser().Get(t, r.URL()).Status)
				return
			}
			require.Equal(t, tc.want, metadata["authorization_signing_alg_values_supported"])
			p := op.Browser().Login(t, r, "kari")
			require.Empty(t, p.Left.Query().Get("code"))
			head, _, _ := strings.Cut(p.Left.Query().Get("response"), ".")
			text, err := base64.RawURLEncoding.DecodeString(head)
			require.NoError(t, err)
			require.Contains(t, string(text), `"alg":"`+tc.alg+`"`)
		})
	}
}
