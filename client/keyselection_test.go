package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/testpki"
)

// TestAssertionKeysOfOneKID: of several registered keys with the kid of an assertion the one counts that is for its alg, and only its
// certificate is verified.
func TestAssertionKeysOfOneKID(t *testing.T) {
	t.Parallel()
	expired := testpki.Chain(pki().Chain(testpki.NameExpired)...)
	keys := []jose.PublicKey{
		{KID: "k1", Alg: jose.EdDSA, Key: edKey().Public()},
		{KID: "k1", Alg: jose.RS256, Key: rsaKey().Public(), X5C: expired},
		{KID: "k1", Alg: jose.ES256, Key: p256Key().Public()},
		{KID: "k2", Key: p384Key().Public()},
	}
	registered := &client.Client{ClientID: "jwt", TokenEndpointAuthMethod: client.PrivateKeyJWT, OrganisationNo: digdir, JWKS: jwks(keys...)}
	for name, tt := range map[string]struct {
		key    any
		header object
		reason string
	}{
		"the EdDSA key":           {edKey(), object{"alg": "EdDSA", "kid": "k1"}, ""},
		"the ES256 key":           {p256Key(), object{"alg": "ES256", "kid": "k1"}, ""},
		"the key that is expired": {rsaKey(), object{"alg": "RS256", "kid": "k1"}, "cert_expired"},
		"an alg of no key":        {rsaKey(), object{"alg": "PS256", "kid": "k1"}, "assertion_alg_mismatch"},
		"the key of another kid":  {p256Key(), object{"alg": "ES256", "kid": "k2"}, "assertion_alg_mismatch"},
		"an unknown key":          {newEC(p256Key().Curve), object{"alg": "ES256", "kid": "k1"}, "assertion_signature_mismatch"},
		"no kid":                  {p256Key(), object{"alg": "ES256"}, "assertion_kid_missing"},
	} {
		a, rec := authenticator(t, func(cfg *client.Config) {
			cfg.Clients, cfg.Certificates = source{"jwt": registered}, certificates(t, theRevoked())
		})
		_, err := a.Authenticate(t.Context(), withAssertion("jwt", signJWT(tt.key, tt.header, goodClaims("jwt"))), now)
		if tt.reason == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, portner.InvalidClient, name)
		require.Equal(t, tt.reason, rec.last(t).Reason, name)
	}
}

// TestSigningAlgorithms: Config.SigningAlgorithms restricts the assertions of clients for every purpose, also a list of AssertionRules, and
// is published.
func TestSigningAlgorithms(t *testing.T) {
	t.Parallel()
	fapi := []string{jose.PS256, jose.ES256, jose.EdDSA}
	clients := source{
		"rsa": {ClientID: "rsa", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks(jose.PublicKey{KID: "k1", Key: rsaKey().Public()})},
		"384": {ClientID: "384", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks(jose.PublicKey{KID: "k1", Key: p384Key().Public()})},
	}
	restricted, rec := authenticator(t, func(cfg *client.Config) { cfg.Clients, cfg.SigningAlgorithms = clients, fapi })
	wide, _ := authenticator(t, func(cfg *client.Config) { cfg.Clients, cfg.SigningAlgorithms = clients, []string{jose.ES384} })
	standard, _ := authenticator(t, func(cfg *client.Config) { cfg.Clients, cfg.SigningAlgorithms = clients, []string{} })
	require.Equal(t, fapi, restricted.AssertionAlgorithms())
	require.Contains(t, standard.AssertionAlgorithms(), jose.RS256, "an empty list is no list")

	assertion := func(id, alg string, key any) credentials {
		return withAssertion(id, signJWT(key, object{"alg": alg, "kid": "k1"}, goodClaims(id)))
	}
	_, err := restricted.Authenticate(t.Context(), assertion("rsa", "PS256", rsaKey()), now)
	require.NoError(t, err)
	_, err = wide.Authenticate(t.Context(), assertion("384", "ES384", p384Key()), now)
	require.NoError(t, err)
	_, err = restricted.Authenticate(t.Context(), assertion("rsa", "RS256", rsaKey()), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "assertion_alg_mismatch", rec.last(t).Reason)
	_, err = standard.Authenticate(t.Context(), assertion("384", "ES384", p384Key()), now)
	require.ErrorIs(t, err, portner.InvalidClient)

	grant := signJWT(rsaKey(), object{"alg": "RS256", "kid": "k1"}, object{"iss": "rsa", "aud": issuer, "scope": "s"})
	_, err = verify(t, standard, clients, "rsa", grant, maskinporten)
	require.NoError(t, err)
	_, err = verify(t, restricted, clients, "rsa", grant, maskinporten)
	require.ErrorIs(t, err, client.ErrAssertionAlgorithm, "no algorithm of the rules is allowed")
	request := signJWT(rsaKey(), object{"alg": "RS256", "kid": "k1", "typ": "oauth-authz-req+jwt"}, object{"iss": "rsa", "aud": issuer, "client_id": "rsa", "response_type": "code"})
	_, err = verify(t, standard, clients, "rsa", request, client.AssertionRules{Purpose: client.ForRequest})
	require.NoError(t, err)
	_, err = verify(t, restricted, clients, "rsa", request, client.AssertionRules{Purpose: client.ForRequest})
	require.ErrorIs(t, err, client.ErrAssertionAlgorithm)

	_, err = client.NewAuthenticator(client.Config{
		Issuer: issuer, Clients: clients, SigningAlgorithms: []string{"none", "ES256", "HS256", "ES256", "Ed448"},
	})
	found := portner.FieldErrors(err)
	require.Len(t, found, 4)
	for i, field := range []string{"SigningAlgorithms[0]", "SigningAlgorithms[2]", "SigningAlgorithms[3]", "SigningAlgorithms[4]"} {
		require.Equal(t, field, found[i].Field)
	}
}

// TestValidateSigningAlgorithms: a key for no algorithm of the environment is rejected.
func TestValidateSigningAlgorithms(t *testing.T) {
	t.Parallel()
	fapi := client.Environment{SigningAlgorithms: []string{jose.PS256, jose.ES256, jose.EdDSA}}
	c := client.Client{
		ClientID: "c", TokenEndpointAuthMethod: client.PrivateKeyJWT, RedirectURIs: []string{callback}, JWKS: rsaJWKS(jose.RS256),
	}
	require.NoError(t, c.Validate(client.Environment{}))
	require.Equal(t, []string{"jwks.keys[0]"}, problems(t, &c, fapi))
	c.JWKS = rsaJWKS("") // also for PS256
	require.NoError(t, c.Validate(fapi))
	c.JWKS = jwks(jose.PublicKey{KID: "k1", Key: p384Key().Public()})
	require.Equal(t, []string{"jwks.keys[0]"}, problems(t, &c, client.Environment{}))
	require.NoError(t, c.Validate(client.Environment{SigningAlgorithms: []string{jose.ES384, jose.PS256, jose.ES256, jose.EdDSA}}))
	grants := machine("maskinporten", nil)
	require.Equal(t, []string{"jwks.keys[0]"}, problems(t, grants, fapi), "no algorithm of the grant is allowed")
}
