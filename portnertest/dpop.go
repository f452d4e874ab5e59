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

// Proof returns a proof for a request (RFC 9449 §4.2). If accessToken is not "", the proof has its hash, the claim ath. claims replace claims of
// the proof, or add some, such as nonce; nil removes one.
func (p *Prover) Proof(method, url, accessToken string, now time.Time, claims map[string]any) string {
	payload := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": now.Unix()}
	if accessToken != "" {
		hash := sha256.Sum256([]byte(accessToken))
		payload["ath"] = b64(hash[:])
	}
	maps.Copy(payload, claims)
	maps.DeleteFunc(payload, func(_ string, v any) bool { return v == nil })
	signed := b64(encodeJSON(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": p.jwk})) + "." + b64(encodeJSON(payload))
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

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encodeJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
