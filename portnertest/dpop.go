package portnertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Prover signs DPoP proofs (RFC 9449) with ES256, for tests of APIs with tokens that are bound to a key.
type Prover struct {
	// Thumbprint is that of the key, as in cnf.jkt.
	Thumbprint string

	key *ecdsa.PrivateKey
	jwk map[string]string
}

// NewProver returns a Prover with a new key.
func NewProver() *Prover {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	p := &Prover{key: key, jwk: map[string]string{"crv": "P-256", "kty": "EC", "x": b64(point[1:33]), "y": b64(point[33:])}}
	sum := sha256.Sum256(encodeJSON(p.jwk)) // RFC 7638 §3: the required members only, sorted
	p.Thumbprint = b64(sum[:])
	return p
}

// Proof returns a proof for a request, with further claims: nil removes one. A request with an access token needs the claims of [Hash].
func (p *Prover) Proof(method, url string, now time.Time, further map[string]any) string {
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": now.Unix()}
	maps.Copy(claims, further)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	signed := b64(encodeJSON(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": p.jwk})) + "." + b64(encodeJSON(claims))
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + b64(signature)
}

// Format hides the key.
func (p *Prover) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "prover[%s]", p.Thumbprint) }

// Hash is the claim ath for an access token (RFC 9449 §4.2).
func Hash(accessToken string) map[string]any {
	sum := sha256.Sum256([]byte(accessToken))
	return map[string]any{"ath": b64(sum[:])}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encodeJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
