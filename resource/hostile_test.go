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
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

var b64 = base64.RawURLEncoding

// raw returns a JWS with any header. f returns its signature.
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

// TestHostileTokens checks that forged, malformed and foreign tokens are rejected (RFC 8725 §3).
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
		"alg none":                  {raw(`{"alg":"none"}`, good, nothing), "algorithm_not_accepted"},
		"alg None":                  {raw(`{"alg":"None","kid":"rsa"}`, good, nothing), "algorithm_not_accepted"},
		"alg none, no signature":    {strings.TrimSuffix(raw(`{"alg":"none"}`, good, nothing), "AA"), "token_malformed"},
		"HS256 with the public key": {raw(`{"alg":"HS256","kid":"rsa"}`, good, hs256(public)), "algorithm_not_accepted"},
		"HS256 with the EC point":   {raw(`{"alg":"HS256","kid":"ec"}`, good, hs256(ecPoint)), "algorithm_not_accepted"},
		"RS256 names the EC key":    {raw(`{"alg":"RS256","kid":"ec"}`, good, nothing), "algorithm_not_accepted"},
		"ES256 names the RSA key":   {raw(`{"alg":"ES256","kid":"rsa"}`, good, nothing), "algorithm_not_accepted"},
		"PS256 with an RS256 key":   {signWith(t, jose.PS256, "rsa", rsaKey(), "", good), "algorithm_not_accepted"},
		"rs256 in small letters":    {raw(`{"alg":"rs256","kid":"rsa"}`, good, nothing), "algorithm_not_accepted"},
		"ES512 is not on the list":  {raw(`{"alg":"ES512","kid":"ec"}`, good, nothing), "algorithm_not_accepted"},
		"no alg":                    {raw(`{"kid":"rsa"}`, good, nothing), "token_malformed"},
		"two alg":                   {raw(`{"alg":"none","alg":"RS256","kid":"rsa"}`, good, nothing), "token_malformed"},
		"unknown kid":               {signWith(t, jose.ES256, "other", newECKey(), "", good), "key_unknown"},
		"no kid, several keys":      {signWith(t, jose.ES256, "", ecKey(), "", good), "key_unknown"},
		"kid is a path":             {raw(`{"alg":"ES256","kid":"../../dev/null"}`, good, nothing), "token_malformed"},
		"another key, known kid":    {signWith(t, jose.ES256, "ec", newECKey(), "", good), "signature_invalid"},
		"the key in the header":     {raw(`{"alg":"ES256","kid":"x","jwk":{"kty":"EC"}}`, good, nothing), "key_unknown"},
		"jku":                       {raw(`{"alg":"ES256","kid":"x","jku":"https://evil.example/jwks"}`, good, nothing), "key_unknown"},
		"crit":                      {raw(`{"alg":"ES256","kid":"ec","crit":["b64"],"b64":false}`, good, nothing), "token_malformed"},
		"payload changed":           {head + "." + b64.EncodeToString(machine(t).with("scope", "all").json(t)) + "." + signature, "signature_invalid"},
		"signature changed":         {head + "." + body + "." + flip(signature), "signature_invalid"},
		"padded":                    {rsToken + "=", "token_malformed"},
		"line break":                {head + "\n." + body + "." + signature, "authorization_malformed"},
		"two segments":              {head + "." + body, "token_opaque"},
		"a JWE":                     {"a.b.c.d.e", "token_opaque"},
		"a million dots":            {strings.Repeat(".", 1<<20), "token_malformed"},
		"huge":                      {strings.Repeat("a", 1<<20), "token_malformed"},
		"huge payload":              {payload(`{"iss":"` + strings.Repeat("a", 64<<10) + `"}`), "token_malformed"},
		"a JWT in a JWT":            {payload(`"` + rsToken + `"`), "token_malformed"},

		"logout token by typ":     {sign(t, "ec", "logout+jwt", good), "token_type_mismatch"},
		"client assertion by typ": {sign(t, "ec", "client-authentication+jwt", good), "token_type_mismatch"},
		"introspection by typ":    {sign(t, "ec", "token-introspection+jwt", good), "token_type_mismatch"},
		"id_token by nonce":       {id("nonce", "n", "aud", "c1", "scope", nil), "token_type_mismatch"},
		"id_token by at_hash":     {id("at_hash", "h"), "token_type_mismatch"},
		"id_token without scope":  {id("scope", nil), "token_type_mismatch"},
		"logout token by events":  {id("events", map[string]any{}), "token_type_mismatch"},

		"ISS beside iss":          {payload(`{"iss":"https://test.maskinporten.no/","ISS":"x","scope":"a","exp":1584694565,"iat":1584693565}`), "token_malformed"},
		"scope twice":             {payload(`{"iss":"https://test.maskinporten.no/","scope":"a","scope":"b","exp":1584694565,"iat":1584693565}`), "token_malformed"},
		"nested too deep":         {payload(nested), "token_malformed"},
		"byte order mark":         {payload("\ufeff" + string(good)), "token_malformed"},
		"data after the object":   {payload(string(good) + "{}"), "token_malformed"},
		"an array":                {payload("[" + string(good) + "]"), "token_malformed"},
		"iss is an array":         {id("iss", []string{maskinporten}), "claim_invalid"},
		"iss in capitals":         {id("iss", strings.ToUpper(maskinporten)), "issuer_mismatch"},
		"iss missing":             {id("iss", nil), "issuer_mismatch"},
		"iss empty":               {id("iss", ""), "issuer_mismatch"},
		"scope has two in one":    {id("scope", []string{"difitest:test2 difitest:more"}), "claim_invalid"},
		"scope has an empty one":  {id("scope", []string{"difitest:test2", ""}), "claim_invalid"},
		"scope of numbers":        {id("scope", []any{1}), "claim_invalid"},
		"scope is an object":      {id("scope", map[string]any{"difitest:test2": true}), "claim_invalid"},
		"exp is text":             {id("exp", "1584694565"), "claim_invalid"},
		"exp is negative":         {id("exp", -1584694565.5), "claim_invalid"},
		"exp is infinite":         {id("exp", 1e300), "claim_invalid"},
		"exp missing":             {id("exp", nil), "claim_missing"},
		"exp is null":             {payload(strings.Replace(string(good), "1584694565", "null", 1)), "claim_invalid"},
		"exp out of range":        {id("exp", int64(1)<<40), "claim_invalid"},
		"iat missing":             {id("iat", nil), "claim_missing"},
		"consumer is text":        {id("consumer", "0192:991825827"), "claim_invalid"},
		"consumer without ID":     {id("consumer", map[string]any{"authority": "iso6523-actorid-upis"}), "claim_invalid"},
		"consumer with ID and id": {id("consumer", map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:991825827", "id": "0192:910753614"}), "token_malformed"},
		"aud is an object":        {id("aud", map[string]any{"x": 1}), "claim_invalid"},
		"pid is malformed":        {id("pid", "12345678901"), "claim_invalid"},
		"pid is a number":         {id("pid", 21879498012), "claim_invalid"},
		"token_type is a number":  {id("token_type", 1), "claim_invalid"},
		"details without a type":  {id("authorization_details", []any{map[string]any{}}), "claim_invalid"},
		"details of text":         {id("authorization_details", []any{"x"}), "claim_invalid"},
		"bound to a DPoP key":     {id("cnf", map[string]any{"jkt": thumbprint}), "token_sender_constrained"},
		"bound to a certificate":  {id("cnf", map[string]any{"x5t#S256": thumbprint}), "certificate_missing"},
		"bound to a JWK":          {id("cnf", map[string]any{"jwk": map[string]any{"kty": "EC"}}), "token_sender_constrained"},
		"bound to a kid":          {id("cnf", map[string]any{"kid": "ec"}), "token_sender_constrained"},
		"bound in two ways":       {id("cnf", map[string]any{"x5t#S256": thumbprint, "osc": map[string]any{}}), "token_sender_constrained"},
		"bound to nothing":        {id("cnf", map[string]any{}), "token_sender_constrained"},
		"JKT":                     {id("cnf", map[string]any{"JKT": thumbprint}), "token_sender_constrained"},
		"jkt empty":               {id("cnf", map[string]any{"jkt": ""}), "claim_invalid"},
		"jkt is null":             {id("cnf", map[string]any{"jkt": nil}), "claim_invalid"},
		"jkt too short":           {id("cnf", map[string]any{"jkt": thumbprint[1:]}), "claim_invalid"},
		"jkt is not base64url":    {id("cnf", map[string]any{"jkt": thumbprint[1:] + "="}), "claim_invalid"},
		"x5t#S256 empty":          {id("cnf", map[string]any{"x5t#S256": ""}), "claim_invalid"},
		"cnf null":                {id("cnf", json.RawMessage("null")), "claim_invalid"},
		"cnf is text":             {id("cnf", thumbprint), "claim_invalid"},
		"cnf is an array":         {id("cnf", []any{map[string]any{"jkt": thumbprint}}), "claim_invalid"},
		"token_type DPoP":         {id("token_type", "DPoP"), "token_type_not_accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, config(t))
			_, err := v.Verify(t.Context(), resource.Bearer(tt.token))
			e := rejection(t, err)
			require.Equal(t, tt.reason, e.Reason, "%v", e.Unwrap())
			code := portner.InvalidToken
			if tt.reason == "authorization_malformed" {
				code = portner.InvalidRequest
			}
			require.Equal(t, code, e.Code)
			require.ErrorIs(t, err, code)
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

// TestTimes checks exp, iat and nbf with the default leeway of ten seconds and without leeway.
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
		{"after the leeway", 0, nil, 1584694575, "token_expired"},
		{"no leeway, last second", -1, nil, 1584694564, ""},
		{"no leeway, at exp", -1, nil, 1584694565, "token_expired"},
		{"issued ten seconds ahead", 0, nil, 1584693555, ""},
		{"issued eleven seconds ahead", 0, nil, 1584693554, "token_not_yet_valid"},
		{"no leeway, at iat", -1, nil, 1584693565, ""},
		{"no leeway, before iat", -1, nil, 1584693564, "token_not_yet_valid"},
		{"nbf ahead", 0, []any{"nbf", 1584693611}, 1584693600, "token_not_yet_valid"},
		{"nbf within the leeway", 0, []any{"nbf", 1584693610}, 1584693600, ""},
		{"exp at iat", 0, []any{"exp", 1584693565}, 1584693565, "token_expired"},
		{"long ago", 0, nil, 0, "token_not_yet_valid"},
		{"far ahead", 0, nil, 1 << 40, "token_expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Leeway, cfg.Now = tt.leeway, at(time.Unix(tt.at, 0))
			_, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", machine(t).with(tt.pairs...).json(t))))
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.reason, rejection(t, err).Reason)
		})
	}
}

// TestATJWT checks the additional rules of RFC 9068 §4 for tokens of type at+jwt.
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
		{"aud is required", "at+jwt", full.with("aud", nil), "audience_missing", false},
		{"aud unspecified", "at+jwt", full.with("aud", "unspecified"), "audience_missing", false},
		{"sub is required", "at+jwt", full.with("sub", nil), "claim_missing", false},
		{"client_id is required", "at+jwt", full.with("client_id", nil), "claim_missing", false},
		{"jti is required", "at+jwt", full.with("jti", nil), "claim_missing", false},
		{"JWT", "JWT", full.with("scope", "a"), "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Audience = []string{"https://api.example.com"}
			token, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(sign(t, "ec", tt.typ, tt.claims.json(t))))
			if tt.reason != "" {
				require.Equal(t, tt.reason, rejection(t, err).Reason)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.person, token.HasUser())
			require.Equal(t, !tt.person, token.IsMachine())
		})
	}
}

// TestUserOrMachine checks which combinations of sub, acr and client_id make a token that of a user or of a machine.
func TestUserOrMachine(t *testing.T) {
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
		"acr of a machine":     {machine(t).with("sub", "c1", "acr", "idporten-loa-high"), true, false},
		"amr of a machine":     {machine(t).with("sub", "c1", "amr", []string{"pwd"}), false, false},
		"login of a machine":   {machine(t).with("sub", "c1", "auth_time", 1700000000), false, false},
		"another organisation": {machine(t).with("sub", "0192:910753614;difitest:test2"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := verifier(t, config(t)).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", tt.claims.json(t))))
			require.NoError(t, err)
			require.Equal(t, tt.person, token.HasUser())
			require.Equal(t, tt.machine, token.IsMachine())
		})
	}
}

// TestTokenIsRedacted checks that a printed, logged or marshalled token does not show the user.
func TestTokenIsRedacted(t *testing.T) {
	t.Parallel()
	token, err := verifier(t, config(t)).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", person(t).with("sub", "pairwise-secret", "jti", "jti-secret", "name", "Kari Testesen",
		"authorization_details", parse(t, `{"d":`+consent+`}`)["d"]).json(t))))
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

// TestAny checks that iss selects the verifier.
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
		{"the first, signed by the second", token(maskinporten, other), "signature_invalid"},
		{"the second, signed by the first", token("https://idporten.no", ecKey()), "signature_invalid"},
		{"a third", token("https://idporten.no/", other), "issuer_mismatch"},
		{"opaque", "abcdef", "token_opaque"},
		{"not a token", "a.b.c", "token_malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(t.Context(), resource.Bearer(tt.token))
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.reason, rejection(t, err).Reason)
		})
	}

	introspecting := func(issuer string) *resource.Verifier {
		cfg := config(t)
		cfg.Issuer = issuer
		cfg.Introspection = &resource.Introspection{Endpoint: issuer + "/x", ClientID: "a", ClientSecret: portner.NewSecret()}
		return verifier(t, cfg)
	}
	_, err = resource.Any()
	require.Error(t, err)
	_, err = resource.Any(verifier(t, first), verifier(t, first))
	require.ErrorContains(t, err, "same issuer")
	_, err = resource.Any(introspecting("https://a.example"), introspecting("https://b.example"))
	require.ErrorContains(t, err, "opaque")
	_, err = resource.Any(introspecting("https://a.example"), verifier(t, first))
	require.NoError(t, err)
}

// TestNewReportsEveryField breaks each field of a valid configuration, and then several at once.
func TestNewReportsEveryField(t *testing.T) {
	t.Parallel()
	valid := func() resource.Config {
		cfg := config(t)
		cfg.Introspection = &resource.Introspection{Endpoint: "https://a.example/x", ClientID: "a", ClientSecret: portner.NewSecret()}
		return cfg
	}
	_, err := resource.New(valid())
	require.NoError(t, err)
	remote := func(keys resource.RemoteKeys) func(*resource.Config) {
		return func(c *resource.Config) { c.Keys = keys }
	}
	static := func(doc string) func(*resource.Config) {
		return func(c *resource.Config) { c.Keys = resource.StaticKeys(doc) }
	}
	const jwk = "https://a.example/jwk"
	for _, tt := range []struct {
		name, field string
		spoil       func(*resource.Config)
	}{
		{"no issuer", "Issuer", func(c *resource.Config) { c.Issuer = "" }},
		{"no URL", "URL", func(c *resource.Config) { c.URL = "" }},
		{"relative URL", "URL", func(c *resource.Config) { c.URL = "/api" }},
		{"another scheme", "URL", func(c *resource.Config) { c.URL = "ftp://api.example.no" }},
		{"URL with a query", "URL", func(c *resource.Config) { c.URL = api + "?x" }},
		{"URL with an empty fragment", "URL", func(c *resource.Config) { c.URL = api + "#" }},
		{"URL with a user", "URL", func(c *resource.Config) { c.URL = "https://a@api.example.no" }},
		{"empty audience", "Audience[1]", func(c *resource.Config) { c.Audience = []string{"a", ""} }},
		{"audience unspecified", "Audience[0]", func(c *resource.Config) { c.Audience = []string{"unspecified"} }},
		{"symmetric algorithm", "Algorithms[1]", func(c *resource.Config) { c.Algorithms = []string{"ES256", "HS256"} }},
		{"algorithm none", "Algorithms[0]", func(c *resource.Config) { c.Algorithms = []string{"none"} }},
		{"empty authority", "Authorities[0]", func(c *resource.Config) { c.Authorities = []string{""} }},
		{"leeway too long", "Leeway", func(c *resource.Config) { c.Leeway = time.Hour }},
		{"neither keys nor introspection", "Keys", func(c *resource.Config) { c.Keys, c.Introspection = nil, nil }},
		{"no static keys", "Keys", static("")},
		{"a JWKS without keys", "Keys", static("{}")},
		{"an empty JWKS", "Keys", static(`{"keys":[]}`)},
		{"a symmetric key", "Keys", static(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)},
		{"no jwks_uri", "Keys.URI", remote(resource.RemoteKeys{})},
		{"negative lifetime", "Keys.MaxAge", remote(resource.RemoteKeys{URI: jwk, MaxAge: -1})},
		{"negative interval", "Keys.Refetch", remote(resource.RemoteKeys{URI: jwk, Refetch: -1})},
		{"introspection endpoint with a user", "Introspection.Endpoint", func(c *resource.Config) { c.Introspection.Endpoint = "https://user@idporten.no/" }},
		{"no client", "Introspection.ClientID", func(c *resource.Config) { c.Introspection.ClientID = "" }},
		{"no secret", "Introspection.ClientSecret", func(c *resource.Config) { c.Introspection.ClientSecret = nil }},
		{"weak secret", "Introspection.ClientSecret", func(c *resource.Config) { c.Introspection.ClientSecret = make(portner.Secret, 32) }},
		{"negative cache", "Introspection.CacheFor", func(c *resource.Config) { c.Introspection.CacheFor = -1 }},
		{"negative timeout", "Introspection.Timeout", func(c *resource.Config) { c.Introspection.Timeout = -1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := valid()
			tt.spoil(&cfg)
			_, err := resource.New(cfg)
			require.Equal(t, []string{tt.field}, fields.Names(err))
		})
	}
	_, err = resource.New(resource.Config{
		Algorithms: []string{"HS256"}, Audience: []string{"unspecified"}, Leeway: time.Hour,
		Keys: resource.RemoteKeys{URI: "http://idporten.no/jwk"}, Introspection: &resource.Introspection{},
	})
	require.Equal(t, []string{
		"Issuer", "URL", "Audience[0]", "Algorithms[0]", "Leeway", "Keys.URI",
		"Introspection.Endpoint", "Introspection.ClientID", "Introspection.ClientSecret",
	}, fields.Names(err))
}

// TestEndpointURLs checks which URLs are accepted as jwks_uri.
func TestEndpointURLs(t *testing.T) {
	t.Parallel()
	for uri, ok := range map[string]bool{
		"https://idporten.no/jwk": true, "http://localhost:8080/jwk": true, "http://127.0.0.1/jwk": true, "http://[::1]:1/jwk": true,
		"http://127.0.0.1.evil.example/": false, "http://10.0.0.1/": false, "ftp://127.0.0.1/": false, "https:///x": false, "/jwk": false, "": false,
		"https://a:b@idporten.no/": false, "https://idporten.no/#x": false, "http://0177.0.0.1/": false,
	} {
		_, err := resource.New(resource.Config{Issuer: "x", URL: api, Keys: resource.RemoteKeys{URI: uri}})
		require.Equal(t, ok, err == nil, uri)
	}
}

// TestAllowNoScope checks that other signs of an id_token are still rejected.
func TestAllowNoScope(t *testing.T) {
	t.Parallel()
	bare := machine(t).with("scope", nil)
	cfg := config(t)
	_, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", bare.json(t))))
	require.Equal(t, "token_type_mismatch", rejection(t, err).Reason)
	cfg.AllowNoScope = true
	got, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", bare.json(t))))
	require.NoError(t, err)
	require.Empty(t, got.Scopes)
	require.Contains(t, got.Claims(), "consumer")
	require.Len(t, got.Claims(), len(bare))
	_, err = verifier(t, cfg).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", bare.with("nonce", "n").json(t))))
	require.Equal(t, "token_type_mismatch", rejection(t, err).Reason)
}

// TestUserWithoutSubjectIsNoMachine checks that an introspected token without sub and acr is that of a machine only if it names a
// consumer: the issuer can withhold the sub of a user (docs/threat-model.md H10).
func TestUserWithoutSubjectIsNoMachine(t *testing.T) {
	t.Parallel()
	consumer := resource.Organisation{ID: "0192:991825827"}
	for _, tt := range []struct {
		token   resource.Token
		machine bool
	}{
		{resource.Token{ClientID: "c1"}, true},
		{resource.Token{ClientID: "c1", Introspected: true}, false},
		{resource.Token{ClientID: "c1", Introspected: true, Subject: "c1"}, true},
		{resource.Token{ClientID: "c1", Introspected: true, Consumer: consumer}, true},
		{resource.Token{ClientID: "c1", Introspected: true, Consumer: consumer, ACR: "idporten-loa-high"}, false},
	} {
		require.Equal(t, tt.machine, tt.token.IsMachine(), "%+v", tt)
		require.False(t, tt.token.HasUser())
	}
}
