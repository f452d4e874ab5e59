package dpop_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/storage/memory"
)

// wide is a policy with every algorithm.
func wide() *dpop.Policy {
	return &dpop.Policy{AllowReplay: true, Algorithms: []string{
		"PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA",
	}}
}

// TestZeroPolicy: a policy without a replay store refuses every proof, as a fault of the configuration.
func TestZeroPolicy(t *testing.T) {
	t.Parallel()
	good := atToken(proof(keys().p256, nil))
	checked, err := policy().Check(good, epoch)
	require.NoError(t, err)
	for name, p := range map[string]*dpop.Policy{"nil": nil, "zero": {}, "no store": {MaxAge: time.Second, Algorithms: []string{"ES256"}}} {
		require.Error(t, p.Validate(), name)
		_, err := p.Check(good, epoch)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, dpop.ErrProof, name)
		key, err := p.Verify(t.Context(), good, epoch)
		require.Error(t, err, name)
		require.Empty(t, key, name)
		require.Error(t, p.Consume(t.Context(), "", checked, epoch), name)
	}
	require.Nil(t, (*dpop.Policy)(nil).SupportedAlgorithms())
}

func TestValidate(t *testing.T) {
	t.Parallel()
	store := memory.New()
	for name, c := range map[string]struct {
		policy dpop.Policy
		fields []string
	}{
		"zero":                  {dpop.Policy{}, []string{"Replay"}},
		"store":                 {dpop.Policy{Replay: store}, nil},
		"replay":                {dpop.Policy{AllowReplay: true}, nil},
		"store and replay":      {dpop.Policy{Replay: store, AllowReplay: true}, []string{"AllowReplay"}},
		"algorithms":            {dpop.Policy{Replay: store, Algorithms: []string{"ES256", "EdDSA", "Ed25519", "RS512"}}, nil},
		"symmetric algorithm":   {dpop.Policy{Replay: store, Algorithms: []string{"ES256", "HS256", "none", ""}}, []string{"Algorithms[1]", "Algorithms[2]", "Algorithms[3]"}},
		"unknown algorithms":    {dpop.Policy{Replay: store, Algorithms: []string{"ES256K", "Ed448", "es256"}}, []string{"Algorithms[0]", "Algorithms[1]", "Algorithms[2]"}},
		"algorithm twice":       {dpop.Policy{Replay: store, Algorithms: []string{"ES256", "ES256"}}, []string{"Algorithms[1]"}},
		"limits":                {dpop.Policy{Replay: store, MaxAge: dpop.MaxMaxAge, MaxAhead: dpop.MaxMaxAhead}, nil},
		"beyond the limits":     {dpop.Policy{Replay: store, MaxAge: dpop.MaxMaxAge + 1, MaxAhead: dpop.MaxMaxAhead + 1}, []string{"MaxAge", "MaxAhead"}},
		"negative":              {dpop.Policy{Replay: store, MaxAge: -1, MaxAhead: -1}, []string{"MaxAge", "MaxAhead"}},
		"nonces of no server":   {dpop.Policy{Replay: store, Nonces: new(dpop.Nonces)}, []string{"Nonces"}},
		"all problems at once":  {dpop.Policy{Algorithms: []string{"x"}, MaxAge: -1, Nonces: new(dpop.Nonces)}, []string{"Replay", "Algorithms[0]", "MaxAge", "Nonces"}},
		"nonces of this server": {dpop.Policy{Replay: store, Nonces: nonces(t, server, portner.NewSecret())}, nil},
	} {
		require.Equal(t, c.fields, fields.Names(c.policy.Validate()), name)
	}
}

// TestUnmadeNonces: nonces that NewNonces did not make refuse every proof.
func TestUnmadeNonces(t *testing.T) {
	t.Parallel()
	for _, nonce := range []string{"", "29453760.", nonces(t, server, portner.NewSecret()).Current(epoch)} {
		requireRefused(t, withNonce(new(dpop.Nonces), nonce, epoch), dpop.ErrNonce, "dpop_nonce_invalid", nonce)
	}
}

func TestSupportedAlgorithms(t *testing.T) {
	t.Parallel()
	p := policy()
	got := p.SupportedAlgorithms()
	require.Equal(t, []string{"PS256", "ES256", "EdDSA"}, got)
	got[0] = "none"
	require.Equal(t, "PS256", p.SupportedAlgorithms()[0], "the list is a copy")
	p.Algorithms = []string{"ES256"}
	got = p.SupportedAlgorithms()
	got[0] = "none"
	require.Equal(t, []string{"ES256"}, p.Algorithms)
}

// TestNumberOfProofs: RFC 9449 §4.3, item 1.
func TestNumberOfProofs(t *testing.T) {
	t.Parallel()
	one, two := proof(keys().p256, nil), proof(keys().p256, nil)
	for name, c := range map[string]struct {
		proofs []string
		reason string
	}{
		"none": {nil, "dpop_missing"}, "two": {[]string{one, two}, "dpop_repeated"}, "one twice": {[]string{one, one}, "dpop_repeated"},
		"joined": {[]string{one + ", " + two}, "dpop_repeated"}, "joined with nothing": {[]string{one + ","}, "dpop_repeated"},
		"empty": {[]string{""}, "dpop_malformed"}, "one and an empty one": {[]string{one, ""}, "dpop_repeated"},
	} {
		_, err := policy().Check(atToken(c.proofs...), epoch)
		requireRefused(t, err, dpop.ErrProof, c.reason, name)
	}
}

// TestShape: RFC 9449 §4.3, item 2. A proof is a compact JWS of strict base64url and strict JSON.
func TestShape(t *testing.T) {
	t.Parallel()
	good := proof(keys().p256, nil)
	parts := strings.Split(good, ".")
	jwk := string(encoded(jwkOf(keys().p256.Public())))
	with := func(members string) string {
		return raw(keys().p256, `{"typ":"dpop+jwt","alg":"ES256","jwk":`+jwk+members+`}`, payload(nil))
	}
	withClaims := func(text string) string { return raw(keys().p256, header(keys().p256, nil), text) }
	_, err := policy().Check(atToken(with(`,"x":{"a":[1,{"b":null}]}`)), epoch)
	require.NoError(t, err, "the control")
	for name, text := range map[string]string{
		"two parts": parts[0] + "." + parts[1], "four parts": good + ".", "JSON": `{"payload":"` + parts[1] + `"}`, "five parts": good + ".a.b",
		"space": good + " ", "space before": " " + good, "line break": parts[0] + "\n." + parts[1] + "." + parts[2],
		"padding": parts[0] + "." + parts[1] + "." + parts[2] + "==", "base64": strings.Replace(good, ".", ".+", 1),
		"no signature": parts[0] + "." + parts[1] + ".", "no payload": parts[0] + ".." + parts[2], "no header": "." + parts[1] + "." + parts[2],
		"header is an array": raw(keys().p256, `[]`, payload(nil)), "payload is an array": withClaims(`[]`), "payload is a string": withClaims(`"x"`),
		"payload twice": withClaims(`{}{}`), "header name twice": with(`,"typ":"dpop+jwt"`), "header name in another case": with(`,"ALG":"none"`),
		"jwk twice": with(`,"jwk":` + jwk), "escaped name twice": with(`,"\u0061lg":"ES256"`),
		"claim twice":            withClaims(`{"jti":"a","htm":"POST","htu":"` + tokenURL + `","iat":1767225600,"jti":"b"}`),
		"claim in two cases":     withClaims(`{"jti":"a","htm":"POST","htu":"` + tokenURL + `","iat":1767225600,"HTU":"https://evil.example"}`),
		"name twice inside":      withClaims(`{"jti":"a","htm":"POST","htu":"` + tokenURL + `","iat":1767225600,"x":{"a":1,"a":2}}`),
		"too long by one":        ofLength(t, 8193),
		"far too long":           strings.Repeat("A", 1<<20),
		"deep":                   withClaims(`{"x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`),
		"not UTF-8":              withClaims("{\"jti\":\"\xff\"}"),
		"byte order mark":        raw(keys().p256, "\ufeff"+string(encoded(header(keys().p256, nil))), payload(nil)),
		"spare bits of a letter": strings.TrimRight(parts[0]+"."+parts[1]+"."+parts[2][:85], ".") + spare(parts[2][85]),
	} {
		_, err := policy().Check(atToken(text), epoch)
		requireRefused(t, err, dpop.ErrProof, "dpop_malformed", name)
	}
	_, err = policy().Check(atToken(ofLength(t, 8192)), epoch)
	require.NoError(t, err, "8192 bytes")
}

// ofLength returns a valid proof of n bytes. Three bytes are four letters, so some lengths need a longer header.
func ofLength(t *testing.T, n int) string {
	t.Helper()
	for extra := range 3 {
		head := header(keys().p256, object{"x": strings.Repeat("y", extra)})
		for pad := n / 2; pad < n; pad++ {
			segments := base64.RawURLEncoding.EncodedLen(len(encoded(head))) + base64.RawURLEncoding.EncodedLen(len(encoded(payload(object{"pad": strings.Repeat("x", pad)}))))
			if segments+len("..")+86 == n {
				return raw(keys().p256, head, payload(object{"pad": strings.Repeat("x", pad)}))
			}
		}
	}
	t.Fatalf("no proof of %d bytes", n)
	return ""
}

// spare returns the last letter of a signature of 64 bytes with one of its four unused bits set.
func spare(c byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(letters[strings.IndexByte(letters, c)|1])
}

// TestCriticalHeaders: crit and b64 change what is signed (RFC 7515 §4.1.11, RFC 7797), with every value.
func TestCriticalHeaders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"crit", "b64"} {
		for _, value := range []any{[]string{"b64"}, []string{}, []string{"exp"}, true, false, "x", object{}} {
			_, err := policy().Check(atToken(raw(keys().p256, header(keys().p256, object{name: value}), payload(nil))), epoch)
			requireRefused(t, err, dpop.ErrProof, "dpop_crit", fmt.Sprint(name, value))
		}
	}
}

// TestTyp: RFC 9449 §4.3, item 4. The value is compared after JSON is decoded: some libraries write the plus as an escape.
func TestTyp(t *testing.T) {
	t.Parallel()
	jwk := string(encoded(jwkOf(keys().p256.Public())))
	with := func(typ string) error {
		_, err := policy().Check(atToken(raw(keys().p256, `{"typ":`+typ+`,"alg":"ES256","jwk":`+jwk+`}`, payload(nil))), epoch)
		return err
	}
	for _, typ := range []string{`"dpop+jwt"`, `"dpop\u002Bjwt"`, `"dpop\u002bjwt"`, `"\u0064pop+jwt"`} {
		require.NoError(t, with(typ), typ)
	}
	for _, typ := range []string{
		`"JWT"`, `""`, `"dpop jwt"`, `"DPOP+JWT"`, `"application/dpop+jwt"`, `"dpop+jwt "`, `"dpop%2Bjwt"`, `"at+jwt"`, `"dpop"`, `null`, `1`, `["dpop+jwt"]`, `{}`,
		`"dpop\\u002Bjwt"`, `"dpop\u0000+jwt"`,
	} {
		requireRefused(t, with(typ), dpop.ErrProof, "dpop_typ", typ)
	}
	_, err := policy().Check(atToken(raw(keys().p256, header(keys().p256, object{"typ": nil}), payload(nil))), epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_typ", "absent")
}

// TestAlgorithms: RFC 9449 §4.3, items 5 and 6.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{keys().p256, keys().p384, keys().p521, keys().ed, keys().rsa} {
		text := proof(key, nil)
		got, err := wide().Check(atToken(text), epoch)
		require.NoError(t, err, algOf(key))
		require.Equal(t, thumbprintOf(jwkOf(key.Public())), got.Key, algOf(key))
		_, err = policy().Check(atToken(text), epoch)
		if key == keys().p384 || key == keys().p521 {
			requireRefused(t, err, dpop.ErrProof, "dpop_alg_mismatch", "not one of the default")
		} else {
			require.NoError(t, err, algOf(key))
		}
		// every other alg with this key
		for _, alg := range append(wide().Algorithms, "none", "HS256", "", "ES256K", "es256", "Ed448", "Ed25519") {
			if alg == algOf(key) || alg == "Ed25519" && algOf(key) == "EdDSA" {
				continue
			}
			text := raw(key, header(key, object{"alg": alg}), payload(nil))
			_, err := wide().Check(atToken(text), epoch)
			reason := "dpop_alg_mismatch"
			if key == keys().rsa && (strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")) {
				reason = "dpop_signature_mismatch" // it fits the key
			}
			requireRefused(t, err, dpop.ErrProof, reason, algOf(key)+" as "+alg)
		}
	}
	for _, alg := range []any{nil, 1, []string{"ES256"}, object{}} {
		_, err := policy().Check(atToken(raw(keys().p256, header(keys().p256, object{"alg": alg}), payload(nil))), epoch)
		requireRefused(t, err, dpop.ErrProof, "dpop_alg_mismatch", fmt.Sprint(alg))
	}
}

// TestEd25519: EdDSA and Ed25519 are one algorithm (RFC 9864 §2.2), whichever the policy lists.
func TestEd25519(t *testing.T) {
	t.Parallel()
	for _, listed := range []string{"EdDSA", "Ed25519"} {
		for _, alg := range []string{"EdDSA", "Ed25519"} {
			p := &dpop.Policy{AllowReplay: true, Algorithms: []string{listed}}
			require.NoError(t, p.Validate())
			_, err := p.Check(atToken(raw(keys().ed, header(keys().ed, object{"alg": alg}), payload(nil))), epoch)
			require.NoError(t, err, "%s, listed %s", alg, listed)
		}
	}
	_, err := (&dpop.Policy{AllowReplay: true, Algorithms: []string{"ES256"}}).Check(
		atToken(raw(keys().ed, header(keys().ed, object{"alg": "Ed25519"}), payload(nil))), epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_alg_mismatch", "neither is listed")
}

// TestSymmetricAlgorithms: a MAC under the public key, or under a key of the header, proves nothing (RFC 8725 §2.1).
func TestSymmetricAlgorithms(t *testing.T) {
	t.Parallel()
	point, err := keys().p256.PublicKey.Bytes()
	require.NoError(t, err)
	p := policy()
	p.Algorithms = []string{"ES256", "HS256", "none"} // Validate rejects it
	for name, jwk := range map[string]object{"public key": jwkOf(keys().p256.Public()), "oct": {"kty": "oct", "k": b64(point)}} {
		input := b64(encoded(header(keys().p256, object{"alg": "HS256", "jwk": jwk}))) + "." + b64(encoded(payload(nil)))
		mac := hmac.New(sha256.New, point)
		mac.Write([]byte(input))
		_, err := p.Check(atToken(input+"."+b64(mac.Sum(nil))), epoch)
		var e *dpop.Error
		require.ErrorAs(t, err, &e, name)
		require.Contains(t, []string{"dpop_alg_mismatch", "dpop_jwk"}, e.Reason, name)
	}
	none := b64(encoded(header(keys().p256, object{"alg": "none"}))) + "." + b64(encoded(payload(nil)))
	for _, signature := range []string{"", "AA", b64(sign(keys().p256, none))} {
		_, err := p.Check(atToken(none+"."+signature), epoch)
		require.ErrorIs(t, err, dpop.ErrProof)
	}
}

// TestPrivateKeys: RFC 9449 §4.3, item 7.
func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{keys().p256, keys().ed, keys().rsa} {
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			for _, value := range []any{"AQAB", "", 1, []any{}, object{}} {
				jwk := changed(jwkOf(key.Public()), object{member: value})
				_, err := policy().Check(atToken(raw(key, header(key, object{"jwk": jwk}), payload(nil))), epoch)
				requireRefused(t, err, dpop.ErrProof, "dpop_jwk", fmt.Sprint(algOf(key), member, value))
			}
		}
	}
}

// TestOtherKeys: keys that are no single public key of a supported curve.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	ec, ed := jwkOf(keys().p256.Public()), jwkOf(keys().ed.Public())
	copyOf := func(o, changes object) object { return changed(changed(object{}, o), changes) }
	x, err := base64.RawURLEncoding.DecodeString(ec["x"].(string))
	require.NoError(t, err)
	for name, jwk := range map[string]any{
		"absent": nil, "string": "x", "array": []any{ec}, "null": object(nil), "set": object{"keys": []any{ec}}, "empty": object{},
		"no kty": copyOf(ec, object{"kty": nil}), "kty in lower case": copyOf(ec, object{"kty": "ec"}), "oct": object{"kty": "oct"},
		"secp256k1": copyOf(ec, object{"crv": "secp256k1"}), "no crv": copyOf(ec, object{"crv": nil}), "P-192": copyOf(ec, object{"crv": "P-192"}),
		"no y": copyOf(ec, object{"y": nil}), "no x": copyOf(ec, object{"x": nil}), "x is a number": copyOf(ec, object{"x": 1}),
		"y of another point": copyOf(ec, object{"y": jwkOf(keys().other.Public())["y"]}), "x and y": copyOf(ec, object{"x": ec["y"], "y": ec["x"]}),
		"at infinity": copyOf(ec, object{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}),
		"short x":     copyOf(ec, object{"x": b64(x[:31])}), "long x": copyOf(ec, object{"x": b64(append([]byte{0}, x...))}),
		"padded x": copyOf(ec, object{"x": ec["x"].(string) + "="}), "x of the field": copyOf(ec, object{"x": b64(keys().p256.Params().P.Bytes())}),
		"X25519": copyOf(ed, object{"crv": "X25519"}), "Ed448": copyOf(ed, object{"crv": "Ed448"}), "Ed448 with its length": copyOf(ed, object{"crv": "Ed448", "x": b64(make([]byte, 57))}),
		"short Ed25519": copyOf(ed, object{"x": b64(make([]byte, 31))}), "long Ed25519": copyOf(ed, object{"x": b64(make([]byte, 33))}),
		"no x of Ed25519": copyOf(ed, object{"x": nil}), "OKP with a curve of EC": copyOf(ed, object{"crv": "P-256"}), "EC with a curve of OKP": copyOf(ec, object{"crv": "Ed25519"}),
	} {
		for _, key := range []crypto.Signer{keys().p256, keys().ed} {
			_, err := wide().Check(atToken(raw(key, header(key, object{"jwk": jwk}), payload(nil))), epoch)
			requireRefused(t, err, dpop.ErrProof, "dpop_jwk", name)
		}
	}
	jwk := copyOf(jwkOf(keys().p521.Public()), nil)
	_, err = policy().Check(atToken(raw(keys().p256, header(keys().p256, object{"jwk": jwk}), payload(nil))), epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_alg_mismatch", "P-521 with ES256")
}

// TestRSAKeys: an RSA key has 2048 to 4096 bits and an exponent of at most 31 bits, whatever its signature would be.
func TestRSAKeys(t *testing.T) {
	t.Parallel()
	modulus := func(bits int) string {
		n := new(big.Int).SetBit(new(big.Int), bits-1, 1)
		return b64(n.SetBit(n, 0, 1).Bytes())
	}
	good := jwkOf(keys().rsa.Public())
	for name, c := range map[string]struct {
		n, e   any
		reason string
	}{
		"2047 bits": {modulus(2047), "AQAB", "dpop_jwk"}, "2048 bits": {modulus(2048), "AQAB", "dpop_signature_mismatch"},
		"4096 bits": {modulus(4096), "AQAB", "dpop_signature_mismatch"}, "4097 bits": {modulus(4097), "AQAB", "dpop_jwk"},
		"8192 bits": {modulus(8192), "AQAB", "dpop_jwk"}, "30000 bits": {modulus(30000), "AQAB", "dpop_jwk"}, "1024 bits": {modulus(1024), "AQAB", "dpop_jwk"},
		"no modulus": {nil, "AQAB", "dpop_jwk"}, "empty modulus": {"", "AQAB", "dpop_jwk"}, "even modulus": {b64(new(big.Int).Lsh(big.NewInt(1), 2047).Bytes()), "AQAB", "dpop_jwk"},
		"zero octet": {b64(append([]byte{0}, keys().rsa.N.Bytes()...)), "AQAB", "dpop_jwk"},
		"exponent 1": {good["n"], "AQ", "dpop_jwk"}, "exponent 2": {good["n"], "Ag", "dpop_jwk"}, "exponent 0": {good["n"], "AA", "dpop_jwk"},
		"no exponent": {good["n"], nil, "dpop_jwk"}, "exponent of 32 bits": {good["n"], "_____w", "dpop_jwk"}, "exponent of 31 bits": {good["n"], "f____w", "dpop_signature_mismatch"},
		"exponent as long as the modulus": {good["n"], good["n"], "dpop_jwk"}, "exponent with a zero octet": {good["n"], "AAEAAQ", "dpop_jwk"},
		"another exponent": {good["n"], "Aw", "dpop_signature_mismatch"},
	} {
		jwk := changed(object{"kty": "RSA"}, object{"n": c.n, "e": c.e})
		_, err := policy().Check(atToken(raw(keys().rsa, header(keys().rsa, object{"jwk": jwk}), payload(nil))), epoch)
		requireRefused(t, err, dpop.ErrProof, c.reason, name)
	}
}

// TestOtherMembersOfTheKey: members beside those of the key are ignored, also those that lead to other keys. They are not fetched, and not
// in the thumbprint.
func TestOtherMembersOfTheKey(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{keys().p256, keys().ed, keys().rsa} {
		jwk := changed(jwkOf(key.Public()), object{
			"alg": "RS512", "use": "enc", "kid": "urn:x/../y", "key_ops": []string{"sign"}, "ext": true, "x5u": "https://evil.example/x", "x5c": []string{"AAAA"},
			"jku": "https://evil.example/jwks", "x5t": "AA", "x5t#S256": "AA", "iat": 1, "D": "AA",
		})
		more := object{"jwk": jwk, "kid": "../../x", "x5u": "https://evil.example/x", "jku": "https://evil.example/jwks", "x5c": []string{"AAAA"}, "zip": "DEF"}
		got, err := policy().Check(atToken(raw(key, header(key, more), payload(nil))), epoch)
		require.NoError(t, err, algOf(key))
		require.Equal(t, thumbprintOf(jwkOf(key.Public())), got.Key, algOf(key))
	}
}

// TestThumbprint compares with the key of the examples of RFC 9449.
func TestThumbprint(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", thumbprintOf(object{
		"kty": "EC", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", "crv": "P-256",
	}), "the function of these tests")
}

// TestSignatures: RFC 9449 §4.3, item 6.
func TestSignatures(t *testing.T) {
	t.Parallel()
	refused := func(text, name string) {
		t.Helper()
		_, err := policy().Check(atToken(text), epoch)
		requireRefused(t, err, dpop.ErrProof, "dpop_signature_mismatch", name)
	}
	for _, key := range []crypto.Signer{keys().p256, keys().ed, keys().rsa} {
		good := proof(key, nil)
		i := strings.LastIndexByte(good, '.')
		sig, err := base64.RawURLEncoding.DecodeString(good[i+1:])
		require.NoError(t, err)
		for bit := range 8 * len(sig) {
			if bit%13 != 0 {
				continue
			}
			changedSig := append([]byte(nil), sig...)
			changedSig[bit/8] ^= 1 << (bit % 8)
			refused(good[:i+1]+b64(changedSig), fmt.Sprint(algOf(key), bit))
		}
		refused(good[:i+1]+b64(sig[:len(sig)-1]), "short")
		refused(good[:i+1]+b64(append(sig, 0)), "long")
		refused(good[:i+1]+b64(make([]byte, len(sig))), "zero")
		other := strings.Split(proof(key, object{"htm": "GET"}), ".")
		refused(other[0]+"."+other[1]+good[i:], "signature of another payload")
	}
	r, s := new(big.Int), new(big.Int)
	good := proof(keys().p256, nil)
	i := strings.LastIndexByte(good, '.')
	sig, err := base64.RawURLEncoding.DecodeString(good[i+1:])
	require.NoError(t, err)
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r.SetBytes(sig[:32]), s.SetBytes(sig[32:])})
	require.NoError(t, err)
	refused(good[:i+1]+b64(der), "ASN.1")
	refused(raw(keys().other, header(keys().p256, nil), payload(nil)), "signed by another key")
}

// TestClaims: RFC 9449 §4.3, item 3.
func TestClaims(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes object
		reason  string
	}{
		"no jti": {object{"jti": nil}, "dpop_jti_malformed"}, "empty jti": {object{"jti": ""}, "dpop_jti_malformed"}, "jti is a number": {object{"jti": 1}, "dpop_jti_malformed"},
		"long jti": {object{"jti": strings.Repeat("x", 257)}, "dpop_jti_malformed"}, "jti is an array": {object{"jti": []string{"x"}}, "dpop_jti_malformed"},
		"no htm": {object{"htm": nil}, "dpop_htm_mismatch"}, "htm is an array": {object{"htm": []string{"POST"}}, "dpop_htm_mismatch"}, "empty htm": {object{"htm": ""}, "dpop_htm_mismatch"},
		"another method": {object{"htm": "PUT"}, "dpop_htm_mismatch"}, "htm in lower case": {object{"htm": "post"}, "dpop_htm_mismatch"}, "htm with space": {object{"htm": "POST "}, "dpop_htm_mismatch"},
		"no htu": {object{"htu": nil}, "dpop_htu_mismatch"}, "htu is an array": {object{"htu": []string{tokenURL}}, "dpop_htu_mismatch"}, "empty htu": {object{"htu": ""}, "dpop_htu_mismatch"},
		"no iat": {object{"iat": nil}, "dpop_times_malformed"}, "iat is a string": {object{"iat": "1767225600"}, "dpop_times_malformed"}, "iat is negative": {object{"iat": -1}, "dpop_times_malformed"},
		"iat beyond the range": {object{"iat": 1e30}, "dpop_times_malformed"}, "iat is true": {object{"iat": true}, "dpop_times_malformed"},
		"exp is a string": {object{"exp": "1767225700"}, "dpop_times_malformed"}, "exp is null": {object{"exp": object(nil)}, "dpop_times_malformed"}, "exp beyond the range": {object{"exp": 1e11}, "dpop_times_malformed"},
	} {
		_, err := policy().Check(atToken(proof(keys().p256, c.changes)), epoch)
		requireRefused(t, err, dpop.ErrProof, c.reason, name)
	}
	_, err := policy().Check(atToken(proof(keys().p256, object{
		"jti": strings.Repeat("x", 256), "nbf": epoch.Unix() + 1000, "iss": 1, "aud": []string{"x"}, "sub": nil, "cnf": object{}, "nonce": 1, "ath": 1,
	})), epoch)
	require.NoError(t, err, "other members are ignored")
}

// TestRequestWithoutMethod: a caller that forgets the method or the URL has no proof accepted.
func TestRequestWithoutMethod(t *testing.T) {
	t.Parallel()
	for _, r := range []dpop.Request{
		{Proofs: []string{proof(keys().p256, object{"htm": ""})}, URL: tokenURL}, {Proofs: []string{proof(keys().p256, object{"htm": nil})}, URL: tokenURL},
	} {
		_, err := policy().Check(r, epoch)
		requireRefused(t, err, dpop.ErrProof, "dpop_htm_mismatch", "no method")
	}
	for _, htu := range []string{"", tokenURL, "/", "https://"} {
		_, err := policy().Check(dpop.Request{Proofs: []string{proof(keys().p256, object{"htu": htu})}, Method: "POST"}, epoch)
		requireRefused(t, err, dpop.ErrProof, "dpop_htu_mismatch", "no URL")
	}
}

// TestTimes: the window of iat to the nanosecond, and exp.
func TestTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		maxAge, maxAhead time.Duration
		age, ahead       time.Duration
	}{
		{0, 0, time.Minute, 10 * time.Second},
		{time.Second, 0, time.Second, 10 * time.Second},
		{5 * time.Minute, time.Minute, 5 * time.Minute, time.Minute},
		{1500 * time.Millisecond, 1, 1500 * time.Millisecond, 1},
	} {
		p := &dpop.Policy{AllowReplay: true, MaxAge: c.maxAge, MaxAhead: c.maxAhead}
		require.NoError(t, p.Validate())
		for at, reason := range map[time.Duration]string{
			c.age: "", c.age - 1: "", c.age + 1: "dpop_iat_too_old", c.age + time.Hour: "dpop_iat_too_old", 0: "",
			-c.ahead: "", -c.ahead + 1: "", -c.ahead - 1: "dpop_iat_in_future", -c.ahead - time.Hour: "dpop_iat_in_future",
		} {
			_, err := p.Check(atToken(proof(keys().p256, nil)), epoch.Add(at))
			if reason == "" {
				require.NoError(t, err, at)
			} else {
				requireRefused(t, err, dpop.ErrProof, reason, at.String())
			}
		}
	}
	for iat, reason := range map[string]string{
		"1767225600.999": "", "1.7672256e9": "", "1767225539.999": "dpop_iat_too_old", "0": "dpop_iat_too_old", "8589934592": "dpop_iat_in_future",
		"1767225540.5": "", "1767225610.999999": "", "1767225611.0": "dpop_iat_in_future",
	} {
		text := raw(keys().p256, header(keys().p256, nil), `{"jti":"a","htm":"POST","htu":"`+tokenURL+`","iat":`+iat+`}`)
		_, err := policy().Check(atToken(text), epoch)
		if reason == "" {
			require.NoError(t, err, iat)
		} else {
			requireRefused(t, err, dpop.ErrProof, reason, iat)
		}
	}
	for at, valid := range map[time.Duration]bool{0: true, 5*time.Second - 1: true, 5 * time.Second: false, 5*time.Second + 1: false} {
		_, err := policy().Check(atToken(proof(keys().p256, object{"exp": epoch.Unix() + 5})), epoch.Add(at))
		if valid {
			require.NoError(t, err, at)
		} else {
			requireRefused(t, err, dpop.ErrProof, "dpop_expired", at.String())
		}
	}
}

// TestBinding: RFC 9449 §4.3, item 12, and RFC 9449 §7.1.
func TestBinding(t *testing.T) {
	t.Parallel()
	const token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	const ath = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" // RFC 9449 §7.1
	own := thumbprintOf(jwkOf(keys().p256.Public()))
	foreign := thumbprintOf(jwkOf(keys().other.Public()))
	type binding struct {
		ath        any
		token, key string
		kind       error
		reason     string
	}
	for name, c := range map[string]binding{
		"token and key":                  {ath, token, own, nil, ""},
		"no token":                       {nil, "", "", nil, ""},
		"no token, but a key":            {nil, "", own, nil, ""},
		"ath without a token":            {ath, "", "", nil, ""},
		"no ath":                         {nil, token, own, dpop.ErrProof, "dpop_ath_mismatch"},
		"empty ath":                      {"", token, own, dpop.ErrProof, "dpop_ath_mismatch"},
		"ath with padding":               {ath + "=", token, own, dpop.ErrProof, "dpop_ath_mismatch"},
		"ath is a list":                  {[]string{ath}, token, own, dpop.ErrProof, "dpop_ath_mismatch"},
		"ath is the token":               {token, token, own, dpop.ErrProof, "dpop_ath_mismatch"},
		"ath of another token":           {ath, token + "x", own, dpop.ErrProof, "dpop_ath_mismatch"},
		"ath in another case":            {strings.ToUpper(ath), token, own, dpop.ErrProof, "dpop_ath_mismatch"},
		"another key":                    {ath, token, foreign, dpop.ErrKey, "dpop_key_mismatch"},
		"another key without a token":    {nil, "", foreign, dpop.ErrKey, "dpop_key_mismatch"},
		"a token that is not bound":      {ath, token, "", dpop.ErrKey, "dpop_key_mismatch"},
		"a key that is no thumbprint":    {ath, token, own + "=", dpop.ErrKey, "dpop_key_mismatch"},
		"the ath before the key":         {nil, token, foreign, dpop.ErrProof, "dpop_ath_mismatch"},
		"thumbprint in another case":     {ath, token, strings.ToUpper(own), dpop.ErrKey, "dpop_key_mismatch"},
		"the first part of a thumbprint": {ath, token, own[:42], dpop.ErrKey, "dpop_key_mismatch"},
	} {
		r := dpop.Request{Proofs: []string{proof(keys().p256, object{"htm": "GET", "htu": apiURL, "ath": c.ath})}, Method: "GET", URL: apiURL, AccessToken: c.token, Key: c.key}
		got, err := policy().Check(r, epoch)
		if c.kind == nil {
			require.NoError(t, err, name)
			require.Equal(t, own, got.Key, name)
			continue
		}
		requireRefused(t, err, c.kind, c.reason, name)
		require.Empty(t, got, name)
	}
}

// TestOrder: of two faults, the rule that comes first is reported.
func TestOrder(t *testing.T) {
	t.Parallel()
	p := policy()
	p.Nonces = nonces(t, server, portner.NewSecret())
	nonce := p.Nonces.Current(epoch)
	r := atToken()
	r.AccessToken, r.Key = "t", "other"
	order := []struct {
		fix    func(header, claims object)
		reason string
	}{
		{func(h, _ object) {}, "dpop_crit"},
		{func(h, _ object) { delete(h, "crit") }, "dpop_typ"},
		{func(h, _ object) { h["typ"] = "dpop+jwt" }, "dpop_alg_mismatch"},
		{func(h, _ object) { h["alg"] = "ES256" }, "dpop_jwk"},
		{func(h, _ object) { h["jwk"] = jwkOf(keys().other.Public()) }, "dpop_signature_mismatch"},
		{func(h, _ object) { h["jwk"] = jwkOf(keys().p256.Public()) }, "dpop_jti_malformed"},
		{func(_, c object) { c["jti"] = "x" }, "dpop_times_malformed"},
		{func(_, c object) { c["iat"] = 1 }, "dpop_htm_mismatch"},
		{func(_, c object) { c["htm"] = "POST" }, "dpop_htu_mismatch"},
		{func(_, c object) { c["htu"] = tokenURL }, "dpop_nonce_missing"},
		{func(_, c object) { c["nonce"] = "x" }, "dpop_nonce_invalid"},
		{func(_, c object) { c["nonce"] = nonce }, "dpop_expired"},
		{func(_, c object) { delete(c, "exp") }, "dpop_ath_mismatch"},
		{func(_, c object) { c["ath"] = ath("t") }, "dpop_key_mismatch"},
	}
	h := object{"crit": []string{"x"}, "typ": "JWT", "alg": "HS256", "jwk": object{"kty": "oct", "k": "AA"}}
	c := object{"htm": "GET", "htu": "https://evil.example/", "exp": 1}
	for _, step := range order {
		step.fix(h, c)
		r.Proofs = []string{raw(keys().p256, h, c)}
		_, err := p.Verify(t.Context(), r, epoch)
		var e *dpop.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, step.reason, e.Reason)
	}
	r.Key = thumbprintOf(jwkOf(keys().p256.Public()))
	_, err := p.Verify(t.Context(), r, epoch)
	require.NoError(t, err)
	_, err = p.Verify(t.Context(), r, epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_replay", "replay is last")
}

func ath(token string) string {
	sum := sha256.Sum256([]byte(token))
	return b64(sum[:])
}

// TestErrorsDoNotQuote: neither texts nor causes hold parts of the proof, the token or the key.
func TestErrorsDoNotQuote(t *testing.T) {
	t.Parallel()
	const secret = "hemmelig-verdi"
	for name, text := range map[string]string{
		"text": secret, "typ": raw(keys().p256, header(keys().p256, object{"typ": secret}), payload(nil)), "alg": raw(keys().p256, header(keys().p256, object{"alg": secret}), payload(nil)),
		"kty": raw(keys().p256, header(keys().p256, object{"jwk": object{"kty": secret}}), payload(nil)), "crv": raw(keys().p256, header(keys().p256, object{"jwk": object{"kty": "EC", "crv": secret}}), payload(nil)),
		"d": raw(keys().p256, header(keys().p256, object{"jwk": object{"kty": "EC", "d": secret}}), payload(nil)), "htm": proof(keys().p256, object{"htm": secret}), "htu": proof(keys().p256, object{"htu": "https://" + secret}),
		"iat": proof(keys().p256, object{"iat": secret}), "ath": proof(keys().p256, object{"ath": secret}), "name": proof(keys().p256, object{"jti": nil, secret: 1}),
	} {
		r := atToken(text)
		r.AccessToken, r.Key = secret, secret
		_, err := policy().Check(r, epoch)
		require.ErrorIs(t, err, dpop.ErrProof, name)
		for e := err; e != nil; {
			require.NotContains(t, e.Error(), secret, name)
			u, ok := e.(interface{ Unwrap() error })
			if !ok {
				break
			}
			e = u.Unwrap()
		}
	}
}

// TestRefusalsAreCopies: a caller that changes a refusal does not change those of other requests.
func TestRefusalsAreCopies(t *testing.T) {
	t.Parallel()
	var first, second *dpop.Error
	_, err := policy().Check(atToken(), epoch)
	require.ErrorAs(t, err, &first)
	first.Reason, first.Description = "", ""
	_, err = policy().Check(atToken(), epoch)
	require.ErrorAs(t, err, &second)
	require.Equal(t, "dpop_missing", second.Reason)
	require.NotEmpty(t, second.Error())
}

// TestRSAPadding: PS256 is not PKCS #1 v1.5 (RFC 7518 §3.5).
func TestRSAPadding(t *testing.T) {
	t.Parallel()
	input := b64(encoded(header(keys().rsa, nil))) + "." + b64(encoded(payload(nil)))
	sum := sha256.Sum256([]byte(input))
	pkcs, err := rsa.SignPKCS1v15(rand.Reader, keys().rsa, crypto.SHA256, sum[:])
	require.NoError(t, err)
	_, err = policy().Check(atToken(input+"."+b64(pkcs)), epoch)
	requireRefused(t, err, dpop.ErrProof, "dpop_signature_mismatch", "PKCS #1 v1.5 as PS256")
}
