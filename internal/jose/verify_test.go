package jose_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/slow"
)

func TestVerifyAcceptsTokensOfJWX(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		h := jws.NewHeaders()
		require.NoError(t, h.Set("kid", "k"))
		token, err := jws.Sign([]byte(`{"a":1}`), jws.WithKey(jwa.SignatureAlgorithm(alg), keyFor(alg), jws.WithProtectedHeaders(h)))
		require.NoError(t, err)
		got, err := jose.VerifyAny(string(token), jose.MaxToken, []string{alg}, []jose.PublicKey{public(alg)})
		require.NoError(t, err, alg)
		require.Equal(t, `{"a":1}`, string(got.Payload))
		require.Equal(t, "k", got.Header.KID)
	}
}

// TestVerifyMatrixOfAlgAndKey: every alg with every type of key (docs/threat-model.md E4).
func TestVerifyMatrixOfAlgAndKey(t *testing.T) {
	t.Parallel()
	family := map[string]string{"RS": "rsa", "PS": "rsa", "Ed": "ed"}
	for _, alg := range allAlgs {
		for _, keyAlg := range allAlgs {
			token := signed(t, alg, `{"alg":"`+alg+`","kid":"k"}`, `{}`)
			k := public(keyAlg)
			_, err := jose.VerifyAny(token, jose.MaxToken, allAlgs, []jose.PublicKey{k})
			if alg == keyAlg {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, jose.ErrAlgorithm, "%s with a key for %s", alg, keyAlg)
			k.Alg = ""
			_, err = jose.VerifyAny(token, jose.MaxToken, allAlgs, []jose.PublicKey{k})
			if f := family[alg[:2]]; f != "" && f == family[keyAlg[:2]] {
				require.NoError(t, err, "a key without alg takes every alg of its type")
			} else {
				require.ErrorIs(t, err, jose.ErrAlgorithm, "%s with the key of %s", alg, keyAlg)
			}
			_, err = jose.VerifyAny(token, jose.MaxToken, []string{keyAlg}, []jose.PublicKey{k})
			require.ErrorIs(t, err, jose.ErrAlgorithm, "alg that is not accepted")
		}
	}
}

func TestVerifyRejectsNone(t *testing.T) {
	t.Parallel()
	pub, err := x509.MarshalPKIXPublicKey(keys().rsa.Public())
	require.NoError(t, err)
	for _, alg := range []string{"none", "None", "NONE", "", "HS256", "hs256", "rs256", "RS256 ", "Rs256", "ES256K", "RSA-OAEP", "dir"} {
		input := b64(`{"alg":"`+alg+`","kid":"k"}`) + "." + b64(`{}`)
		mac := hmac.New(sha256.New, pub)
		mac.Write([]byte(input))
		token := input + "." + b64(string(mac.Sum(nil)))
		// The alg is rejected even if the caller accepts it.
		_, err := jose.VerifyAny(token, jose.MaxToken, []string{alg, "RS256"}, []jose.PublicKey{{KID: "k", Key: keys().rsa.Public()}})
		require.ErrorIs(t, err, jose.ErrAlgorithm, alg)
	}
	for _, header := range []string{`{}`, `{"alg":null}`, `{"alg":256}`, `{"alg":["RS256"]}`} {
		_, err := jose.VerifyAny(b64(header)+".e30.AAAA", jose.MaxToken, []string{"RS256"}, []jose.PublicKey{public("RS256")})
		require.ErrorIs(t, err, jose.ErrMalformed, header)
	}
}

func TestVerifyRejectsWeakAndHugeRSA(t *testing.T) {
	t.Parallel()
	token := signed(t, "RS256", `{"alg":"RS256"}`, `{}`)
	huge := *keys().rsa.Public().(*rsa.PublicKey)
	n := *huge.N
	huge.N = n.Lsh(&n, 8192)
	for _, key := range []crypto.PublicKey{keys().weakRSAPublic, &huge} {
		_, err := jose.VerifyAny(token, jose.MaxToken, []string{"RS256"}, []jose.PublicKey{{Key: key}})
		require.ErrorIs(t, err, jose.ErrKey)
	}
}

// TestVerifyHeaders: parameters of the header (docs/threat-model.md E5).
func TestVerifyHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"plain":                 {`{"alg":"ES256","kid":"k"}`, nil},
		"unknown parameter":     {`{"alg":"ES256","kid":"k","x":{"y":[1]}}`, nil},
		"crit unknown":          {`{"alg":"ES256","kid":"k","crit":["x"],"x":1}`, jose.ErrHeader},
		"crit empty":            {`{"alg":"ES256","kid":"k","crit":[]}`, jose.ErrHeader},
		"crit null":             {`{"alg":"ES256","kid":"k","crit":null}`, jose.ErrHeader},
		"crit b64":              {`{"alg":"ES256","kid":"k","crit":["b64"],"b64":false}`, jose.ErrHeader},
		"b64 false":             {`{"alg":"ES256","kid":"k","b64":false}`, jose.ErrHeader},
		"b64 true":              {`{"alg":"ES256","kid":"k","b64":true}`, jose.ErrHeader},
		"alg twice":             {`{"alg":"ES256","kid":"k","alg":"ES256"}`, jose.ErrMalformed},
		"alg in another case":   {`{"alg":"ES256","kid":"k","ALG":"none"}`, jose.ErrMalformed},
		"kid path":              {`{"alg":"ES256","kid":"../k"}`, jose.ErrMalformed},
		"kid SQL":               {`{"alg":"ES256","kid":"k' or '1'='1"}`, jose.ErrMalformed},
		"kid NUL":               {`{"alg":"ES256","kid":"k\u0000"}`, jose.ErrMalformed},
		"kid empty":             {`{"alg":"ES256","kid":""}`, jose.ErrMalformed},
		"kid number":            {`{"alg":"ES256","kid":1}`, jose.ErrMalformed},
		"kid null":              {`{"alg":"ES256","kid":null}`, jose.ErrMalformed},
		"kid 129":               {`{"alg":"ES256","kid":"` + strings.Repeat("k", 129) + `"}`, jose.ErrMalformed},
		"kid unknown":           {`{"alg":"ES256","kid":"K"}`, jose.ErrNoKey},
		"kid escaped":           {`{"alg":"ES256","k\u0069d":"k"}`, nil},
		"no kid, two keys":      {`{"alg":"ES256"}`, jose.ErrNoKey},
		"typ number":            {`{"alg":"ES256","kid":"k","typ":1}`, jose.ErrMalformed},
		"x5c string":            {`{"alg":"ES256","kid":"k","x5c":"AAAA"}`, jose.ErrMalformed},
		"x5c empty":             {`{"alg":"ES256","kid":"k","x5c":[]}`, jose.ErrMalformed},
		"x5c base64url":         {`{"alg":"ES256","kid":"k","x5c":["__-_"]}`, jose.ErrMalformed},
		"x5c line break":        {`{"alg":"ES256","kid":"k","x5c":["AA\nAA"]}`, jose.ErrMalformed},
		"not an object":         {`["ES256"]`, jose.ErrMalformed},
		"two objects":           {`{"alg":"ES256","kid":"k"}{}`, jose.ErrMalformed},
		"byte order mark":       {"\ufeff" + `{"alg":"ES256","kid":"k"}`, jose.ErrMalformed},
		"signed by another key": {`{"alg":"ES256","kid":"other"}`, jose.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := []jose.PublicKey{public("ES256"), {KID: "other", Key: keys().other.Public()}}
			got, err := jose.VerifyAny(signed(t, "ES256", c.header, `{"a":1}`), jose.MaxToken, []string{"ES256"}, set)
			require.ErrorIs(t, err, c.want)
			if c.want != nil {
				require.Nil(t, got.Payload)
			}
		})
	}
}

// TestVerifyIgnoresOfferedKeys: keys and URLs in the header are reported and never used, even if the signature verifies with the
// key of the header.
func TestVerifyIgnoresOfferedKeys(t *testing.T) {
	t.Parallel()
	offered, err := jose.MarshalJWK(public("ES256"))
	require.NoError(t, err)
	header := fmt.Sprintf(`{"alg":"ES256","jku":"https://evil.example/k","x5u":"file:///etc","jwk":%s}`, offered)
	token := signed(t, "ES256", header, `{}`)
	got, err := jose.VerifyAny(token, jose.MaxToken, []string{"ES256"}, []jose.PublicKey{{Key: keys().other.Public()}})
	require.ErrorIs(t, err, jose.ErrSignature)
	require.Equal(t, []string{"jku", "x5u", "jwk"}, got.Header.Ignored)
	got, err = jose.VerifyAny(token, jose.MaxToken, []string{"ES256"}, nil)
	require.ErrorIs(t, err, jose.ErrNoKey)
	require.Len(t, got.Header.Ignored, 3)
	got, err = jose.VerifyAny(token, jose.MaxToken, []string{"ES256"}, []jose.PublicKey{public("ES256")})
	require.NoError(t, err, "without kid the only key is taken")
	require.Len(t, got.Header.Ignored, 3)
}

func TestVerifyUseOfKeys(t *testing.T) {
	t.Parallel()
	enc := public("ES256")
	enc.Use = "enc"
	token := signed(t, "ES256", `{"alg":"ES256","kid":"k"}`, `{}`)
	_, err := jose.VerifyAny(token, jose.MaxToken, []string{"ES256"}, []jose.PublicKey{enc})
	require.ErrorIs(t, err, jose.ErrNoKey)
}

// TestVerifyKeysOfOneKID: of several keys with the kid of the header those are tried that fit alg, whatever their order. Keys for another
// alg, for another use or with another kid verify nothing.
func TestVerifyKeysOfOneKID(t *testing.T) {
	t.Parallel()
	other := jose.PublicKey{KID: "k", Key: keys().other.Public()}
	enc := public("ES256")
	enc.Use = "enc"
	elsewhere := public("ES256")
	elsewhere.KID = "l"
	of384 := jose.PublicKey{KID: "k", Alg: "ES384", Key: keyFor("ES384").Public()}
	decoys := []jose.PublicKey{public("EdDSA"), public("PS256"), of384, other, enc, elsewhere}
	token := signed(t, "ES256", `{"alg":"ES256","kid":"k"}`, `{}`)
	algs := []string{"ES256", "PS256", "EdDSA"}
	for i := range len(decoys) + 1 {
		set := slices.Insert(slices.Clone(decoys), i, public("ES256"))
		got, err := jose.VerifyAny(token, jose.MaxToken, algs, set)
		require.NoError(t, err, "the key is number %d", i)
		require.Equal(t, public("ES256"), got.Key, "the key that verified the signature")
	}
	got, err := jose.VerifyAny(token, jose.MaxToken, algs, decoys)
	require.ErrorIs(t, err, jose.ErrSignature)
	require.Nil(t, got.Key.Key)
	_, err = jose.VerifyAny(token, jose.MaxToken, algs, []jose.PublicKey{public("EdDSA"), public("PS256"), of384})
	require.ErrorIs(t, err, jose.ErrAlgorithm, "no key of the kid is for ES256")
	_, err = jose.VerifyAny(token, jose.MaxToken, algs, []jose.PublicKey{enc, elsewhere})
	require.ErrorIs(t, err, jose.ErrNoKey)
	_, err = jose.VerifyAny(signed(t, "ES256", `{"alg":"ES256"}`, `{}`), jose.MaxToken, algs, []jose.PublicKey{public("EdDSA"), public("ES256")})
	require.ErrorIs(t, err, jose.ErrNoKey, "without kid nothing is tried")
}

// TestVerifyRejectsOtherSpellings: a token that is written in another way does not verify.
func TestVerifyRejectsOtherSpellings(t *testing.T) {
	t.Parallel()
	good := signed(t, "ES256", `{"alg":"ES256","kid":"k"}`, `{"a":1}`)
	p := strings.Split(good, ".")
	jwsJSON := fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p[1], p[0], p[2])
	for name, token := range map[string]string{
		"empty":              "",
		"two segments":       p[0] + "." + p[1],
		"four segments":      good + ".e30",
		"JWE":                good + ".AAAA.AAAA",
		"trailing dot":       good + ".",
		"empty signature":    p[0] + "." + p[1] + ".",
		"empty payload":      p[0] + ".." + p[2],
		"empty header":       "." + p[1] + "." + p[2],
		"padding":            good + "=",
		"newline in sig":     p[0] + "." + p[1] + "." + p[2][:4] + "\n" + p[2][4:],
		"CR in sig":          good + "\r",
		"newline in header":  p[0] + "\n." + p[1] + "." + p[2],
		"newline in payload": p[0] + "." + p[1] + "\n." + p[2],
		"space before":       " " + good,
		"space after":        good + " ",
		"standard base64":    p[0] + "." + p[1] + "." + "+/" + p[2][2:],
		"JSON serialisation": jwsJSON,
		"million dots":       strings.Repeat(".", 1_000_000),
		"too long":           good + strings.Repeat("A", jose.MaxToken),
		"NUL":                good + "\x00",
		"spare bits":         p[0] + "." + p[1] + "." + p[2][:len(p[2])-1] + spare(p[2][len(p[2])-1]),
	} {
		_, err := jose.VerifyAny(token, jose.MaxToken, []string{"ES256"}, []jose.PublicKey{public("ES256")})
		require.ErrorIs(t, err, jose.ErrMalformed, name)
	}
	for name, sig := range map[string]string{"short": p[2][:80], "long": p[2] + "AAAA", "zero": strings.Repeat("A", 86)} {
		_, err := jose.VerifyAny(p[0]+"."+p[1]+"."+sig, jose.MaxToken, []string{"ES256"}, []jose.PublicKey{public("ES256")})
		require.ErrorIs(t, err, jose.ErrSignature, name)
	}
	_, err := jose.VerifyAny(good, len(good), []string{"ES256"}, []jose.PublicKey{public("ES256")})
	require.NoError(t, err, "the limit itself is allowed")
	_, err = jose.VerifyAny(good, len(good)-1, []string{"ES256"}, []jose.PublicKey{public("ES256")})
	require.ErrorIs(t, err, jose.ErrMalformed)
}

// spare returns another base64url character with the same leading bits: 86 characters have 516 bits for 512.
func spare(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)|1])
}

func TestEverySingleByteCounts(t *testing.T) {
	t.Parallel()
	token := []byte(signed(t, "EdDSA", `{"alg":"EdDSA","kid":"k"}`, `{"a":1}`))
	for i := range token {
		for _, flip := range []byte{0x01, 0x20} {
			other := append([]byte(nil), token...)
			other[i] ^= flip
			_, err := jose.VerifyAny(string(other), jose.MaxToken, []string{"EdDSA"}, []jose.PublicKey{public("EdDSA")})
			require.Error(t, err, "byte %d", i)
		}
	}
}

// TestRejectionIsCheap: a malformed token costs at most 256 KiB and 5 ms.
func TestRejectionIsCheap(t *testing.T) { // not parallel: it counts the memory of the process
	set := []jose.PublicKey{public("ES256")}
	var names []string
	for i := range 700 {
		names = append(names, fmt.Sprintf(`"%x":1`, i))
	}
	open := strings.Repeat(`{"a":`, 1200)
	for name, header := range map[string]string{
		"many names":   `{` + strings.Join(names, ",") + `}`,
		"deep objects": open,
		"deep arrays":  `{"a":` + strings.Repeat("[", 6000),
		"escapes":      `{"alg":"` + strings.Repeat(`\u0041`, 1000) + `"}`,
		"big number":   `{"alg":` + strings.Repeat("9", 6000) + `}`,
		"long kid":     `{"alg":"ES256","kid":"` + strings.Repeat("k", 6000) + `"}`,
	} {
		token := b64(header) + ".e30.AAAA"
		require.LessOrEqual(t, len(token), jose.MaxToken, name)
		const rounds = 20
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			_, err := jose.VerifyAny(token, jose.MaxToken, []string{"ES256"}, set)
			require.Error(t, err, name)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/rounds, uint64(256<<10), name)
		slow.Within(t, 5*time.Millisecond, func() { _, _ = jose.VerifyAny(token, jose.MaxToken, []string{"ES256"}, set) })
	}
}

func TestPeek(t *testing.T) {
	t.Parallel()
	token := signed(t, "ES256", `{"alg":"ES256","kid":"k","typ":"JWT"}`, `{"iss":"c","aud":["a"]}`)
	h, err := jose.ParseHeader(token, jose.MaxToken)
	require.NoError(t, err)
	require.Equal(t, jose.Header{Alg: "ES256", KID: "k", Typ: "JWT"}, h)
	claims, err := jose.PeekPayload(token, jose.MaxToken)
	require.NoError(t, err)
	require.Equal(t, jose.KindArray, claims.Kind("aud"))
	_, err = jose.PeekPayload(token, 10)
	require.ErrorIs(t, err, jose.ErrMalformed)
	nested := signed(t, "ES256", `{"alg":"ES256","kid":"k","cty":"JWT"}`, token)
	_, err = jose.PeekPayload(nested, jose.MaxToken)
	require.ErrorIs(t, err, jose.ErrMalformed, "a nested token is not a set of claims")
}

// FuzzVerify: an accepted token verifies with jwx and is the token that was signed.
func FuzzVerify(f *testing.F) {
	good := signed(f, "EdDSA", `{"alg":"EdDSA","kid":"k"}`, `{"a":1}`)
	f.Add(good)
	f.Add(good + "\n")
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Fuzz(func(t *testing.T, token string) {
		got, err := jose.VerifyAny(token, jose.MaxToken, []string{"EdDSA"}, []jose.PublicKey{public("EdDSA")})
		if err != nil {
			require.Nil(t, got.Payload)
			return
		}
		require.Equal(t, good, token)
		payload, err := jws.Verify([]byte(token), jws.WithKey(jwa.EdDSA, keys().ed.Public()))
		require.NoError(t, err)
		require.Equal(t, payload, got.Payload)
	})
}

// FuzzHeader: encoding/json reads the same values from an accepted header.
func FuzzHeader(f *testing.F) {
	f.Add(`{"alg":"ES256","kid":"k","typ":"JWT"}`)
	f.Add(`{"alg":"ES256","KID":"k","crit":["b64"],"b64":false}`)
	f.Add(`{"alg":"RS256","x5c":["AAAA"],"jku":"x"}`)
	f.Fuzz(func(t *testing.T, header string) {
		h, err := jose.ParseHeader(b64(header)+".e30.AAAA", jose.MaxToken)
		if err != nil {
			return
		}
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(header), &m))
		require.Equal(t, m["alg"], h.Alg)
		require.NotContains(t, m, "crit")
		require.NotContains(t, m, "b64")
		if kid, ok := m["kid"]; ok {
			require.Equal(t, kid, h.KID)
			require.True(t, jose.IsKID(h.KID))
		}
	})
}
