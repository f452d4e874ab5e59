package resource_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

var b64 = base64.RawURLEncoding

// raw makes a JWS of any header, signed by f.
func raw(header string, payload []byte, f func(signed []byte) []byte) string {
	signed := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString(payload)
	return signed + "." + b64.EncodeToString(f([]byte(signed)))
}

func hs256(key []byte) func([]byte) []byte {
	return func(signed []byte) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write(signed)
		return mac.Sum(nil)
	}
}

func nothing([]byte) []byte { return []byte{0} }

// TestHostileTokens: security rows E4, E5, E9, E12; RFC 8725 section 3.
func TestHostileTokens(t *testing.T) {
	t.Parallel()
	good := machine(t).json(t)
	public, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	require.NoError(t, err)
	ecPoint, err := ecKey().PublicKey.Bytes()
	require.NoError(t, err)
	rsToken := sign(t, "rsa", "", good)
	head, rest, _ := strings.Cut(rsToken, ".")
	body, signature, _ := strings.Cut(rest, ".")
	id := func(pairs ...any) string { return sign(t, "ec", "", person(t).with(pairs...).json(t)) }
	payload := func(text string) string { return sign(t, "ec", "", []byte(text)) }
	nested := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)

	for name, tt := range map[string]struct{ token, reason string }{
		"alg none":                  {raw(`{"alg":"none"}`, good, nothing), "alg"},
		"alg None":                  {raw(`{"alg":"None","kid":"rsa"}`, good, nothing), "alg"},
		"alg none, no signature":    {strings.TrimSuffix(raw(`{"alg":"none"}`, good, nothing), "AA"), "malformed"},
		"HS256 with the public key": {raw(`{"alg":"HS256","kid":"rsa"}`, good, hs256(public)), "alg"},
		"HS256 with the EC point":   {raw(`{"alg":"HS256","kid":"ec"}`, good, hs256(ecPoint)), "alg"},
		"RS256 names the EC key":    {raw(`{"alg":"RS256","kid":"ec"}`, good, nothing), "alg"},
		"ES256 names the RSA key":   {raw(`{"alg":"ES256","kid":"rsa"}`, good, nothing), "alg"},
		"PS256 with an RS256 key":   {signWith(t, jose.PS256, "rsa", rsaKey(), "", good), "alg"},
		"rs256 in small letters":    {raw(`{"alg":"rs256","kid":"rsa"}`, good, nothing), "alg"},
		"ES512 is not on the list":  {raw(`{"alg":"ES512","kid":"ec"}`, good, nothing), "alg"},
		"no alg":                    {raw(`{"kid":"rsa"}`, good, nothing), "malformed"},
		"two alg":                   {raw(`{"alg":"none","alg":"RS256","kid":"rsa"}`, good, nothing), "malformed"},
		"unknown kid":               {signWith(t, jose.ES256, "other", newECKey(), "", good), "key_unknown"},
		"no kid, several keys":      {signWith(t, jose.ES256, "", ecKey(), "", good), "key_unknown"},
		"a path for a kid":          {raw(`{"alg":"ES256","kid":"../../dev/null"}`, good, nothing), "malformed"},
		"another's key, our kid":    {signWith(t, jose.ES256, "ec", newECKey(), "", good), "signature"},
		"its own key in the header": {raw(`{"alg":"ES256","kid":"x","jwk":{"kty":"EC"}}`, good, nothing), "key_unknown"},
		"jku":                       {raw(`{"alg":"ES256","kid":"x","jku":"https://evil.example/jwks"}`, good, nothing), "key_unknown"},
		"crit":                      {raw(`{"alg":"ES256","kid":"ec","crit":["b64"],"b64":false}`, good, nothing), "malformed"},
		"payload changed":           {head + "." + b64.EncodeToString(machine(t).with("scope", "all").json(t)) + "." + signature, "signature"},
		"signature changed":         {head + "." + body + "." + flip(signature), "signature"},
		"padded":                    {rsToken + "=", "malformed"},
		"line break":                {head + "\n." + body + "." + signature, "malformed"},
		"two segments":              {head + "." + body, "opaque"},
		"a JWE":                     {"a.b.c.d.e", "opaque"},
		"a million dots":            {strings.Repeat(".", 1<<20), "malformed"},
		"huge":                      {strings.Repeat("a", 1<<20), "malformed"},
		"huge payload":              {payload(`{"iss":"` + strings.Repeat("a", 64<<10) + `"}`), "malformed"},
		"a JWT in a JWT":            {payload(`"` + rsToken + `"`), "malformed"},

		"logout token by typ":     {sign(t, "ec", "logout+jwt", good), "not_access_token"},
		"client assertion by typ": {sign(t, "ec", "client-authentication+jwt", good), "not_access_token"},
		"introspection by typ":    {sign(t, "ec", "token-introspection+jwt", good), "not_access_token"},
		"id_token by nonce":       {id("nonce", "n", "aud", "c1", "scope", nil), "not_access_token"},
		"id_token by at_hash":     {id("at_hash", "h"), "not_access_token"},
		"id_token without scope":  {id("scope", nil), "not_access_token"},
		"logout token by events":  {id("events", map[string]any{}), "not_access_token"},

		"ISS beside iss":          {payload(`{"iss":"https://test.maskinporten.no/","ISS":"x","scope":"a","exp":1584694565,"iat":1584693565}`), "malformed"},
		"scope twice":             {payload(`{"iss":"https://test.maskinporten.no/","scope":"a","scope":"b","exp":1584694565,"iat":1584693565}`), "malformed"},
		"nested too deep":         {payload(nested), "malformed"},
		"byte order mark":         {payload("\ufeff" + string(good)), "malformed"},
		"data after the object":   {payload(string(good) + "{}"), "malformed"},
		"an array":                {payload("[" + string(good) + "]"), "malformed"},
		"iss is an array":         {id("iss", []string{maskinporten}), "claims"},
		"iss in capitals":         {id("iss", strings.ToUpper(maskinporten)), "iss"},
		"iss missing":             {id("iss", nil), "iss"},
		"iss empty":               {id("iss", ""), "iss"},
		"scope is an array":       {id("scope", []string{"difitest:test2"}), "claims"},
		"exp is text":             {id("exp", "1584694565"), "claims"},
		"exp is a fraction":       {id("exp", 1584694565.5), "claims"},
		"exp missing":             {id("exp", nil), "claims"},
		"exp is null":             {payload(strings.Replace(string(good), "1584694565", "null", 1)), "claims"},
		"exp beyond all reason":   {id("exp", int64(1)<<40), "claims"},
		"iat missing":             {id("iat", nil), "claims"},
		"consumer is text":        {id("consumer", "0192:991825827"), "claims"},
		"consumer without ID":     {id("consumer", map[string]any{"authority": "iso6523-actorid-upis"}), "claims"},
		"consumer with ID and id": {id("consumer", map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:991825827", "id": "0192:910753614"}), "malformed"},
		"aud is an object":        {id("aud", map[string]any{"x": 1}), "claims"},
		"pid is no pid":           {id("pid", "12345678901"), "claims"},
		"pid is a number":         {id("pid", 21879498012), "claims"},
		"token_type is a number":  {id("token_type", 1), "claims"},
		"details without a type":  {id("authorization_details", []any{map[string]any{}}), "claims"},
		"details of text":         {id("authorization_details", []any{"x"}), "claims"},
		"bound to a DPoP key":     {id("cnf", map[string]any{"jkt": "x"}), "not_bearer"},
		"token_type DPoP":         {id("token_type", "DPoP"), "not_bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, config(t))
			_, err := v.Verify(t.Context(), tt.token)
			e := refusal(t, err)
			require.Equal(t, tt.reason, e.Reason, "%v", e.Err)
			require.Equal(t, portner.InvalidToken, e.Code)
			require.ErrorIs(t, err, portner.InvalidToken)
			if len(tt.token) < 1<<16 && !strings.ContainsAny(tt.token, "\n") {
				require.GreaterOrEqual(t, call(v, resource.Rules{AllowNoScope: true}, tt.token).Code, 400)
			}
		})
	}
}

// flip changes the first character of a signature.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// TestTimes: valid iff now is before exp, with ten seconds for the clocks, and none if Leeway says so.
func TestTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		leeway time.Duration
		pairs  []any
		at     int64
		reason string
	}{
		{"the last second of the leeway", 0, nil, 1584694574, ""},
		{"after the leeway", 0, nil, 1584694575, "expired"},
		{"no leeway, last second", -1, nil, 1584694564, ""},
		{"no leeway, at exp", -1, nil, 1584694565, "expired"},
		{"issued ten seconds ahead", 0, nil, 1584693555, ""},
		{"issued eleven seconds ahead", 0, nil, 1584693554, "not_yet"},
		{"no leeway, at iat", -1, nil, 1584693565, ""},
		{"no leeway, before iat", -1, nil, 1584693564, "not_yet"},
		{"nbf ahead", 0, []any{"nbf", 1584693611}, 1584693600, "not_yet"},
		{"nbf within the leeway", 0, []any{"nbf", 1584693610}, 1584693600, ""},
		{"exp at iat", 0, []any{"exp", 1584693565}, 1584693565, "expired"},
		{"long ago", 0, nil, 0, "not_yet"},
		{"far ahead", 0, nil, 1 << 40, "expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Leeway, cfg.Now = tt.leeway, at(time.Unix(tt.at, 0))
			_, err := verifier(t, cfg).Verify(t.Context(), sign(t, "ec", "", machine(t).with(tt.pairs...).json(t)))
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.reason, refusal(t, err).Reason)
		})
	}
}

// TestATJWT: what RFC 9068 section 4 adds for tokens that say at+jwt.
func TestATJWT(t *testing.T) {
	t.Parallel()
	full := person(t).with("aud", "https://api.example.com", "consumer", nil, "pid", nil, "scope", nil)
	for _, tt := range []struct {
		name, typ string
		claims    claims
		reason    string
		person    bool
	}{
		{"a person, no scope", "at+jwt", full, "", true},
		{"a person without acr", "at+jwt", full.with("acr", nil), "", true},
		{"in full, another case", "application/AT+JWT", full, "", true},
		{"a client", "at+jwt", full.with("acr", nil, "sub", "c1"), "", false},
		{"aud is required", "at+jwt", full.with("aud", nil), "aud_missing", false},
		{"aud unspecified", "at+jwt", full.with("aud", "unspecified"), "aud_missing", false},
		{"sub is required", "at+jwt", full.with("sub", nil), "claims", false},
		{"client_id is required", "at+jwt", full.with("client_id", nil), "claims", false},
		{"jti is required", "at+jwt", full.with("jti", nil), "claims", false},
		{"JWT", "JWT", full.with("scope", "a"), "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Audience = []string{"https://api.example.com"}
			token, err := verifier(t, cfg).Verify(t.Context(), sign(t, "ec", tt.typ, tt.claims.json(t)))
			if tt.reason != "" {
				require.Equal(t, tt.reason, refusal(t, err).Reason)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.person, token.Person())
			require.Equal(t, !tt.person, token.Machine())
		})
	}
}

// TestFamilies: a person's token has sub and acr, a machine's neither (maskinporten-altinn chapter 2).
func TestFamilies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		claims          claims
		person, machine bool
	}{
		"machine":              {machine(t), false, true},
		"machine with pid":     {machine(t).with("pid", synthetic), false, true},
		"Skyporten":            {machine(t).with("sub", "0192:991825827;difitest:test2"), false, true},
		"person":               {person(t), true, false},
		"person without pid":   {person(t).with("pid", nil), true, false},
		"sub without acr":      {machine(t).with("sub", "x"), false, false},
		"acr without sub":      {machine(t).with("acr", "idporten-loa-high"), false, false},
		"acr in a machine's":   {machine(t).with("sub", "c1", "acr", "idporten-loa-high"), true, false},
		"another organisation": {machine(t).with("sub", "0192:910753614;difitest:test2"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := verifier(t, config(t)).Verify(t.Context(), sign(t, "ec", "", tt.claims.json(t)))
			require.NoError(t, err)
			require.Equal(t, tt.person, token.Person())
			require.Equal(t, tt.machine, token.Machine())
		})
	}
}

// TestTokenIsRedacted: security row H6. No way of printing a token shows the person.
func TestTokenIsRedacted(t *testing.T) {
	t.Parallel()
	token, err := verifier(t, config(t)).Verify(t.Context(), sign(t, "ec", "", person(t).with("sub", "pairwise-secret", "jti", "jti-secret", "name", "Kari Testesen",
		"authorization_details", parse(t, `{"d":`+consent+`}`)["d"]).json(t)))
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", token, "value", *token)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", token, "value", *token, "in", struct{ T *resource.Token }{token})
	marshalled, err := json.Marshal(map[string]any{"p": token, "v": *token})
	require.NoError(t, err)
	holder := struct {
		T resource.Token
		P *resource.Token
	}{*token, token}
	for _, text := range []string{
		log.String(), string(marshalled), token.String(), fmt.Sprintf("%v %+v %#v %s %q %x %d", token, token, token, token, token, token, token),
		fmt.Sprintf("%v %+v %#v %s", *token, *token, *token, *token), fmt.Sprintf("%v %+v %#v", holder, holder, holder),
	} {
		require.Contains(t, text, "REDACTED")
		require.Contains(t, text, "0192:991825827")
		for _, secret := range []string{synthetic, "pairwise-secret", "jti-secret", "Testesen", "urn:altinn:person", fmt.Sprintf("%x", synthetic)} {
			require.NotContains(t, text, secret)
		}
	}
}

// TestAny: the exact iss decides whose keys and rules a token meets.
func TestAny(t *testing.T) {
	t.Parallel()
	other := newECKey()
	first := config(t)
	first.Keys = resource.StaticKeys(keySet(t, map[string]crypto.Signer{"k": ecKey()}))
	second := config(t)
	second.Issuer = "https://idporten.no"
	second.Keys = resource.StaticKeys(keySet(t, map[string]crypto.Signer{"k": other}))
	v, err := resource.Any(verifier(t, first), verifier(t, second))
	require.NoError(t, err)
	token := func(iss string, key *ecdsa.PrivateKey) string {
		return signWith(t, jose.ES256, "k", key, "", machine(t).with("iss", iss).json(t))
	}
	for _, tt := range []struct {
		name, token, reason string
	}{
		{"the first", token(maskinporten, ecKey()), ""},
		{"the second", token("https://idporten.no", other), ""},
		{"the first, signed by the second", token(maskinporten, other), "signature"},
		{"the second, signed by the first", token("https://idporten.no", ecKey()), "signature"},
		{"a third", token("https://idporten.no/", other), "iss"},
		{"opaque", "abcdef", "opaque"},
		{"not a token", "a.b.c", "malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(t.Context(), tt.token)
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.reason, refusal(t, err).Reason)
		})
	}

	asks := func(issuer string) *resource.Verifier {
		cfg := config(t)
		cfg.Issuer = issuer
		cfg.Introspection = &resource.Introspection{Endpoint: issuer + "/x", ClientID: "a", ClientSecret: portner.Secret("b")}
		return verifier(t, cfg)
	}
	_, err = resource.Any()
	require.Error(t, err)
	_, err = resource.Any(verifier(t, first), verifier(t, first))
	require.ErrorContains(t, err, "twice")
	_, err = resource.Any(asks("https://a.example"), asks("https://b.example"))
	require.ErrorContains(t, err, "opaque")
	_, err = resource.Any(asks("https://a.example"), verifier(t, first))
	require.NoError(t, err)
}

// TestNewReportsAllProblems at once, each by its field.
func TestNewReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := resource.New(resource.Config{
		Algorithms: []string{"HS256"}, Audience: []string{"unspecified"}, Leeway: time.Hour,
		Keys:          resource.RemoteKeys{URI: "http://idporten.no/jwk"},
		Introspection: &resource.Introspection{Endpoint: "https://user@idporten.no/"},
	})
	for _, field := range []string{"Issuer", "Algorithms", "Audience", "Leeway", "Keys: URI", "Introspection: Endpoint", "ClientSecret"} {
		require.ErrorContains(t, err, field)
	}
	_, err = resource.New(resource.Config{Issuer: "x", RequireAudience: true})
	require.ErrorContains(t, err, "RequireAudience")
	require.ErrorContains(t, err, "Keys or Introspection")
	for uri, ok := range map[string]bool{
		"https://idporten.no/jwk": true, "http://localhost:8080/jwk": true, "http://127.0.0.1/jwk": true, "http://[::1]:1/jwk": true,
		"http://127.0.0.1.evil.example/": false, "http://10.0.0.1/": false, "ftp://127.0.0.1/": false, "https:///x": false, "/jwk": false, "": false,
		"https://a:b@idporten.no/": false, "https://idporten.no/#x": false, "http://0177.0.0.1/": false,
	} {
		_, err := resource.New(resource.Config{Issuer: "x", Keys: resource.RemoteKeys{URI: uri}})
		require.Equal(t, ok, err == nil, uri)
	}
	for _, bad := range []string{"", "{}", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
		_, err := resource.New(resource.Config{Issuer: "x", Keys: resource.StaticKeys(bad)})
		require.Error(t, err, bad)
	}
}

// An issuer without id_tokens may leave the scope out, and then the other marks of a login still count.
func TestNoScope(t *testing.T) {
	t.Parallel()
	bare := machine(t).with("scope", nil)
	cfg := config(t)
	_, err := verifier(t, cfg).Verify(t.Context(), sign(t, "ec", "", bare.json(t)))
	require.Equal(t, "not_access_token", refusal(t, err).Reason)
	cfg.AllowNoScope = true
	got, err := verifier(t, cfg).Verify(t.Context(), sign(t, "ec", "", bare.json(t)))
	require.NoError(t, err)
	require.Empty(t, got.Scopes)
	require.Contains(t, got.Claims(), "consumer")
	require.Len(t, got.Claims(), len(bare))
	_, err = verifier(t, cfg).Verify(t.Context(), sign(t, "ec", "", bare.with("nonce", "n").json(t)))
	require.Equal(t, "not_access_token", refusal(t, err).Reason)
}
