package client_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/stretchr/testify/require"
)

var jtiCount atomic.Int64

// goodClaims returns the claims of a valid assertion with a new jti.
func goodClaims(id string) object {
	return object{"iss": id, "sub": id, "aud": issuer, "iat": now.Unix(), "exp": now.Unix() + 120, "jti": fmt.Sprint("jti-", jtiCount.Add(1))}
}

func withAssertion(id, assertion string) credentials {
	return credentials{ClientID: id, ClientAssertionType: assertionType, ClientAssertion: assertion}
}

var goodHeader = object{"alg": "ES256", "kid": "k1"}

func changed(o object, name string, value any) object {
	c := object{}
	for k, v := range o {
		c[k] = v
	}
	if c[name] = value; value == nil {
		delete(c, name)
	}
	return c
}

// requireRejected requires that the credentials are rejected for the reason, and that no jti is consumed.
func requireRejected(t *testing.T, reason string, c credentials, name string, args ...any) {
	t.Helper()
	store := &replay{}
	a, rec := authenticator(t, func(cfg *client.Config) { cfg.Replay = store })
	_, err := a.Authenticate(t.Context(), c, now)
	require.ErrorIs(t, err, portner.InvalidClient, "%s %v", name, args)
	require.Equal(t, reason, rec.last(t).Reason, "%s %v", name, args)
	require.Empty(t, store.seen, "%s %v: a jti was consumed", name, args)
}

// TestTypedAssertionIsAboutItsClient verifies that sub is compared although the typ says what the token is for.
func TestTypedAssertionIsAboutItsClient(t *testing.T) {
	t.Parallel()
	header := changed(goodHeader, "typ", "client-authentication+jwt")
	requireRejected(t, "assertion_sub_mismatch", withAssertion("jwt", signJWT(p256Key(), header, changed(goodClaims("jwt"), "sub", "other"))), "typed")
}

// TestTypedAssertions verifies that a configuration can require the typ of client assertions.
func TestTypedAssertions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		typ   any
		typed bool
	}{{nil, false}, {"JWT", false}, {"client-authentication+jwt", true}} {
		for _, required := range []bool{false, true} {
			a, _ := authenticator(t, func(cfg *client.Config) { cfg.TypedAssertions = required })
			assertion := signJWT(p256Key(), changed(goodHeader, "typ", tc.typ), goodClaims("jwt"))
			_, err := a.Authenticate(t.Context(), withAssertion("jwt", assertion), now)
			if required && !tc.typed {
				require.ErrorIs(t, err, portner.InvalidClient, "%v, required: %t", tc.typ, required)
			} else {
				require.NoError(t, err, "%v, required: %t", tc.typ, required)
			}
		}
	}
}

func TestAssertionClaims(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("j", 129)
	for _, tc := range []struct {
		name   string
		value  any
		reason string
	}{
		{"iss", nil, "assertion_sub_mismatch"},
		{"iss", "other", "assertion_sub_mismatch"},
		{"iss", []string{"jwt"}, "assertion_sub_mismatch"},
		{"iss", 1, "assertion_sub_mismatch"},
		{"iss", "", "assertion_sub_mismatch"},
		{"iss", "JWT", "assertion_sub_mismatch"},
		{"iss and sub", "other", "assertion_iss_mismatch"},
		{"sub", nil, "assertion_sub_mismatch"},
		{"sub", "other", "assertion_sub_mismatch"},
		{"sub", true, "assertion_sub_mismatch"},
		{"sub", "jwt ", "assertion_sub_mismatch"},
		{"scope", "x", "assertion_purpose_mismatch"}, // an assertion for a grant
		{"client_id", "jwt", "assertion_purpose_mismatch"},
		{"response_type", "code", "assertion_purpose_mismatch"},
		{"events", object{}, "assertion_purpose_mismatch"},
		{"htu", "https://login.example.no/token", "assertion_purpose_mismatch"},
		{"aud", nil, "assertion_aud_mismatch"},
		{"aud", issuer + "/", "assertion_aud_mismatch"},
		{"aud", []string{issuer}, "assertion_aud_mismatch"},
		{"aud", []string{issuer, "https://evil.example"}, "assertion_aud_mismatch"},
		{"aud", tokenEndpoint, "assertion_aud_mismatch"},
		{"aud", issuer + "/par", "assertion_aud_mismatch"},
		{"aud", "https://LOGIN.example.no", "assertion_aud_mismatch"},
		{"aud", "https://other.example.no", "assertion_aud_mismatch"},
		{"aud", "", "assertion_aud_mismatch"},
		{"aud", object{"x": issuer}, "assertion_aud_mismatch"},
		{"aud", "jwt", "assertion_aud_mismatch"},
		{"iat", nil, "assertion_times_malformed"},
		{"iat", "now", "assertion_times_malformed"},
		{"iat", -1, "assertion_times_malformed"},
		{"iat", int64(1) << 34, "assertion_times_malformed"},
		{"exp", nil, "assertion_times_malformed"},
		{"exp", fmt.Sprint(now.Unix()), "assertion_times_malformed"},
		{"exp", 1e300, "assertion_times_malformed"},
		{"exp", -1, "assertion_times_malformed"},
		{"exp", []int{1}, "assertion_times_malformed"},
		{"nbf", "x", "assertion_times_malformed"},
		{"nbf", -1.5, "assertion_times_malformed"},
		{"jti", nil, "assertion_jti_malformed"},
		{"jti", "", "assertion_jti_malformed"},
		{"jti", long, "assertion_jti_malformed"},
		{"jti", 7, "assertion_jti_malformed"},
		{"jti", []string{"a"}, "assertion_jti_malformed"},
	} {
		claims := goodClaims("jwt")
		for name := range strings.SplitSeq(tc.name, " and ") {
			claims = changed(claims, name, tc.value)
		}
		requireRejected(t, tc.reason, withAssertion("jwt", signJWT(p256Key(), goodHeader, claims)), tc.name, tc.value)
	}
	for _, jti := range []string{"x", long[:128], "a\u0000b", strings.Repeat("ø", 128)} {
		a, _ := authenticator(t, nil)
		_, err := a.Authenticate(t.Context(), withAssertion("jwt", signJWT(p256Key(), goodHeader, changed(goodClaims("jwt"), "jti", jti))), now)
		require.NoError(t, err, "%q", jti)
	}
}

func TestAssertionTimesToTheSecond(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		iat, exp, nbf int64 // relative to now; no nbf if 0
		reason        string
	}{
		{"usual", 0, 120, 0, ""},
		{"zero lifetime", 0, 0, 0, ""},
		{"exp before iat", 0, -1, 0, "assertion_lifetime_limit"},
		{"119 s", 0, 119, 0, ""},
		{"120 s", 0, 120, 0, ""},
		{"121 s", 0, 121, 0, "assertion_lifetime_limit"},
		{"iat 9 s ahead", 9, 60, 0, ""},
		{"iat 10 s ahead", 10, 60, 0, ""},
		{"iat 11 s ahead", 11, 60, 0, "assertion_not_yet_valid"},
		{"iat 60 s ahead", 60, 120, 0, "assertion_not_yet_valid"},
		{"iat 61 s ahead", 61, 120, 0, "assertion_not_yet_valid"},
		{"iat and nbf 10 s ahead", 10, 120, 10, ""},
		{"nbf 61 s ahead", 0, 120, 61, "assertion_not_yet_valid"},
		{"nbf 8 s ahead", 0, 60, 8, ""},
		{"nbf 10 s ahead", 0, 60, 10, ""},
		{"nbf 11 s ahead", 0, 60, 11, "assertion_not_yet_valid"},
		{"nbf 60 s ahead", 0, 120, 60, "assertion_not_yet_valid"},
		{"nbf long ago", 0, 60, -9000, ""},
		{"exp now", -60, 0, 0, ""},
		{"exp 9 s ago", -60, -9, 0, ""},
		{"exp 10 s ago", -60, -10, 0, "assertion_expired"},
		{"exp 11 s ago", -60, -11, 0, "assertion_expired"},
		{"exp 5 min ago", -360, -300, 0, "assertion_expired"},
		{"oldest", -129, -9, 0, ""},
		{"older", -130, -10, 0, "assertion_expired"},
		{"year 2242", 0, 1 << 32, 0, "assertion_lifetime_limit"},
	} {
		claims := goodClaims("jwt")
		claims["iat"], claims["exp"] = now.Unix()+tc.iat, now.Unix()+tc.exp
		if tc.nbf != 0 {
			claims["nbf"] = now.Unix() + tc.nbf
		}
		c := withAssertion("jwt", signJWT(p256Key(), goodHeader, claims))
		if tc.reason != "" {
			requireRejected(t, tc.reason, c, tc.name)
			continue
		}
		store := &replay{}
		a, _ := authenticator(t, func(cfg *client.Config) { cfg.Replay = store })
		_, err := a.Authenticate(t.Context(), c, now)
		require.NoError(t, err, tc.name)
		for _, until := range store.seen { // as long as the assertion is valid
			require.True(t, until.Equal(now.Add(time.Duration(tc.exp)*time.Second+10*time.Second)), tc.name)
			require.LessOrEqual(t, until.Sub(now), 310*time.Second)
		}
	}
}

// TestAssertionTimesWithAFraction: the fraction of a NumericDate is removed (RFC 7519 §2), before the limits apply.
func TestAssertionTimesWithAFraction(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		iat, exp float64 // relative to now
		reason   string
	}{
		{0, 119.125, ""},
		{0.5, 120.999, ""},
		{10.9, 60, ""},
		{11.1, 60, "assertion_not_yet_valid"},
		{0.5, 121.5, "assertion_lifetime_limit"},
		{-60.5, -9.5, "assertion_expired"}, // floor(exp) is 10 s ago
		{-60, -8.5, ""},
	} {
		claims := goodClaims("jwt")
		claims["iat"], claims["exp"] = float64(now.Unix())+tc.iat, float64(now.Unix())+tc.exp
		c := withAssertion("jwt", signJWT(p256Key(), goodHeader, claims))
		if tc.reason != "" {
			requireRejected(t, tc.reason, c, "times", tc)
			continue
		}
		a, _ := authenticator(t, nil)
		_, err := a.Authenticate(t.Context(), c, now)
		require.NoError(t, err, "%v", tc)
	}
}

func TestAssertionAlgorithmAndKeyType(t *testing.T) {
	t.Parallel()
	keys := map[string]any{"rsa": rsaKey(), "p256": p256Key(), "p384": p384Key(), "ed25519": edKey()}
	fits := map[string][]string{"rsa": {"RS256", "RS384", "RS512", "PS256"}, "p256": {"ES256"}, "ed25519": {"EdDSA"}}
	publics := map[string]jose.PublicKey{
		"rsa": {KID: "rsa", Key: rsaKey().Public()}, "p256": {KID: "p256", Key: p256Key().Public()},
		"p384": {KID: "p384", Key: p384Key().Public()}, "ed25519": {KID: "ed25519", Key: edKey().Public()},
	}
	set := jwks(publics["rsa"], publics["p256"], publics["p384"], publics["ed25519"])
	algs := []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519",
		"HS256", "HS384", "HS512", "none", "None", "NONE", "rs256", "es256", "eddsa", "RS256 ", "RSA-OAEP", "dir", "",
	}
	for name, key := range keys {
		for _, alg := range algs {
			a, rec := authenticator(t, func(cfg *client.Config) {
				cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: set}}
			})
			_, err := a.Authenticate(t.Context(), withAssertion("c", signJWT(key, object{"alg": alg, "kid": name}, goodClaims("c"))), now)
			if slices.Contains(fits[name], alg) {
				require.NoError(t, err, "%s %s", name, alg)
				continue
			}
			require.ErrorIs(t, err, portner.InvalidClient, "%s %s", name, alg)
			require.Equal(t, portner.EventAssertionAlgorithm, rec.last(t).Name, "%s %s", name, alg)
		}
	}
}

func TestAssertionAlgOfTheKey(t *testing.T) {
	t.Parallel()
	set := jwks(jose.PublicKey{KID: "k", Alg: "RS512", Key: rsaKey().Public()})
	a, rec := authenticator(t, func(cfg *client.Config) {
		cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: set}}
	})
	_, err := a.Authenticate(t.Context(), withAssertion("c", signJWT(rsaKey(), object{"alg": "RS512", "kid": "k"}, goodClaims("c"))), now)
	require.NoError(t, err)
	_, err = a.Authenticate(t.Context(), withAssertion("c", signJWT(rsaKey(), object{"alg": "RS256", "kid": "k"}, goodClaims("c"))), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, portner.EventAssertionAlgorithm, rec.last(t).Name)
}

func TestAssertionHMACWithThePublicKey(t *testing.T) {
	t.Parallel()
	der, err := x509.MarshalPKIXPublicKey(p256Key().Public())
	require.NoError(t, err)
	for _, secret := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), p256JWKS(), {}} {
		requireRejected(t, "assertion_alg_mismatch", withAssertion("jwt", signJWT(secret, object{"alg": "HS256", "kid": "k1"}, goodClaims("jwt"))), "HS256")
		requireRejected(t, "assertion_signature_mismatch", withAssertion("jwt", signJWT(secret, goodHeader, goodClaims("jwt"))), "HMAC called ES256")
	}
}

func TestAssertionHeader(t *testing.T) {
	t.Parallel()
	own := jwks(jose.PublicKey{KID: "evil", Key: edKey().Public()})
	for _, tc := range []struct {
		name   string
		header object
		key    any
		reason string
	}{
		{"unknown kid", changed(goodHeader, "kid", "k2"), p256Key(), "assertion_kid_unknown"},
		{"another case of kid", changed(goodHeader, "kid", strings.ToUpper("k1")), p256Key(), "assertion_kid_unknown"},
		{"path", changed(goodHeader, "kid", "../../k1"), p256Key(), "assertion_malformed"},
		{"NUL", changed(goodHeader, "kid", "k1\x00"), p256Key(), "assertion_malformed"},
		{"SQL", changed(goodHeader, "kid", "k1' OR '1'='1"), p256Key(), "assertion_malformed"},
		{"empty kid", changed(goodHeader, "kid", ""), p256Key(), "assertion_malformed"},
		{"long kid", changed(goodHeader, "kid", strings.Repeat("k", 129)), p256Key(), "assertion_malformed"},
		{"kid of another type", changed(goodHeader, "kid", 1), p256Key(), "assertion_malformed"},
		{"crit", changed(changed(goodHeader, "crit", []string{"exp"}), "exp", 1), p256Key(), "assertion_crit"},
		{"empty crit", changed(goodHeader, "crit", []string{}), p256Key(), "assertion_crit"},
		{"b64", changed(goodHeader, "b64", false), p256Key(), "assertion_crit"},
		{"own jwk", object{"alg": "EdDSA", "kid": "evil", "jwk": own}, edKey(), "assertion_kid_unknown"},
		{"own jku", object{"alg": "EdDSA", "kid": "evil", "jku": "https://evil.example/jwks"}, edKey(), "assertion_kid_unknown"},
		{"own jwk under our kid", object{"alg": "ES256", "kid": "k1", "jwk": own}, newEC(p256Key().Curve), "assertion_signature_mismatch"},
		{"x5c in place of kid", object{"alg": "ES256", "x5c": []string{"MAA="}}, p256Key(), "assertion_kid_missing"},
		{"x5c string", object{"alg": "ES256", "kid": "k1", "x5c": "MAA="}, p256Key(), "assertion_malformed"},
		{"request object", changed(goodHeader, "typ", "oauth-authz-req+jwt"), p256Key(), "assertion_typ"},
		{"logout token", changed(goodHeader, "typ", "logout+jwt"), p256Key(), "assertion_typ"},
		{"access token", changed(goodHeader, "typ", "at+jwt"), p256Key(), "assertion_typ"},
		{"no alg", object{"kid": "k1"}, p256Key(), "assertion_malformed"},
		{"other's key", goodHeader, newEC(p256Key().Curve), "assertion_signature_mismatch"},
	} {
		requireRejected(t, tc.reason, withAssertion("jwt", signJWT(tc.key, tc.header, goodClaims("jwt"))), tc.name)
	}
}

func TestAssertionHeaderAllowed(t *testing.T) {
	t.Parallel()
	a, rec := authenticator(t, nil)
	for _, header := range []object{
		{"alg": "ES256"}, // the client has one key
		changed(goodHeader, "typ", "JWT"), changed(goodHeader, "typ", "jwt"), changed(goodHeader, "typ", "client-authentication+jwt"),
		changed(goodHeader, "typ", "application/client-authentication+jwt"),
		changed(goodHeader, "x5c", []string{"MAA="}), // the registered key is used
		changed(goodHeader, "unknown", 1),
	} {
		_, err := a.Authenticate(t.Context(), withAssertion("jwt", signJWT(p256Key(), header, goodClaims("jwt"))), now)
		require.NoError(t, err, "%v", header)
	}
	require.Empty(t, rec.events)
	// A key of the sender is ignored and reported as an event.
	_, err := a.Authenticate(t.Context(), withAssertion("jwt", signJWT(p256Key(), changed(goodHeader, "jku", "https://evil.example"), goodClaims("jwt"))), now)
	require.NoError(t, err)
	require.Equal(t, portner.EventAssertionHeader, rec.last(t).Name)
	require.Equal(t, "jku", rec.last(t).Reason)
}

func TestAssertionWithoutKIDAndTwoKeys(t *testing.T) {
	t.Parallel()
	set := jwks(jose.PublicKey{KID: "a", Key: p256Key().Public()}, jose.PublicKey{KID: "b", Key: edKey().Public()})
	a, rec := authenticator(t, func(cfg *client.Config) {
		cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: set}}
	})
	_, err := a.Authenticate(t.Context(), withAssertion("c", signJWT(p256Key(), object{"alg": "ES256"}, goodClaims("c"))), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "assertion_kid_missing", rec.last(t).Reason)
}

func TestAssertionMalformed(t *testing.T) {
	t.Parallel()
	good := signJWT(p256Key(), goodHeader, goodClaims("jwt"))
	part := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	quoted := func(s string) string { // claims as text, for members that a map cannot have
		return fmt.Sprintf(`{"iss":"jwt","sub":"jwt","aud":%q,"iat":%d,"exp":%d,"jti":"q%d"%s}`, issuer, now.Unix(), now.Unix()+60, jtiCount.Add(1), s)
	}
	for name, assertion := range map[string]string{
		"one segment":        part[0],
		"two segments":       part[0] + "." + part[1],
		"four segments":      good + ".x",
		"five segments, JWE": good + ".x.y",
		"a million dots":     strings.Repeat(".", 1_000_000),
		"too long":           good + strings.Repeat("A", 8<<10),
		"empty signature":    part[0] + "." + part[1] + ".",
		"empty payload":      part[0] + ".." + part[2],
		"JSON serialisation": `{"payload":"x","signatures":[]}`,
		"padding":            part[0] + "=." + part[1] + "." + part[2],
		"line break":         part[0] + "." + part[1] + "." + part[2][:8] + "\n" + part[2][8:],
		"leading space":      " " + good,
		"plain header":       "{}." + part[1] + "." + part[2],
		"header not JSON":    b64([]byte("x")) + "." + part[1] + "." + part[2],
		"header twice":       b64([]byte(`{"alg":"ES256","alg":"ES256"}`)) + "." + part[1] + "." + part[2],
		"duplicate iss":      signJWT(p256Key(), goodHeader, quoted(`,"iss":"other"`)),
		"ISS beside iss":     signJWT(p256Key(), goodHeader, quoted(`,"ISS":"other"`)),
		"trailing data":      signJWT(p256Key(), goodHeader, quoted("")+"x"),
		"byte order mark":    signJWT(p256Key(), goodHeader, "\ufeff"+quoted("")),
		"array":              signJWT(p256Key(), goodHeader, "["+quoted("")+"]"),
		"deep":               signJWT(p256Key(), goodHeader, quoted(`,"x":`+strings.Repeat("[", 20)+strings.Repeat("]", 20))),
		"not JSON":           signJWT(p256Key(), goodHeader, "x"),
	} {
		requireRejected(t, "assertion_malformed", withAssertion("jwt", assertion), name)
	}
	requireRejected(t, "assertion_signature_mismatch", withAssertion("jwt", part[0]+"."+b64([]byte(quoted("")))+"."+part[2]), "other payload")
	a, _ := authenticator(t, nil)
	for _, typ := range []string{"", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "jwt-bearer", assertionType + " "} {
		c := withAssertion("jwt", good)
		c.ClientAssertionType = typ
		_, err := a.Authenticate(t.Context(), c, now)
		require.ErrorIs(t, err, portner.InvalidRequest, "%q", typ)
	}
}

func TestAssertionTokenEndpointAudience(t *testing.T) {
	t.Parallel()
	a, rec := authenticator(t, func(cfg *client.Config) {
		cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS(), AllowTokenEndpointAudience: true}}
	})
	present := func(aud any) error {
		_, err := a.Authenticate(t.Context(), withAssertion("c", signJWT(p256Key(), goodHeader, changed(goodClaims("c"), "aud", aud))), now)
		return err
	}
	require.NoError(t, present(issuer))
	require.Empty(t, rec.events)
	require.NoError(t, present(tokenEndpoint))
	require.Equal(t, portner.EventLegacyAudience, rec.last(t).Name)
	require.Equal(t, "c", rec.last(t).ClientID)
	for _, aud := range []any{[]string{tokenEndpoint}, []string{issuer}, tokenEndpoint + "/", issuer + "/par", "", nil} {
		require.ErrorIs(t, present(aud), portner.InvalidClient, "%v", aud)
		require.Equal(t, portner.EventAssertionAudience, rec.last(t).Name)
	}
}

func TestAssertionEmptyTokenEndpoint(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, func(cfg *client.Config) {
		cfg.TokenEndpoint = ""
		cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS(), AllowTokenEndpointAudience: true}}
	})
	_, err := a.Authenticate(t.Context(), withAssertion("c", signJWT(p256Key(), goodHeader, changed(goodClaims("c"), "aud", ""))), now)
	require.ErrorIs(t, err, portner.InvalidClient)
}

func TestAssertionKeyAge(t *testing.T) {
	t.Parallel()
	year := 365 * 24 * time.Hour
	for _, tc := range []struct {
		uploaded time.Time
		reason   string
	}{
		{time.Time{}, ""}, {now, ""}, {now.Add(time.Second - year), ""}, {now.Add(-year), "key_expired"}, {now.Add(-2 * year), "key_expired"},
	} {
		a, rec := authenticator(t, func(cfg *client.Config) {
			cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS(), KeysUploadedAt: tc.uploaded}}
		})
		_, err := a.Authenticate(t.Context(), withAssertion("c", signJWT(p256Key(), goodHeader, goodClaims("c"))), now)
		if tc.reason == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, portner.InvalidClient)
		require.Equal(t, tc.reason, rec.last(t).Reason)
	}
}

func TestAssertionKeysFollowTheRegistration(t *testing.T) {
	t.Parallel()
	registered := source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS()}}
	a, rec := authenticator(t, func(cfg *client.Config) { cfg.Clients = registered })
	present := func(key any, alg string) error {
		_, err := a.Authenticate(t.Context(), withAssertion("c", signJWT(key, object{"alg": alg, "kid": "k1"}, goodClaims("c"))), now)
		return err
	}
	require.NoError(t, present(p256Key(), "ES256"))
	replaced := *registered["c"]
	replaced.JWKS = jwks(jose.PublicKey{KID: "k1", Key: edKey().Public()})
	registered["c"] = &replaced
	require.NoError(t, present(edKey(), "EdDSA"))
	require.ErrorIs(t, present(p256Key(), "ES256"), portner.InvalidClient, "the old key is out")

	broken := replaced
	broken.JWKS = []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)
	registered["c"] = &broken
	require.ErrorIs(t, present(edKey(), "EdDSA"), portner.InvalidClient)
	require.Equal(t, portner.EventBadRegistration, rec.last(t).Name)
}

func TestAssertionReplay(t *testing.T) {
	t.Parallel()
	registered := registrations(t)
	registered["jwt2"] = &client.Client{ClientID: "jwt2", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS()}
	a, rec := authenticator(t, func(cfg *client.Config) { cfg.Clients = registered })
	claims := goodClaims("jwt")
	assertion := signJWT(p256Key(), goodHeader, claims)

	forged := assertion[:strings.LastIndex(assertion, ".")+1] + strings.Repeat("A", 86)
	_, err := a.Authenticate(t.Context(), withAssertion("jwt", forged), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	_, err = a.Authenticate(t.Context(), withAssertion("jwt", assertion), now)
	require.NoError(t, err, "the forged one burnt nothing")
	_, err = a.Authenticate(t.Context(), withAssertion("jwt", assertion), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, portner.EventAssertionReplay, rec.last(t).Name)
	// The jti is compared, not the text: ECDSA signatures of equal claims differ.
	_, err = a.Authenticate(t.Context(), withAssertion("jwt", signJWT(p256Key(), goodHeader, claims)), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	// The jti of another client is not the same.
	_, err = a.Authenticate(t.Context(), withAssertion("jwt2", signJWT(p256Key(), goodHeader, changed(goodClaims("jwt2"), "jti", claims["jti"]))), now)
	require.NoError(t, err)
}

type failingReplay struct{ err error }

func (f failingReplay) ConsumeJTI(context.Context, string, storage.Hash, time.Time, time.Time) error {
	return f.err
}

func TestAssertionReplayStoreFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{storage.ErrFull, errors.New("away")} {
		a, _ := authenticator(t, func(cfg *client.Config) { cfg.Replay = failingReplay{fault} })
		got, err := a.Authenticate(t.Context(), mechanisms[2].with("jwt"), now)
		require.ErrorIs(t, err, fault)
		require.NotErrorIs(t, err, portner.InvalidClient)
		require.Nil(t, got.Client)
	}
}

// brokenReplay is the negative control of the race: it checks and remembers in two steps. Between them, the first caller waits for a
// second one to check.
type brokenReplay struct {
	mu     sync.Mutex
	seen   map[storage.Hash]bool
	second map[storage.Hash]chan struct{} // closed when the second caller has checked
}

func (b *brokenReplay) ConsumeJTI(_ context.Context, _ string, key storage.Hash, _, _ time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen[key] {
		return storage.ErrConsumed
	}
	if second, waiting := b.second[key]; !waiting {
		second = make(chan struct{})
		b.second[key] = second
		b.mu.Unlock()
		<-second
		b.mu.Lock()
	} else {
		close(second)
		b.seen[key] = true // later callers find it
	}
	return nil
}

// race sends each of rounds assertions from several goroutines at once and counts the successes.
func race(t *testing.T, store client.ReplayStore, rounds int) (doubled int) {
	a, _ := authenticator(t, func(cfg *client.Config) {
		cfg.Replay = store
		cfg.Clients = source{"c": {ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS()}}
	})
	for range rounds {
		c := withAssertion("c", signJWT(p256Key(), goodHeader, goodClaims("c")))
		var in atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := a.Authenticate(t.Context(), c, now); err == nil {
					in.Add(1)
				}
			})
		}
		wg.Wait()
		require.NotZero(t, in.Load())
		if in.Load() > 1 {
			doubled++
		}
	}
	return doubled
}

func TestAssertionReplayRace(t *testing.T) {
	t.Parallel()
	rounds := slow.Rounds(500)
	if testing.Short() {
		rounds = 50
	}
	require.Zero(t, race(t, &replay{}, rounds))
	require.Equal(t, 20, race(t, &brokenReplay{seen: map[storage.Hash]bool{}, second: map[storage.Hash]chan struct{}{}}, 20), "the negative control passed: this test proves nothing")
}

// TestAssertionAudience: the form of aud that each rule accepts.
func TestAssertionAudience(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		aud          any
		text, listed bool
	}{
		{issuer, true, true},
		{[]string{issuer}, false, true},
		{[]string{issuer, issuer}, false, false},
		{[]string{issuer, "https://other.example"}, false, false},
		{[]string{}, false, false},
		{[]any{issuer, 1}, false, false},
		{[]any{[]string{issuer}}, false, false},
		{object{"0": issuer}, false, false},
		{[]string{tokenEndpoint}, false, false},
		{issuer + "/", false, false},
		{"", false, false},
		{nil, false, false},
	} {
		for rule, want := range map[client.AudienceRule]bool{client.IssuerString: tc.text, client.IssuerOrList: tc.listed} {
			a, rec := authenticator(t, func(cfg *client.Config) { cfg.AssertionAudience = rule })
			_, err := a.Authenticate(t.Context(), withAssertion("jwt", signJWT(p256Key(), goodHeader, changed(goodClaims("jwt"), "aud", tc.aud))), now)
			if want {
				require.NoError(t, err, "%v", tc.aud)
				continue
			}
			require.ErrorIs(t, err, portner.InvalidClient, "%v", tc.aud)
			require.Equal(t, portner.EventAssertionAudience, rec.last(t).Name)
		}
	}
}

// FuzzAssertion changes a valid assertion: only the signed text is accepted.
func FuzzAssertion(f *testing.F) {
	claims := changed(goodClaims("jwt"), "jti", "fuzz")
	good := signJWT(p256Key(), goodHeader, claims)
	f.Add(0, []byte{}, 0)
	f.Add(10, []byte("x"), 1)
	f.Add(len(good), []byte("\n"), 0)
	f.Add(len(good)-1, []byte("B"), 1)
	f.Fuzz(func(t *testing.T, pos int, insert []byte, cut int) {
		pos = max(0, min(pos, len(good)))
		end := max(pos, min(len(good), pos+cut))
		changed := good[:pos] + string(insert) + good[end:]
		a, _ := authenticator(t, nil)
		_, err := a.Authenticate(t.Context(), withAssertion("jwt", changed), now)
		require.Equal(t, bytes.Equal([]byte(changed), []byte(good)), err == nil, "%q", changed)
	})
}

// TestAssertionLifetime: a profile can accept assertions of up to an hour, whose jti is kept as long.
func TestAssertionLifetime(t *testing.T) {
	t.Parallel()
	for _, invalid := range []time.Duration{-1, time.Hour + 1} {
		_, err := client.NewAuthenticator(client.Config{Issuer: issuer, Clients: source{}, AssertionLifetime: invalid})
		require.ErrorContains(t, err, "AssertionLifetime: must be at most an hour")
	}
	for seconds, reason := range map[int64]string{3600: "", 3601: "assertion_lifetime_limit"} {
		store := &replay{}
		a, rec := authenticator(t, func(cfg *client.Config) { cfg.Replay, cfg.AssertionLifetime = store, time.Hour })
		claims := changed(goodClaims("jwt"), "exp", now.Unix()+seconds)
		_, err := a.Authenticate(t.Context(), withAssertion("jwt", signJWT(p256Key(), goodHeader, claims)), now)
		if reason != "" {
			require.ErrorIs(t, err, portner.InvalidClient)
			require.Equal(t, reason, rec.last(t).Reason)
			require.Equal(t, "at most 3600 seconds after iat", rec.last(t).Explanation.Expected)
			continue
		}
		require.NoError(t, err)
		require.Len(t, store.seen, 1)
		for _, until := range store.seen {
			require.True(t, until.Equal(now.Add(time.Hour+10*time.Second)), "%s", until)
		}
	}
}

// TestAssertionsAreExplained: the event of a rejected assertion has the value of the header parameter or claim, unless it can be secret.
func TestAssertionsAreExplained(t *testing.T) {
	t.Parallel()
	header := func(name string, value any) map[string]any { return changed(goodHeader, name, value) }
	claim := func(name string, value any) map[string]any { return changed(goodClaims("jwt"), name, value) }
	for _, tc := range []struct {
		header, claims                map[string]any
		parameter, received, expected string
	}{
		{goodHeader, claim("aud", "https://evil.example"), "aud", "https://evil.example", issuer},
		{goodHeader, claim("aud", []string{issuer, "x"}), "aud", `["` + issuer + `","x"]`, issuer},
		{header("kid", "another"), goodClaims("jwt"), "kid", "another", ""},
		{goodHeader, claim("sub", "21879498012"), "sub", "", ""},
		{goodHeader, claim("jti", ""), "jti", "", ""},
		{goodHeader, claim("exp", now.Unix()-1000), "exp", fmt.Sprint(now.Unix() - 1000), ""},
	} {
		a, rec := authenticator(t, nil)
		_, err := a.Authenticate(t.Context(), withAssertion("jwt", signJWT(p256Key(), tc.header, tc.claims)), now)
		require.ErrorIs(t, err, portner.InvalidClient)
		got := rec.last(t).Explanation
		require.Equal(t, tc.parameter, got.Parameter)
		require.Equal(t, tc.received, got.Received, tc.parameter)
		require.NotEmpty(t, got.Expected)
		if tc.expected != "" {
			require.Equal(t, tc.expected, got.Expected)
		}
	}
}
