package dpop_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
)

// oracle checks a proof for tokenURL at epoch with jwx, encoding/json and net/url, and returns the thumbprint. It accepts more than a
// Policy: what jwx and encoding/json read leniently.
func oracle(text string, algs []string) (string, error) {
	if strings.Count(text, ".") != 2 {
		return "", fmt.Errorf("not compact")
	}
	message, err := jws.Parse([]byte(text))
	if err != nil {
		return "", err
	}
	h := message.Signatures()[0].ProtectedHeaders()
	key := h.JWK()
	if h.Type() != "dpop+jwt" || key == nil || len(h.Critical()) > 0 {
		return "", fmt.Errorf("header")
	}
	allowed := false
	for _, a := range algs {
		allowed = allowed || a == h.Algorithm().String()
	}
	if !allowed {
		return "", fmt.Errorf("alg")
	}
	switch key.(type) {
	case jwk.ECDSAPublicKey, jwk.OKPPublicKey, jwk.RSAPublicKey:
	default:
		return "", fmt.Errorf("%T", key)
	}
	var public any
	if err := key.Raw(&public); err != nil {
		return "", err
	}
	body, err := jws.Verify([]byte(text), jws.WithKey(h.Algorithm(), public))
	if err != nil {
		return "", err
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return b64(sum), oracleClaims(body)
}

func oracleClaims(body []byte) error {
	var c struct {
		JTI, HTM, HTU string
		IAT           float64
		EXP           *float64
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return err
	}
	u, err := url.Parse(c.HTU)
	switch {
	case err != nil:
		return err
	case u.User != nil || u.Scheme != "https" || strings.ToLower(u.Hostname()) != "as.example" || u.Port() != "" && u.Port() != "443" || u.JoinPath().Path != "/token":
		return fmt.Errorf("htu")
	case c.JTI == "" || c.HTM != "POST":
		return fmt.Errorf("jti or htm")
	case float64(epoch.Unix())-c.IAT >= 61 || c.IAT-float64(epoch.Unix()) >= 11:
		return fmt.Errorf("iat")
	case c.EXP != nil && *c.EXP <= float64(epoch.Unix()):
		return fmt.Errorf("exp")
	}
	return nil
}

// TestProofsOfJWX: proofs that jwx makes are accepted, with the thumbprint that jwx computes.
func TestProofsOfJWX(t *testing.T) {
	t.Parallel()
	for _, alg := range wide().Algorithms {
		var key crypto.Signer = keys().rsa
		switch alg {
		case "ES256":
			key = keys().p256
		case "ES384":
			key = keys().p384
		case "ES512":
			key = keys().p521
		case "EdDSA":
			key = keys().ed
		}
		public, err := jwk.FromRaw(key.Public())
		require.NoError(t, err)
		h := jws.NewHeaders()
		require.NoError(t, h.Set("typ", "dpop+jwt"))
		require.NoError(t, h.Set("jwk", public))
		text, err := jws.Sign(encoded(payload(nil)), jws.WithKey(jwa.SignatureAlgorithm(alg), key, jws.WithProtectedHeaders(h)))
		require.NoError(t, err)
		got, err := wide().Check(atToken(string(text)), epoch)
		require.NoError(t, err, alg)
		want, err := oracle(string(text), wide().Algorithms)
		require.NoError(t, err, alg)
		require.Equal(t, want, got.Key, alg)
		requireBytesMatter(t, string(text))
	}
}

// requireBytesMatter changes each byte of a proof: no changed proof is accepted.
func requireBytesMatter(t *testing.T, text string) {
	t.Helper()
	for i := 0; i < len(text); i += 3 {
		for _, c := range []byte("A.=\n") {
			if text[i] == c {
				continue
			}
			_, err := wide().Check(atToken(text[:i]+string(c)+text[i+1:]), epoch)
			require.ErrorIs(t, err, dpop.ErrProof, i)
		}
	}
}

// FuzzProof: Check does not panic, and accepts a proof only if the oracle does. The header and the payload are any text, signed by a
// known key, so that accepted proofs are reached.
func FuzzProof(f *testing.F) {
	v := loadVectors(f)
	seed, err := base64.RawURLEncoding.DecodeString(v.Keys["ed25519"]["d"])
	require.NoError(f, err)
	signers := []crypto.Signer{v.key(f, "p256"), v.key(f, "other"), ed25519.NewKeyFromSeed(seed)}
	for _, one := range v.Vectors {
		parts := strings.Split(v.proof(one), ".")
		head, err := base64.RawURLEncoding.DecodeString(parts[0])
		require.NoError(f, err)
		body, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(f, err)
		signer := map[string]uint8{"p256": 0, "other": 1, "ed25519": 2}[one.H]
		f.Add(string(head), string(body), signer, uint16(0))
		f.Add(string(head), string(body), signer, uint16(77))
	}
	p := &dpop.Policy{AllowReplay: true, Algorithms: []string{"ES256", "EdDSA", "PS256"}}
	f.Fuzz(func(t *testing.T, head, body string, signer uint8, flip uint16) {
		text := raw(signers[int(signer)%len(signers)], head, body)
		if flip != 0 { // a bit of the text
			b := []byte(text)
			b[int(flip)%len(b)] ^= 1 << (flip % 7)
			text = string(b)
		}
		got, err := p.Check(atToken(text), epoch)
		if err != nil {
			var e *dpop.Error
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.Reason)
			require.Empty(t, got)
			return
		}
		if strings.Contains(head, "Ed25519\"") && !strings.Contains(head, "EdDSA") { // jwx has the other name only
			return
		}
		want, err := oracle(text, p.Algorithms)
		require.NoError(t, err, "%s %s", head, body)
		require.Equal(t, want, got.Key)
	})
}

// TestOracle: the oracle accepts and refuses the vectors, so that the comparison means something.
func TestOracle(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	lenient := []string{"nonce-missing", "nonce-wrong", "dup-member"} // no nonce is required, and encoding/json takes the last member
	for _, one := range v.Vectors {
		if one.EP != "as" {
			continue
		}
		key, err := oracle(v.proof(one), v.Policy.Algs)
		want := one.Expect == "ok"
		for _, id := range lenient {
			want = want || id == one.ID
		}
		require.Equal(t, want, err == nil, "%s: %v", one.ID, err)
		if one.Expect == "ok" {
			require.Equal(t, v.JKT[one.H], key, one.ID)
		}
	}
	_, err := oracle(proof(keys().rsa, nil), []string{"PS256"})
	require.NoError(t, err)
}
