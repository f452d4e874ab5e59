package client_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/stretchr/testify/require"
)

const (
	digdir   = "991825827"
	customer = "910753614"
)

// pki returns a test authority whose certificates have the RSA key.
var pki = sync.OnceValue(func() *testpki.Set {
	set, err := testpki.NewSet(testpki.Options{
		Orgno: digdir, Name: "DIGITALISERINGSDIREKTORATET", OtherOrgno: customer, OtherName: "EN KUNDE", Now: now,
		NewKey: func() (crypto.Signer, error) { return rsaKey(), nil },
	})
	if err != nil {
		panic(err)
	}
	return set
})

// revoked is a Revocation with one revoked certificate, or with an error.
type revoked struct {
	serial string
	down   error
}

func (r revoked) Check(ctx context.Context, leaf, _ *x509.Certificate, _ time.Time) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case leaf.SerialNumber.String() == r.serial:
		return businesscert.ErrRevoked
	}
	return r.down
}

func certificates(t testing.TB, status businesscert.Revocation) *businesscert.Verifier {
	t.Helper()
	v, err := businesscert.New(businesscert.Config{Roots: pki().Roots(), Revocation: status})
	require.NoError(t, err)
	return v
}

func theRevoked() revoked {
	return revoked{serial: pki().Certificates[testpki.NameRevoked].Certificate.SerialNumber.String()}
}

// x5cHeader returns the header of an assertion signed with a certificate.
func x5cHeader(name string) object {
	return object{"alg": "RS256", "x5c": testpki.X5C(pki().Chain(name)...)}
}

// certified returns an authenticator with clients of organisations.
func certified(t testing.TB, change func(*client.Config)) (testAuthenticator, *recorder) {
	t.Helper()
	jwt := client.PrivateKeyJWT
	pinned := func(name string) json.RawMessage {
		return jwks(jose.PublicKey{KID: "k1", Key: rsaKey().Public(), X5C: testpki.Chain(pki().Chain(name)...)})
	}
	clients := source{}
	for _, c := range []*client.Client{
		{ClientID: "cert", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, IntegrationType: "maskinporten"},
		{ClientID: "supplied", OrganisationNo: customer, SupplierOrgno: digdir, TokenEndpointAuthMethod: jwt, IntegrationType: "idporten"},
		{ClientID: "nobody", TokenEndpointAuthMethod: jwt},
		{ClientID: "keyed", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, JWKS: jwks(jose.PublicKey{KID: "k1", Key: rsaKey().Public()})},
		{
			ClientID: "aged", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, JWKS: jwks(jose.PublicKey{KID: "k1", Key: rsaKey().Public()}),
			KeysUploadedAt: now.Add(-365 * 24 * time.Hour),
		},
		{ClientID: "broken", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, JWKS: json.RawMessage(`{}`)},
		{ClientID: "secret", OrganisationNo: digdir, Secrets: []client.Secret{secret(t, secretText, now.Add(time.Hour))}},
		{ClientID: "pinned", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, JWKS: pinned(testpki.NameSEID2), IntegrationType: "maskinporten"},
		{ClientID: "pinned-expired", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, JWKS: pinned(testpki.NameExpired)},
		{ClientID: "pinned-revoked", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, JWKS: pinned(testpki.NameRevoked)},
		{ClientID: "pinned-other", OrganisationNo: digdir, TokenEndpointAuthMethod: jwt, JWKS: pinned(testpki.NameOther)},
		{ClientID: "pinned-supplier", OrganisationNo: customer, SupplierOrgno: digdir, TokenEndpointAuthMethod: jwt, JWKS: pinned(testpki.NameSEID2)},
		{ClientID: "plain-x5c", TokenEndpointAuthMethod: jwt, JWKS: pinned(testpki.NameExpired)},
	} {
		clients[c.ClientID] = c
	}
	return authenticator(t, func(cfg *client.Config) {
		cfg.Clients, cfg.Certificates = clients, certificates(t, theRevoked())
		if change != nil {
			change(cfg)
		}
	})
}

// maskinporten are the rules of the jwt-bearer grant (docs/spec/maskinporten.md §1.3).
var maskinporten = client.AssertionRules{
	Purpose: client.ForGrant, Algorithms: client.GrantAlgorithms(), StrictKID: true,
}

// grantClaims are the claims that tell an assertion for a grant from other JWTs.
const grantClaims = `{"iss":"c","aud":"a","scope":"s"}`

// verify verifies an assertion with the keys of a client.
func verify(t testing.TB, a testAuthenticator, clients client.Source, id, token string, rules client.AssertionRules) (client.Assertion, error) {
	t.Helper()
	c, err := clients.Client(t.Context(), id)
	require.NoError(t, err)
	return a.VerifyAssertion(t.Context(), c, token, rules, now)
}

func TestCertificateAuthenticates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ id, certificate, amr string }{
		{"cert", testpki.NameSEID1, "virksomhetssertifikat"},
		{"cert", testpki.NameSEID2, "QCForESeal"},
		{"supplied", testpki.NameOther, "QCForESeal"}, // certificate of the owner
	} {
		a, rec := certified(t, nil)
		got, err := a.Authenticate(t.Context(), withAssertion(tc.id, signJWT(rsaKey(), x5cHeader(tc.certificate), goodClaims(tc.id))), now)
		require.NoError(t, err, tc)
		require.Equal(t, tc.amr, got.AMR)
		require.Equal(t, tc.id, got.ClientID)
		require.Empty(t, rec.events)
	}
	a, _ := certified(t, nil)
	require.Equal(t, []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}, a.Methods(), "x5c is no method of its own")
	for _, alg := range []string{"RS384", "RS512", "PS256"} {
		_, err := a.Authenticate(t.Context(), withAssertion("cert", signJWT(rsaKey(), changed(x5cHeader(testpki.NameSEID1), "alg", alg), goodClaims("cert"))), now)
		require.NoError(t, err, alg)
	}
}

// TestAssertionKeyRejected: the event of private_key_jwt and the fault of VerifyAssertion for invalid keys.
func TestAssertionKeyRejected(t *testing.T) {
	t.Parallel()
	set := pki()
	seid2 := x5cHeader(testpki.NameSEID2)
	own, err := (&testpki.Authority{Key: rsaKey()}).Issue(testpki.Seal{
		Orgno: digdir, Name: "X", Generation: testpki.SEID2, Key: rsaKey().Public(),
		Validity: testpki.Validity{From: now.Add(-time.Hour), To: now.Add(time.Hour)},
	})
	require.NoError(t, err)
	keyHeader := object{"alg": "RS256", "kid": "k1"}
	der := set.Certificates[testpki.NameSEID2].Certificate.Raw
	x5c := func(list any) object { return object{"alg": "RS256", "x5c": list} }
	const (
		certRejected = portner.EventCertificateRejected
		failed       = portner.EventClientAuthFailed
	)
	for name, tc := range map[string]struct {
		id     string
		header object
		key    any
		event  portner.EventName
		reason string
		fault  error // of VerifyAssertion
		cause  error
	}{
		"expired certificate":    {"cert", x5cHeader(testpki.NameExpired), rsaKey(), certRejected, "cert_expired", client.ErrCertificate, businesscert.ErrExpired},
		"revoked certificate":    {"cert", x5cHeader(testpki.NameRevoked), rsaKey(), certRejected, "cert_revoked", client.ErrCertificate, businesscert.ErrRevoked},
		"another organisation":   {"cert", x5cHeader(testpki.NameOther), rsaKey(), certRejected, "cert_organisation_mismatch", client.ErrCertificateOrgno, nil},
		"the supplier's":         {"supplied", seid2, rsaKey(), certRejected, "cert_organisation_mismatch", client.ErrCertificateOrgno, nil},
		"client without orgno":   {"nobody", seid2, rsaKey(), certRejected, "cert_organisation_mismatch", client.ErrCertificateOrgno, nil},
		"self-signed":            {"cert", x5c(testpki.X5C(own)), rsaKey(), certRejected, "cert_chain", client.ErrCertificate, businesscert.ErrChain},
		"chain of one":           {"cert", x5c(testpki.X5C(set.Certificates[testpki.NameSEID2].Certificate)), rsaKey(), certRejected, "cert_chain_incomplete", client.ErrCertificate, businesscert.ErrIncomplete},
		"garbage":                {"cert", x5c([]string{"MAA="}), rsaKey(), certRejected, "cert_malformed", client.ErrCertificate, businesscert.ErrMalformed},
		"six certificates":       {"cert", x5c([]string{"MAA=", "MAA=", "MAA=", "MAA=", "MAA=", "MAA="}), rsaKey(), certRejected, "cert_malformed", client.ErrCertificate, businesscert.ErrMalformed},
		"x5c a string":           {"cert", x5c(base64.StdEncoding.EncodeToString(der)), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c empty":              {"cert", x5c([]string{}), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c null":               {"cert", x5c(json.RawMessage("null")), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c of numbers":         {"cert", x5c([]int{1}), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c an object":          {"cert", x5c(object{}), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c in base64url":       {"cert", x5c([]string{base64.URLEncoding.EncodeToString([]byte{0xfb, 0xff, 0xfe})}), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c without padding":    {"cert", x5c([]string{base64.RawStdEncoding.EncodeToString([]byte("1234"))}), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c with a line break":  {"cert", x5c([]string{"MA\nA="}), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c string, keys":       {"keyed", changed(keyHeader, "x5c", "MAA="), rsaKey(), failed, "assertion_malformed", client.ErrX5C, nil},
		"x5c too long":           {"cert", x5c([]string{strings.Repeat("A", 32<<10)}), rsaKey(), failed, "assertion_malformed", client.ErrAssertionMalformed, nil},
		"long without x5c":       {"cert", object{"alg": "RS256", "pad": strings.Repeat("A", 8<<10)}, rsaKey(), failed, "assertion_malformed", client.ErrAssertionMalformed, nil},
		"long, keys":             {"keyed", changed(keyHeader, "pad", strings.Repeat("A", 8<<10)), rsaKey(), failed, "assertion_malformed", client.ErrAssertionMalformed, nil},
		"neither":                {"cert", object{"alg": "RS256"}, rsaKey(), failed, "assertion_kid_missing", client.ErrNoKeyID, nil},
		"kid alone":              {"cert", keyHeader, rsaKey(), failed, "assertion_kid_unknown", client.ErrUnknownKeyID, nil},
		"another's key":          {"cert", object{"alg": "ES256", "x5c": seid2["x5c"]}, p256Key(), portner.EventAssertionAlgorithm, "assertion_alg_mismatch", client.ErrAssertionAlgorithm, nil},
		"forged":                 {"cert", seid2, []byte("0123456789"), failed, "assertion_signature_mismatch", client.ErrAssertionSignature, nil},
		"crit":                   {"cert", changed(seid2, "crit", []string{"exp"}), rsaKey(), portner.EventAssertionHeader, "assertion_crit", client.ErrAssertionHeader, nil},
		"alg none":               {"cert", changed(seid2, "alg", "none"), nil, portner.EventAssertionAlgorithm, "assertion_alg_mismatch", client.ErrAssertionAlgorithm, nil},
		"alg none, expired":      {"cert", changed(x5cHeader(testpki.NameExpired), "alg", "none"), nil, portner.EventAssertionAlgorithm, "assertion_alg_mismatch", client.ErrAssertionAlgorithm, nil},
		"HS256, public key":      {"cert", changed(seid2, "alg", "HS256"), der, portner.EventAssertionAlgorithm, "assertion_alg_mismatch", client.ErrAssertionAlgorithm, nil},
		"x5c, keys registered":   {"keyed", seid2, rsaKey(), portner.EventAssertionHeader, "assertion_kid_missing", client.ErrNoKeyID, nil},
		"unknown kid":            {"keyed", changed(keyHeader, "kid", "k2"), rsaKey(), failed, "assertion_kid_unknown", client.ErrUnknownKeyID, nil},
		"unknown kid and x5c":    {"keyed", changed(seid2, "kid", "k2"), rsaKey(), failed, "assertion_kid_unknown", client.ErrUnknownKeyID, nil},
		"aged keys":              {"aged", keyHeader, rsaKey(), failed, "key_expired", client.ErrKeyExpired, nil},
		"aged keys, x5c":         {"aged", seid2, rsaKey(), failed, "key_expired", client.ErrKeyExpired, nil},
		"unusable keys":          {"broken", keyHeader, rsaKey(), portner.EventBadRegistration, "jwks_invalid", client.ErrKeySet, nil},
		"unusable keys, x5c":     {"broken", seid2, rsaKey(), portner.EventBadRegistration, "jwks_invalid", client.ErrKeySet, nil},
		"pinned to expired":      {"pinned-expired", keyHeader, rsaKey(), certRejected, "cert_expired", client.ErrCertificate, businesscert.ErrExpired},
		"pinned to revoked":      {"pinned-revoked", keyHeader, rsaKey(), certRejected, "cert_revoked", client.ErrCertificate, businesscert.ErrRevoked},
		"pinned to another's":    {"pinned-other", keyHeader, rsaKey(), certRejected, "cert_organisation_mismatch", client.ErrCertificateOrgno, nil},
		"pinned, another header": {"pinned", changed(x5cHeader(testpki.NameSEID1), "kid", "k1"), rsaKey(), certRejected, "cert_pinned", client.ErrCertificate, businesscert.ErrPinned},
		"pinned, forged":         {"pinned-revoked", keyHeader, []byte("0123456789"), failed, "assertion_signature_mismatch", client.ErrAssertionSignature, nil},
	} {
		token := signJWT(tc.key, tc.header, goodClaims(tc.id))
		store := &replay{}
		var clients client.Source
		a, rec := certified(t, func(cfg *client.Config) { cfg.Replay, clients = store, cfg.Clients })
		_, err := a.Authenticate(t.Context(), withAssertion(tc.id, token), now)
		require.ErrorIs(t, err, portner.InvalidClient, name)
		require.Equal(t, tc.event, rec.last(t).Name, name)
		require.Equal(t, tc.reason, rec.last(t).Reason, name)
		require.Empty(t, store.seen, "%s burnt a jti", name)

		got, err := verify(t, a, clients, tc.id, token, client.AssertionRules{StrictKID: true})
		require.ErrorIs(t, err, tc.fault, name)
		require.Nil(t, got.Payload, name)
		require.Nil(t, got.Certificate, name)
		why, ok := errors.AsType[*client.AssertionError](err)
		require.True(t, ok, name)
		require.Equal(t, tc.fault, why.Fault, name)
		require.Equal(t, tc.event, why.Event, name)
		require.Equal(t, tc.reason, why.Reason, name)
		if tc.cause != nil {
			require.ErrorIs(t, err, tc.cause, name)
		}
		require.NotContains(t, err.Error(), digdir, name)
	}
}

func TestVerifyAssertionAccepts(t *testing.T) {
	t.Parallel()
	var clients client.Source
	a, rec := certified(t, func(cfg *client.Config) { clients, cfg.Replay = cfg.Clients, nil })
	for name, tc := range map[string]struct {
		id     string
		header object
		amr    string
		orgno  string // of the certificate
	}{
		"certificate":                {"cert", x5cHeader(testpki.NameSEID1), "virksomhetssertifikat", digdir},
		"registered key":             {"keyed", object{"alg": "RS512", "kid": "k1"}, "private_key_jwt", ""},
		"registered key wins":        {"keyed", changed(x5cHeader(testpki.NameOther), "kid", "k1"), "private_key_jwt", ""},
		"pinned":                     {"pinned", object{"alg": "RS256", "kid": "k1"}, "private_key_jwt", digdir},
		"pinned, and in the header":  {"pinned", changed(x5cHeader(testpki.NameSEID2), "kid", "k1"), "private_key_jwt", digdir},
		"pinned to the supplier's":   {"pinned-supplier", object{"alg": "RS256", "kid": "k1"}, "private_key_jwt", digdir},
		"with a key of the sender's": {"cert", changed(x5cHeader(testpki.NameSEID1), "jku", "https://evil.example"), "virksomhetssertifikat", digdir},
	} {
		got, err := verify(t, a, clients, tc.id, signJWT(rsaKey(), tc.header, grantClaims), maskinporten)
		require.NoError(t, err, name)
		require.Equal(t, grantClaims, string(got.Payload), name)
		require.Equal(t, tc.amr, got.AMR, name)
		require.Equal(t, tc.header["jku"] != nil, len(got.Ignored) == 1, name)
		if tc.orgno == "" {
			require.Nil(t, got.Certificate, name)
			continue
		}
		require.Equal(t, tc.orgno, got.Certificate.Orgno, name)
	}
	require.Empty(t, rec.events, "the caller reports, in its own words")
}

// TestUnknownKIDBesideACertificate: a kid that names no registered key is rejected by StrictKID, and otherwise ignored beside x5c.
func TestUnknownKIDBesideACertificate(t *testing.T) {
	t.Parallel()
	var clients client.Source
	a, _ := certified(t, func(cfg *client.Config) { clients = cfg.Clients })
	token := signJWT(rsaKey(), changed(x5cHeader(testpki.NameSEID1), "kid", "any"), grantClaims)
	_, err := verify(t, a, clients, "cert", token, maskinporten)
	require.ErrorIs(t, err, client.ErrUnknownKeyID)
	_, err = verify(t, a, clients, "cert", token, client.AssertionRules{Purpose: client.ForGrant})
	require.NoError(t, err)
}

func TestVerifyAssertionRules(t *testing.T) {
	t.Parallel()
	var clients client.Source
	a, _ := certified(t, func(cfg *client.Config) { clients = cfg.Clients })
	unnamed := signJWT(rsaKey(), object{"alg": "RS256"}, grantClaims)
	_, err := verify(t, a, clients, "keyed", unnamed, client.AssertionRules{Purpose: client.ForGrant})
	require.NoError(t, err, "there is but one key")
	_, err = verify(t, a, clients, "keyed", unnamed, maskinporten)
	require.ErrorIs(t, err, client.ErrNoKeyID)
	_, err = verify(t, a, clients, "keyed", signJWT([]byte("x"), object{"alg": "RS256"}, grantClaims), maskinporten)
	require.ErrorIs(t, err, client.ErrNoKeyID, "rather than a bad signature")
	_, err = verify(t, a, clients, "keyed", signJWT(rsaKey(), x5cHeader(testpki.NameSEID2), grantClaims), maskinporten)
	require.ErrorIs(t, err, client.ErrNoKeyID)
	for _, alg := range []string{"PS256", "ES256", "EdDSA", "HS256", "none", "rs256"} {
		for id, header := range map[string]object{"keyed": {"kid": "k1"}, "cert": x5cHeader(testpki.NameSEID2)} {
			_, err = verify(t, a, clients, id, signJWT(rsaKey(), changed(header, "alg", alg), "{}"), maskinporten)
			require.ErrorIs(t, err, client.ErrAssertionAlgorithm, "%s %s", id, alg)
		}
	}
}

// TestCertificatesNotConfigured: without Config.Certificates, assertions with certificates are rejected.
func TestCertificatesNotConfigured(t *testing.T) {
	t.Parallel()
	a, rec := certified(t, func(cfg *client.Config) { cfg.Certificates = nil })
	for id, reason := range map[string]string{"cert": "jwks_invalid", "pinned": "x5c_unsupported"} {
		header := changed(x5cHeader(testpki.NameSEID2), "kid", "k1")
		_, err := a.Authenticate(t.Context(), withAssertion(id, signJWT(rsaKey(), header, goodClaims(id))), now)
		require.ErrorIs(t, err, portner.InvalidClient, id)
		require.Equal(t, reason, rec.last(t).Reason, id)
	}
	// For a plain OpenID Connect client x5c in a key is ignored.
	_, err := a.Authenticate(t.Context(), withAssertion("plain-x5c", signJWT(rsaKey(), object{"alg": "RS256", "kid": "k1"}, goodClaims("plain-x5c"))), now)
	require.NoError(t, err)
}

// TestCertificateOfAClientWithSecrets: a certificate does not authenticate a client that is registered with a secret.
func TestCertificateOfAClientWithSecrets(t *testing.T) {
	t.Parallel()
	a, rec := certified(t, nil)
	_, err := a.Authenticate(t.Context(), withAssertion("secret", signJWT(rsaKey(), x5cHeader(testpki.NameSEID2), goodClaims("secret"))), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "auth_method_mismatch", rec.last(t).Reason)
}

func TestCertificateRevocationUnknown(t *testing.T) {
	t.Parallel()
	status := revoked{down: errors.New("no list")}
	a, rec := certified(t, func(cfg *client.Config) { cfg.Certificates = certificates(t, status) })
	for id, header := range map[string]object{"cert": x5cHeader(testpki.NameSEID2), "pinned": {"alg": "RS256", "kid": "k1"}} {
		_, err := a.Authenticate(t.Context(), withAssertion(id, signJWT(rsaKey(), header, goodClaims(id))), now)
		require.ErrorIs(t, err, portner.InvalidClient, id)
		require.Equal(t, "cert_revocation_unknown", rec.last(t).Reason, id)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = a.Authenticate(ctx, withAssertion(id, signJWT(rsaKey(), header, goodClaims(id))), now)
		require.ErrorIs(t, err, context.Canceled, "%s: a cancelled context is a fault", id)
		require.NotErrorIs(t, err, portner.InvalidClient, id)
	}
}

// TestCertificateForgeryConsumesNoJTI: an assertion that fails any check does not consume its jti.
func TestCertificateForgeryConsumesNoJTI(t *testing.T) {
	t.Parallel()
	claims := goodClaims("cert")
	good := signJWT(rsaKey(), x5cHeader(testpki.NameSEID2), claims)
	a, rec := certified(t, nil)
	body := good[:strings.LastIndexByte(good, '.')]
	for name, token := range map[string]string{
		"forged":     body + "." + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{1}, 256)),
		"revoked":    signJWT(rsaKey(), x5cHeader(testpki.NameRevoked), claims),
		"another's":  signJWT(rsaKey(), x5cHeader(testpki.NameOther), claims),
		"wrong aud":  signJWT(rsaKey(), x5cHeader(testpki.NameSEID2), changed(claims, "aud", "https://other.example.no")),
		"wrong type": signJWT(rsaKey(), changed(x5cHeader(testpki.NameSEID2), "typ", "at+jwt"), claims),
	} {
		_, err := a.Authenticate(t.Context(), withAssertion("cert", token), now)
		require.ErrorIs(t, err, portner.InvalidClient, name)
	}
	_, err := a.Authenticate(t.Context(), withAssertion("cert", good), now)
	require.NoError(t, err)
	_, err = a.Authenticate(t.Context(), withAssertion("cert", good), now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "assertion_replay", rec.last(t).Reason)
}

func TestValidateWithoutKeys(t *testing.T) {
	t.Parallel()
	c := client.Client{ClientID: "c", IntegrationType: "maskinporten", OrganisationNo: digdir, TokenEndpointAuthMethod: client.PrivateKeyJWT}
	require.ErrorContains(t, c.Validate(client.Environment{}), "jwks")
	require.NoError(t, c.Validate(client.Environment{BusinessCertificates: true}))
	plain := client.Client{ClientID: "c", RedirectURIs: []string{"https://rp.example.no/cb"}, TokenEndpointAuthMethod: client.PrivateKeyJWT}
	require.ErrorContains(t, plain.Validate(client.Environment{BusinessCertificates: true}), "jwks", "no organisation, no certificate")
	plain.OrganisationNo, plain.RequireSignedRequestObject = digdir, true
	require.ErrorContains(t, plain.Validate(client.Environment{BusinessCertificates: true}), "jwks", "request objects need keys")
}

// FuzzAssertionX5C: for any header, only a signature of the key of the organisation is accepted.
func FuzzAssertionX5C(f *testing.F) {
	verifier, err := businesscert.New(businesscert.Config{Roots: pki().Roots(), Revocation: businesscert.InsecureNoRevocation{}})
	require.NoError(f, err)
	a, err := client.NewAuthenticator(client.Config{Issuer: issuer, Clients: source{}, Certificates: verifier})
	require.NoError(f, err)
	c := &client.Client{ClientID: "cert", OrganisationNo: digdir, TokenEndpointAuthMethod: client.PrivateKeyJWT}
	// Signatures are random, so each process of a fuzz run creates its certificates; inputs contain their names.
	chain := testpki.X5C(pki().Chain(testpki.NameSEID2)...)
	named := strings.NewReplacer("LEAF", chain[0], "CA", chain[1], "OTHER", testpki.X5C(pki().Chain(testpki.NameOther)...)[0])
	for _, x5c := range []string{`["LEAF","CA"]`, `["LEAF"]`, `["OTHER","CA"]`, `["CA","LEAF"]`, `"LEAF"`, `["LEAF","CA","CA"]`, `"MAA="`, `[]`, `null`, `["MAA="]`, `[["MAA="]]`, `{"0":"MAA="}`, `["MAA=","MAA=","MAA=","MAA=","MAA=","MAA="]`, `["=="]`} {
		f.Add(x5c, `{"iss":"cert","sub":"cert","aud":"a"}`)
	}
	f.Fuzz(func(t *testing.T, x5c, payload string) {
		b64 := base64.RawURLEncoding.EncodeToString
		signed := b64([]byte(`{"alg":"RS256","x5c":`+named.Replace(x5c)+`}`)) + "." + b64([]byte(payload))
		got, err := a.VerifyAssertion(t.Context(), c, signed+"."+b64(signature(rsaKey(), "RS256", []byte(signed))), client.AssertionRules{}, now)
		if err == nil {
			require.Equal(t, digdir, got.Certificate.Orgno)
			require.Equal(t, payload, string(got.Payload))
			return
		}
		require.Nil(t, got.Payload)
		why, ok := errors.AsType[*client.AssertionError](err)
		require.True(t, ok, err)
		require.NotEmpty(t, why.Reason)
	})
}

// TestVerifyAssertionPurpose: a JWT for one purpose is rejected for the others, signed with a registered key or that of a certificate.
func TestVerifyAssertionPurpose(t *testing.T) {
	t.Parallel()
	var clients client.Source
	a, _ := certified(t, func(cfg *client.Config) { clients = cfg.Clients })
	signed := map[client.Purpose]string{
		client.ForAuthentication: `{"iss":"c","sub":"c","aud":"a"}`, client.ForGrant: grantClaims,
		client.ForRequest: `{"iss":"c","aud":"a","client_id":"c","response_type":"code","scope":"s"}`,
	}
	for id, header := range map[string]object{"keyed": {"alg": "RS256", "kid": "k1"}, "cert": x5cHeader(testpki.NameSEID2)} {
		_, err := verify(t, a, clients, id, signJWT(rsaKey(), header, grantClaims), client.AssertionRules{Purpose: 99})
		require.Error(t, err)
		for of, payload := range signed {
			for _, purpose := range []client.Purpose{client.ForAuthentication, client.ForGrant, client.ForRequest} {
				got, err := verify(t, a, clients, id, signJWT(rsaKey(), header, payload), client.AssertionRules{Purpose: purpose})
				if purpose == of {
					require.NoError(t, err, "%s %v", id, of)
					require.Equal(t, payload, string(got.Payload))
					continue
				}
				require.Nil(t, got.Payload, "%s %v as %v", id, of, purpose)
				why, ok := errors.AsType[*client.AssertionError](err)
				require.True(t, ok)
				require.Equal(t, client.ErrAssertionPurpose, why.Fault)
			}
		}
	}
}
