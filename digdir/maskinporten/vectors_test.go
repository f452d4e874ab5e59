package maskinporten_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/testpki"
)

func organisation(orgno string) map[string]any {
	return map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + orgno}
}

// always are the claims of every token (docs/spec/maskinporten.md §1.7).
var always = []string{"iss", "client_id", "client_amr", "consumer", "scope", "token_type", "exp", "iat", "jti"}

// requireToken checks that a token has the claims of every token and exactly the further ones.
func (w *world) requireToken(t *testing.T, a answer, further object) map[string]any {
	t.Helper()
	_, claims := w.claims(t, a)
	want := append([]string(nil), always...)
	for name := range further {
		want = append(want, name)
	}
	got := make([]string, 0, len(claims))
	for name := range claims {
		got = append(got, name)
	}
	seen := map[string]bool{}
	for _, name := range want {
		seen[name] = true
	}
	require.Len(t, seen, len(got), "%v", got)
	for name, value := range further {
		require.Equal(t, value, claims[name], name)
	}
	require.Equal(t, w.cfg.Issuer, claims["iss"])
	require.Equal(t, "Bearer", claims["token_type"])
	require.Len(t, claims["jti"], 43)
	require.Equal(t, a.str("scope"), claims["scope"])
	require.Equal(t, a.body["expires_in"], claims["exp"].(float64)-claims["iat"].(float64))
	require.Equal(t, "Bearer", a.str("token_type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	for _, never := range []string{"sub", "nbf", "acr", "amr", "sid", "client_orgno"} {
		require.NotContains(t, claims, never)
	}
	require.NotContains(t, a.body, "refresh_token")
	require.NotContains(t, a.body, "id_token")
	return claims
}

// v1 is an assertion with an audience.
func v1() object {
	return object{
		"aud": "https://ver2.maskinporten.no/", "resource": "https://tt02.altinn.no/", "scope": "altinn:serviceowner",
		"iss": "806e1e80-e3a7-4a73-980e-f92ba1c2bf86", "iat": 1592896655, "exp": 1592896775, "jti": "bebeb0da-fef3-4b67-a0fc-b08d0b68fddd",
	}
}

func issuerOf(iss string) func(*maskinporten.Config) {
	return func(c *maskinporten.Config) { c.Issuer = iss }
}

// TestVectors sends the assertions of docs/spec/maskinporten.md §6.2 and §6.3.
func TestVectors(t *testing.T) {
	t.Parallel()
	const ver2, prod = "https://ver2.maskinporten.no/", "https://maskinporten.no/"
	t.Run("plain_with_audience", func(t *testing.T) {
		w := newWorld(t, issuerOf(ver2))
		w.at(issuedAt(v1()))
		claims := w.requireToken(t, w.grant(t, v1()), object{
			"aud": "https://tt02.altinn.no/", "client_id": "806e1e80-e3a7-4a73-980e-f92ba1c2bf86", "consumer": organisation(digdir), "client_amr": "private_key_jwt",
		})
		require.InDelta(t, 120, claims["exp"].(float64)-claims["iat"].(float64), 0)
	})
	t.Run("production", func(t *testing.T) {
		v2 := v1().with("aud", prod, "resource", "https://www.altinn.no/")
		w := newWorld(t, issuerOf(prod))
		w.at(issuedAt(v2))
		w.requireToken(t, w.grant(t, v2), object{"aud": "https://www.altinn.no/"})
		other := newWorld(t, issuerOf(ver2))
		other.at(issuedAt(v2))
		other.requireRejection(t, other.grant(t, v2), catalogue["MP-110"])
	})
	t.Run("array", func(t *testing.T) {
		w := newWorld(t, issuerOf(ver2))
		w.at(issuedAt(v1()))
		w.requireToken(t, w.grant(t, v1().with("resource", []string{"https://tt02.altinn.no/"})), object{"aud": "https://tt02.altinn.no/"})
		w.requireToken(t, w.grant(t, v1().with("jti", "2", "resource", []string{"https://tt02.altinn.no/", "urn:two"})),
			object{"aud": []any{"https://tt02.altinn.no/", "urn:two"}})
	})
	t.Run("plain", func(t *testing.T) {
		w := newWorld(t, nil)
		w.requireToken(t, w.grant(t, v4()), nil)
	})
	t.Run("delegation", func(t *testing.T) {
		w := newWorld(t, nil)
		w.at(issuedAt(v5()))
		w.requireToken(t, w.grant(t, v5()), object{
			"consumer": organisation(customer), "supplier": organisation(digdir), "delegation_source": delegated,
		})
		require.Equal(t, []string{customer + ">" + digdir + ":difitest:delegated"}, w.sources.queries)
	})
	t.Run("system_user", func(t *testing.T) {
		w := newWorld(t, nil)
		w.requireToken(t, w.grant(t, v6()), object{
			"consumer": organisation(digdir),
			"authorization_details": []any{map[string]any{
				"type": "urn:altinn:systemuser", "systemuser_org": organisation(customer),
				"systemuser_id": []any{"a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0"}, "system_id": digdir + "_system",
			}},
		})
		// The published sample lacks a comma and a slash, so it must be rejected.
		broken := `{"aud":"https://test.maskinporten.no","scope":"difitest:test2","iss":"my_client_id","iat":1520589808,"exp":1520589928,"jti":"x" "authorization_details":[]}`
		w.requireRejection(t, w.send(t, sign(kid("k1").json(), broken)), catalogue["MP-011"])
	})
	t.Run("end_user", func(t *testing.T) {
		w := newWorld(t, nil)
		w.requireToken(t, w.grant(t, v4().with("pid", pid)), object{"pid": pid})
	})

	for name, n := range rejectedVectors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, n.config)
			if !n.at.IsZero() {
				w.at(n.at)
			}
			if n.prepare != nil {
				n.prepare(t, w)
			}
			w.requireRejection(t, w.send(t, n.assertion), n.entry)
		})
	}
	t.Run("client_credentials", func(t *testing.T) {
		w := newWorld(t, nil)
		a := w.post(t, url.Values{"grant_type": {"client_credentials"}})
		require.Equal(t, http.StatusBadRequest, a.status)
		require.Equal(t, "unsupported_grant_type", a.str("error"))
		a = w.post(t, url.Values{"assertion": {"x"}})
		require.Equal(t, "invalid_request", a.str("error"))
	})
}

// vector is an assertion that must be rejected.
type vector struct {
	assertion string
	entry     wire
	at        time.Time // the time of the request; if zero, a second after the iat of v4
	config    func(*maskinporten.Config)
	prepare   func(*testing.T, *world)
}

func byKey(payload object) string { return sign(kid("k1").json(), payload.json()) }

// rejectedVectors returns the assertions of docs/spec/maskinporten.md §6.3 and further ones that must be rejected.
func rejectedVectors() map[string]vector {
	at4, at5 := issuedAt(v4()), issuedAt(v5())
	first := func(assertion string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { require.Equal(t, http.StatusOK, w.send(t, assertion).status) }
	}
	details := func(d ...any) string { return byKey(v4().with("authorization_details", d)) }
	v := map[string]vector{
		"lifetime_121":                       {assertion: byKey(v4().with("exp", 1520589929)), entry: catalogue["lifetime"]},
		"expired":                            {assertion: byKey(v4()), at: time.Unix(1520589928+11, 0), entry: catalogue["MP-130"]},
		"issued_in_the_future":               {assertion: byKey(v4()), at: time.Unix(1520589808-11, 0), entry: catalogue["iat"]},
		"same_JWT":                           {assertion: byKey(v4()), prepare: first(byKey(v4())), entry: catalogue["MP-012"]},
		"same_jti":                           {assertion: byKey(v4()), prepare: first(byKey(v4().with("scope", "difitest:other"))), entry: catalogue["MP-012"]},
		"same_JWT_without_jti":               {assertion: byKey(v4().with("jti", nil)), prepare: first(byKey(v4().with("jti", nil))), entry: catalogue["MP-012"]},
		"without_slash":                      {assertion: byKey(v4().with("aud", strings.TrimSuffix(testIssuer, "/"))), entry: catalogue["MP-110"]},
		"production":                         {assertion: byKey(v4().with("aud", "https://maskinporten.no/")), entry: catalogue["MP-110"]},
		"unknown":                            {assertion: byKey(v4().with("iss", "somebody_else")), entry: catalogue["MP-100"]},
		"organisation_number":                {assertion: byKey(v4().with("iss", digdir)), entry: catalogue["MP-100"]},
		"x5c_is_a_string":                    {assertion: sign(object{"alg": "RS256", "x5c": testpki.X5C(pki().Chain(testpki.NameSEID2)...)[0]}.json(), v4().with("iss", "certified").json()), entry: catalogue["MP-123"]},
		"neither_kid_nor_x5c":                {assertion: sign(`{"alg":"RS256"}`, v4().json()), entry: catalogue["no kid"]},
		"only_x5c":                           {assertion: sign(x5c(pki(), testpki.NameSEID2).json(), v4().json()), entry: catalogue["no kid"]},
		"only_x5c_and_its_key":               {assertion: otherKey(x5c(pki(), testpki.NameSEID2), v4()), entry: catalogue["no kid"]},
		"unknown_kid":                        {assertion: sign(kid("k2").json(), v4().json()), entry: catalogue["kid"]},
		"kid_without_keys":                   {assertion: sign(kid("k1").json(), v4().with("iss", "certified").json()), entry: catalogue["kid"]},
		"kid_and_x5c_without_keys":           {assertion: sign(x5c(pki(), testpki.NameSEID2).with("kid", "k1").json(), v4().with("iss", "certified").json()), entry: catalogue["kid"]},
		"unknown_kid_and_x5c":                {assertion: sign(x5c(pki(), testpki.NameSEID2).with("kid", "k2").json(), v4().json()), entry: catalogue["kid"]},
		"key_of_366_days":                    {assertion: byKey(v4().with("iss", "old-key")), entry: catalogue["MP-121"]},
		"other_organisation":                 {assertion: sign(x5c(pki(), testpki.NameOther).json(), v4().with("iss", "certified").json()), entry: catalogue["MP-122"]},
		"production_certificate":             {assertion: sign(x5c(strangers(), testpki.NameSEID2).json(), v4().with("iss", "certified").json()), entry: catalogue["MP-120"]},
		"alg_none":                           {assertion: b64([]byte(`{"alg":"none","kid":"k1"}`)) + "." + b64([]byte(v4().json())) + ".", entry: catalogue["MP-124"]},
		"RS256_without_signature":            {assertion: byKey(v4())[:strings.LastIndex(byKey(v4()), ".")+1], entry: catalogue["MP-124"]},
		"MP-122_no_organisation":             {assertion: sign(nameless().json(), v4().with("iss", "certified").json()), entry: catalogue["MP-122"]},
		"none_with_signature":                {assertion: sign(`{"alg":"none","kid":"k1"}`, v4().json()), entry: catalogue["MP-124"]},
		"HS256_with_the_public_key":          {assertion: hs256(v4().json()), entry: catalogue["MP-124"]},
		"ES256":                              {assertion: sign(`{"alg":"ES256","kid":"k1"}`, v4().json()), entry: catalogue["MP-124"]},
		"PS256":                              {assertion: sign(`{"alg":"PS256","kid":"k1"}`, v4().json()), entry: catalogue["MP-124"]},
		"no_scope":                           {assertion: byKey(v4().with("scope", nil)), entry: catalogue["MP-011"]},
		"empty_scope":                        {assertion: byKey(v4().with("scope", "")), entry: catalogue["MP-011"]},
		"scope_not_on_client":                {assertion: byKey(v4().with("scope", "difitest:foreign")), entry: catalogue["MP-200"].of("difitest:foreign")},
		"scope_inactive":                     {assertion: byKey(v4().with("scope", "difitest:inactive")), entry: catalogue["MP-200"].of("difitest:inactive")},
		"scope_of_api_klient":                {assertion: byKey(v4().with("scope", "difitest:api")), entry: catalogue["MP-201"]},
		"access_revoked":                     {assertion: byKey(v4().with("scope", "difitest:noaccess")), entry: catalogue["MP-250"].of("difitest:noaccess")},
		"not_delegated":                      {assertion: byKey(v5()), at: at5, prepare: func(_ *testing.T, w *world) { w.sources.delegated = false }, entry: catalogue["MP-251"].of(customer, "difitest:delegated", digdir)},
		"consumer_org_self":                  {assertion: byKey(v5().with("consumer_org", digdir)), at: at5, entry: catalogue["combination"]},
		"iss_onbehalfof":                     {assertion: byKey(v5().with("iss_onbehalfof", customer)), at: at5, entry: catalogue["MP-011"]},
		"consumer_org_with_prefix":           {assertion: byKey(v5().with("consumer_org", "0192:"+customer)), at: at5, entry: catalogue["MP-011"]},
		"unknown_type":                       {assertion: details(systemUser(customer).with("type", "urn:altinn:foo")), entry: catalogue["MP-301"]},
		"extra_member":                       {assertion: details(systemUser(customer).with("extra", 1)), entry: catalogue["MP-302"]},
		"two_customers":                      {assertion: details(systemUser(customer), systemUser(digdir)), entry: catalogue["MP-303"]},
		"no_system_user":                     {assertion: details(systemUser("974761076")), entry: catalogue["no system user"]},
		"resource_is_no_URI":                 {assertion: byKey(v1().with("aud", testIssuer, "resource", "not a uri")), at: issuedAt(v1()), entry: catalogue["MP-011"]},
		"MP-120_revoked":                     {assertion: sign(x5c(pki(), testpki.NameRevoked).json(), v4().with("iss", "certified").json()), entry: catalogue["MP-120"]},
		"MP-120_expired":                     {assertion: sign(x5c(pki(), testpki.NameExpired).json(), v4().with("iss", "certified").json()), entry: catalogue["MP-120"]},
		"MP-123_x5c_is_no_certificate":       {assertion: sign(`{"alg":"RS256","x5c":["AAAA"]}`, v4().with("iss", "certified").json()), entry: catalogue["MP-123"]},
		"MP-124_forged":                      {assertion: forged(byKey(v4())), entry: catalogue["MP-124"]},
		"MP-124_forged_x5c":                  {assertion: forged(sign(x5c(pki(), testpki.NameSEID2).json(), v4().with("iss", "certified").json())), entry: catalogue["MP-124"]},
		"MP-100_inactive":                    {assertion: byKey(v4().with("iss", "inactive")), entry: catalogue["MP-100"]},
		"MP-100_login_client":                {assertion: byKey(v4().with("iss", "login")), entry: catalogue["MP-100"]},
		"MP-100_no_iss":                      {assertion: byKey(v4().with("iss", nil)), entry: catalogue["MP-100"]},
		"MP-250_consumer_without_access":     {assertion: byKey(v5().with("scope", "difitest:noconsumer")), at: at5, entry: catalogue["MP-250"].of("difitest:noconsumer")},
		"combination_no_delegation_source":   {assertion: byKey(v5().with("scope", "difitest:test2")), at: at5, entry: catalogue["combination"]},
		"combination_two_delegation_sources": {assertion: byKey(v5().with("scope", "difitest:delegated difitest:elsewhere")), at: at5, entry: catalogue["combination"]},
		"combination_unknown_source":         {assertion: byKey(v5().with("scope", "difitest:unheard")), at: at5, entry: catalogue["combination"]},
		"combination_supplier_managed":       {assertion: byKey(v4().with("iss", "managed", "scope", "difitest:delegated", "consumer_org", "974761076")), entry: catalogue["combination"]},
		"MP-201_needs_login":                 {assertion: byKey(v4().with("scope", "difitest:login")), entry: catalogue["MP-201"]},
		"MP-201_needs_consent":               {assertion: byKey(v4().with("scope", "difitest:consent")), entry: catalogue["MP-201"]},
		"MP-201_openid":                      {assertion: byKey(v4().with("scope", "openid")), entry: catalogue["MP-201"]},
		"MP-201_openid_of_a_plain_client":    {assertion: byKey(v4().with("iss", "plain", "scope", "openid")), entry: catalogue["MP-201"]},
		"MP-200_several":                     {assertion: byKey(v4().with("scope", "difitest:test2 a:b difitest:gone")), entry: catalogue["MP-200"].of("a:b difitest:gone")},
	}
	for name, n := range v {
		if n.at.IsZero() {
			n.at = at4
			v[name] = n
		}
	}
	return v
}

// hs256 returns an assertion whose HMAC key is the public key. A verifier that trusts alg would accept it.
func hs256(payload string) string {
	input := b64([]byte(`{"alg":"HS256","kid":"k1"}`)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, must(x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)))
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

// otherKey returns an assertion signed with an unregistered key.
func otherKey(header, payload object) string {
	input := b64([]byte(header.json())) + "." + b64([]byte(payload.json()))
	sum := sha256.Sum256([]byte(input))
	return input + "." + b64(must(strangerKey().Sign(nil, sum[:], crypto.SHA256)))
}

// forged changes a character of the signature.
func forged(assertion string) string {
	i := strings.LastIndex(assertion, ".") + 5
	c := byte('A')
	if assertion[i] == c {
		c = 'B'
	}
	return assertion[:i] + string(c) + assertion[i+1:]
}
