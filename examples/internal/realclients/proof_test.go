package realclients_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// prover makes the DPoP proofs of a client that the test plays itself.
type prover struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newProver(t *testing.T) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &prover{t, key}
}

// thumbprint is the jkt of the key.
func (p *prover) thumbprint() string {
	sum, err := (&jose.JSONWebKey{Key: &p.key.PublicKey}).Thumbprint(crypto.SHA256)
	require.NoError(p.t, err)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// proof is valid for a request now. set replaces claims.
func (p *prover) proof(method, url, accessToken string, set object) string {
	p.t.Helper()
	claims := object{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix()}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for name, value := range set {
		claims[name] = value
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, options)
	require.NoError(p.t, err)
	payload, err := json.Marshal(claims)
	require.NoError(p.t, err)
	signed, err := signer.Sign(payload)
	require.NoError(p.t, err)
	compact, err := signed.CompactSerialize()
	require.NoError(p.t, err)
	return compact
}

// answer is the response of an API.
type answer struct {
	status    int
	challenge string // WWW-Authenticate
	nonce     string // DPoP-Nonce
	body      string
}

// ask sends a request to an API with an access token, and a proof unless it is "".
func (w *world) ask(url, scheme, accessToken, proof string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	require.NoError(w.t, err)
	r.Header.Set("Authorization", scheme+" "+accessToken)
	if proof != "" {
		r.Header.Set("DPoP", proof)
	}
	resp, err := w.browser().http.Do(r)
	require.NoError(w.t, err)
	a := answer{status: resp.StatusCode, nonce: resp.Header.Get("DPoP-Nonce")}
	for _, c := range resp.Header.Values("WWW-Authenticate") {
		a.challenge += c + "\n"
	}
	a.body = readAll(w.t, resp.Body)
	return a
}
