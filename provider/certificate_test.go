package provider_test

import (
	"context"
	"crypto"
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

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/portner-go/portner/provider"
)

// beside is a source with one additional client.
type beside struct {
	client.Source
	more client.Client
}

func (b beside) Client(ctx context.Context, id string) (*client.Client, error) {
	if id == b.more.ClientID {
		return &b.more, nil
	}
	return b.Source.Client(ctx, id)
}

// TestBusinessCertificate verifies that a client can sign its assertions with the certificate of its organisation at every endpoint
// that authenticates clients, and that each assertion is accepted once (docs/spec/idporten.md §5.4).
func TestBusinessCertificate(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	set, err := testpki.NewSet(testpki.Options{
		Orgno: optest.Org, OtherOrgno: optest.OwnerOrg, Now: time.Now(), NewKey: func() (crypto.Signer, error) { return key, nil },
	})
	require.NoError(t, err)
	verifier, err := businesscert.New(businesscert.Config{Roots: set.Roots(), Revocation: businesscert.InsecureNoRevocation{}})
	require.NoError(t, err)
	registered := client.Client{
		ClientID: "virksomhet", OrganisationNo: optest.Org, IntegrationType: "api_klient", TokenEndpointAuthMethod: client.PrivateKeyJWT,
		RedirectURIs: []string{optest.Callback},
	}
	require.NoError(t, registered.Validate(client.Environment{BusinessCertificates: true}))
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.Clients, c.Certificates, c.Attempts = beside{c.Clients, registered}, verifier, &limiter{}
	}})
	call := func(path, assertion string) int {
		form := url.Values{
			"token": {"x"}, "grant_type": {"authorization_code"}, "client_id": {registered.ClientID}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		op.ServeHTTP(w, r)
		return w.Code
	}
	for _, path := range []string{"/token", "/par", "/tokeninfo", "/revoke"} {
		good := x5cAssertion(t, key, set, testpki.NameSEID2, registered.ClientID)
		require.NotEqual(t, http.StatusUnauthorized, call(path, good), path)
		require.Equal(t, http.StatusUnauthorized, call(path, good), "%s: a replay", path)
		for _, name := range []string{testpki.NameExpired, testpki.NameOther} {
			require.Equal(t, http.StatusUnauthorized, call(path, x5cAssertion(t, key, set, name, registered.ClientID)), "%s: %s", path, name)
		}
	}
}

func x5cAssertion(t *testing.T, key *ecdsa.PrivateKey, set *testpki.Set, name, clientID string) string {
	t.Helper()
	segment := func(v any) string {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	at := time.Now().Unix()
	signed := segment(map[string]any{"alg": "ES256", "x5c": testpki.X5C(set.Chain(name)...)}) + "." + segment(map[string]any{
		"iss": clientID, "sub": clientID, "aud": optest.Issuer, "iat": at, "exp": at + 60, "jti": rand.Text(),
	})
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	require.NoError(t, err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
