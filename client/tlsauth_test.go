package client_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/testpki"
)

// tlsPKI holds an authority that the provider trusts, and one with the same name that it does not trust.
type tlsPKI struct {
	root, issuing, foreign *testpki.Authority
}

var (
	aroundNow = testpki.Validity{From: now.Add(-time.Hour), To: now.Add(time.Hour)}
	tlsKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	tlsCAs    = sync.OnceValue(func() tlsPKI {
		root, err1 := testpki.NewRoot("Client Root", testpki.AuthorityOrgno, newEC(elliptic.P256()), aroundNow)
		issuing, err2 := root.NewAuthority("Client CA", testpki.AuthorityOrgno, newEC(elliptic.P256()), aroundNow)
		foreign, err3 := testpki.NewRoot("Client Root", testpki.AuthorityOrgno, newEC(elliptic.P256()), aroundNow)
		for _, err := range []error{err1, err2, err3} {
			if err != nil {
				panic(err)
			}
		}
		return tlsPKI{root, issuing, foreign}
	})
)

const clientDN = "CN=client,OU=a,O=Example,C=NO"

// tlsCert returns a certificate of an authority for TLS clients, with the subject clientDN and the key of the tests.
func tlsCert(t testing.TB, ca *testpki.Authority, changes ...testpki.Change) *x509.Certificate {
	t.Helper()
	usual := func(c *x509.Certificate) {
		c.Policies, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		c.RawSubject = dn(t, oneRDN(oidC, "NO"), oneRDN(oidO, "Example"), oneRDN(oidOU, "a"), oneRDN(oidCN, "client"))
	}
	cert, err := ca.Issue(testpki.Seal{Orgno: digdir, Name: "X", Key: tlsKey().Public(), Validity: aroundNow}, append([]testpki.Change{usual}, changes...)...)
	require.NoError(t, err)
	return cert
}

// selfSigned returns a self-signed certificate of the key of the tests.
func selfSigned(t testing.TB, changes ...testpki.Change) *x509.Certificate {
	t.Helper()
	return tlsCert(t, &testpki.Authority{Key: tlsKey()}, changes...)
}

func withSubject(der []byte) testpki.Change { return func(c *x509.Certificate) { c.RawSubject = der } }

// withNames adds the extension of alternative names, with the octets of each name as they are.
func withNames(t testing.TB, names ...asn1.RawValue) testpki.Change {
	der, err := asn1.Marshal(names)
	require.NoError(t, err)
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: der})
	}
}

func nameOf(tag int, octets string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(octets)}
}

// tlsClients are the registrations of the tests.
func tlsClients(t testing.TB) source {
	t.Helper()
	registered := jwks(
		jose.PublicKey{KID: "a", Key: tlsKey().Public(), X5C: [][]byte{theSelfSigned().Raw}},
		jose.PublicKey{KID: "b", Key: p256Key().Public()},
	)
	s := source{}
	for _, c := range []client.Client{
		{ClientID: "dn", TLSClientAuthSubjectDN: clientDN},
		{ClientID: "dns", TLSClientAuthSANDNS: "Client.Example.no"},
		{ClientID: "uri", TLSClientAuthSANURI: "https://client.example.no/a?b#c"},
		{ClientID: "ip4", TLSClientAuthSANIP: "192.0.2.7"},
		{ClientID: "ip6", TLSClientAuthSANIP: "2001:db8:0:0::7"},
		{ClientID: "email", TLSClientAuthSANEmail: "Ola@Example.no"},
		{ClientID: "none-registered"},
		{ClientID: "two-registered", TLSClientAuthSubjectDN: clientDN, TLSClientAuthSANDNS: "client.example.no"},
		{ClientID: "broken", TLSClientAuthSubjectDN: "CN=client, C=NO"},
		{ClientID: "self", TokenEndpointAuthMethod: client.SelfSignedTLSClientAuth, JWKS: registered},
		{ClientID: "self-aged", TokenEndpointAuthMethod: client.SelfSignedTLSClientAuth, JWKS: registered, KeysUploadedAt: now.Add(-365 * 24 * time.Hour)},
		{ClientID: "jwt", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: registered},
		{ClientID: "spa", ApplicationType: client.Browser, TokenEndpointAuthMethod: client.None},
		{ClientID: "off", TLSClientAuthSubjectDN: clientDN, Disabled: true},
	} {
		if c.TokenEndpointAuthMethod == "" {
			c.TokenEndpointAuthMethod = client.TLSClientAuth
		}
		s[c.ClientID] = &c
	}
	return s
}

// theSelfSigned is the certificate of the client "self".
var theSelfSigned = sync.OnceValue(func() *x509.Certificate {
	cert, err := (&testpki.Authority{Key: tlsKey()}).Issue(testpki.Seal{Orgno: digdir, Name: "X", Key: tlsKey().Public(), Validity: aroundNow})
	if err != nil {
		panic(err)
	}
	return cert
})

// tlsAuthenticator supports both methods of mutual TLS.
func tlsAuthenticator(t testing.TB, change func(*client.Config)) (testAuthenticator, *recorder) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(tlsCAs().root.Certificate)
	return authenticator(t, func(cfg *client.Config) {
		cfg.Clients, cfg.TLSClientCAs, cfg.SelfSignedTLSClientAuth = tlsClients(t), roots, true
		if change != nil {
			change(cfg)
		}
	})
}

// presents returns a request with a client_id and certificates.
func presents(id string, chain ...*x509.Certificate) client.Request {
	r := credentials{ClientID: id}.request()
	if len(chain) > 0 {
		r.Certificate, r.Intermediates = chain[0], chain[1:]
	}
	return r
}

// TestTLSClientAuth: the certificate has a chain to a configured root, and the registered name.
func TestTLSClientAuth(t *testing.T) {
	t.Parallel()
	issuing := tlsCAs().issuing
	names := func(names ...asn1.RawValue) *x509.Certificate { return tlsCert(t, issuing, withNames(t, names...)) }
	anyUsage := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }
	for name, tt := range map[string]struct {
		id    string
		chain []*x509.Certificate
	}{
		"subject":                       {"dn", []*x509.Certificate{tlsCert(t, issuing), issuing.Certificate}},
		"subject, of the root itself":   {"dn", []*x509.Certificate{tlsCert(t, tlsCAs().root)}},
		"subject, the root beside it":   {"dn", []*x509.Certificate{tlsCert(t, issuing), issuing.Certificate, tlsCAs().root.Certificate}},
		"no extended key usage":         {"dn", []*x509.Certificate{tlsCert(t, issuing, func(c *x509.Certificate) { c.ExtKeyUsage = nil }), issuing.Certificate}},
		"any extended key usage":        {"dn", []*x509.Certificate{tlsCert(t, issuing, anyUsage), issuing.Certificate}},
		"dns, in another case":          {"dns", []*x509.Certificate{names(nameOf(2, "client.eXAMPLE.NO")), issuing.Certificate}},
		"dns, the second name":          {"dns", []*x509.Certificate{names(nameOf(2, "a.example.no"), nameOf(2, "client.example.no")), issuing.Certificate}},
		"uri":                           {"uri", []*x509.Certificate{names(nameOf(6, "https://client.example.no/a?b#c")), issuing.Certificate}},
		"IPv4":                          {"ip4", []*x509.Certificate{names(nameOf(7, "\xc0\x00\x02\x07")), issuing.Certificate}},
		"IPv6, written in another way":  {"ip6", []*x509.Certificate{names(nameOf(7, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x07")), issuing.Certificate}},
		"email, host in another case":   {"email", []*x509.Certificate{names(nameOf(1, "Ola@eXAMPLE.no")), issuing.Certificate}},
		"dns, beside names of its kind": {"dns", []*x509.Certificate{names(nameOf(7, "\xc0\x00\x02\x07"), nameOf(2, "client.example.no")), issuing.Certificate}},
	} {
		a, rec := tlsAuthenticator(t, nil)
		got, err := a.Authenticator.Authenticate(t.Context(), presents(tt.id, tt.chain...), "token", now)
		require.NoError(t, err, name)
		require.Equal(t, tt.id, got.ClientID, name)
		require.Equal(t, "tls_client_auth", got.AMR, name)
		require.Empty(t, rec.events, name)
	}
}

// TestTLSClientAuthRejected: every attack has the same response, and its own reason in the log.
func TestTLSClientAuthRejected(t *testing.T) {
	t.Parallel()
	pki := tlsCAs()
	issuing := pki.issuing
	signed := func(changes ...testpki.Change) []*x509.Certificate {
		return []*x509.Certificate{tlsCert(t, issuing, changes...), issuing.Certificate}
	}
	names := func(names ...asn1.RawValue) []*x509.Certificate { return signed(withNames(t, names...)) }
	relatives := func(r ...rdn) []*x509.Certificate { return signed(withSubject(dn(t, r...))) }
	c, o, ou, cn := oneRDN(oidC, "NO"), oneRDN(oidO, "Example"), oneRDN(oidOU, "a"), oneRDN(oidCN, "client")
	usage := func(u ...x509.ExtKeyUsage) testpki.Change { return func(c *x509.Certificate) { c.ExtKeyUsage = u } }
	serverCA, err := pki.root.NewAuthority("Server CA", testpki.AuthorityOrgno, newEC(elliptic.P256()), aroundNow, usage(x509.ExtKeyUsageServerAuth))
	require.NoError(t, err)
	constrained, err := pki.root.NewAuthority("Other CA", testpki.AuthorityOrgno, newEC(elliptic.P256()), aroundNow, func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"other.example"}, true
	})
	require.NoError(t, err)
	leaf := tlsCert(t, issuing)
	noCA, err := (&testpki.Authority{Certificate: leaf, Key: tlsKey()}).Issue(testpki.Seal{Orgno: digdir, Name: "X", Key: tlsKey().Public(), Validity: aroundNow}, withSubject(leaf.RawSubject))
	require.NoError(t, err)
	weakKey := func(key crypto.PublicKey) *x509.Certificate {
		copied := *tlsCert(t, issuing)
		copied.PublicKey = key
		return &copied
	}
	for name, tt := range map[string]struct {
		id     string
		chain  []*x509.Certificate
		reason string
	}{
		"no certificate": {"dn", nil, "tls_certificate_missing"},
		"a certificate of another root with the same name and subject": {"dn", []*x509.Certificate{tlsCert(t, pki.foreign)}, "tls_certificate_untrusted"},
		"beside the trusted authority":                                 {"dn", []*x509.Certificate{tlsCert(t, pki.foreign), issuing.Certificate, pki.root.Certificate}, "tls_certificate_untrusted"},
		"with its own root":                                            {"dn", []*x509.Certificate{tlsCert(t, pki.foreign), pki.foreign.Certificate}, "tls_certificate_untrusted"},
		"self-signed":                                                  {"dn", []*x509.Certificate{theSelfSigned()}, "tls_certificate_untrusted"},
		"without the authority":                                        {"dn", signed()[:1], "tls_certificate_untrusted"},
		"signed by a certificate that is no authority":                 {"dn", []*x509.Certificate{noCA, leaf, issuing.Certificate}, "tls_certificate_untrusted"},
		"a name that the authority must not give":                      {"dns", []*x509.Certificate{tlsCert(t, constrained, withNames(t, nameOf(2, "client.example.no"))), constrained.Certificate}, "tls_certificate_untrusted"},
		"for servers":                                                  {"dn", signed(usage(x509.ExtKeyUsageServerAuth)), "tls_certificate_usage"},
		"for email":                                                    {"dn", signed(usage(x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageCodeSigning)), "tls_certificate_usage"},
		"of an authority for servers":                                  {"dn", []*x509.Certificate{tlsCert(t, serverCA), serverCA.Certificate}, "tls_certificate_usage"},
		"a critical extension that is unknown": {"dn", signed(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true}}
		}), "tls_certificate_untrusted"},
		"five authorities": {"dn", append(signed(), issuing.Certificate, issuing.Certificate, issuing.Certificate, issuing.Certificate), "tls_certificate_limit"},
		"33 KiB": {"dn", signed(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, 33<<10)}}
		}), "tls_certificate_limit"},
		"RSA of 1024 bits":                       {"dn", []*x509.Certificate{weakKey(&rsa.PublicKey{N: weakModulus(), E: 65537}), issuing.Certificate}, "tls_certificate_weak"},
		"P-224":                                  {"dn", []*x509.Certificate{weakKey(newEC(elliptic.P224()).Public()), issuing.Certificate}, "tls_certificate_weak"},
		"an authority with a weak key":           {"dn", append(signed(), weakKey(newEC(elliptic.P224()).Public())), "tls_certificate_weak"},
		"relative names in another order":        {"dn", relatives(c, ou, o, cn), "tls_certificate_mismatch"},
		"relative names in one set":              {"dn", relatives(c, o, rdn{ou[0], cn[0]}), "tls_certificate_mismatch"},
		"a relative name more":                   {"dn", relatives(c, o, ou, cn, oneRDN(oidCN, "client")), "tls_certificate_mismatch"},
		"the registered text as one value":       {"dn", relatives(oneRDN(oidCN, clientDN)), "tls_certificate_mismatch"},
		"a value with a separator":               {"dn", relatives(c, o, oneRDN(oidCN, "client,OU=a")), "tls_certificate_mismatch"},
		"NUL in the subject":                     {"dn", relatives(c, o, ou, oneRDN(oidCN, tagged(asn1.TagUTF8String, "client\x00.evil.example"))), "tls_certificate_mismatch"},
		"the subject in another case":            {"dn", relatives(c, o, ou, oneRDN(oidCN, "CLIENT")), "tls_certificate_mismatch"},
		"no subject":                             {"dn", signed(withSubject(dn(t)), withNames(t, nameOf(2, "client"))), "tls_certificate_mismatch"},
		"the subject has the registered dns":     {"dns", relatives(c, oneRDN(oidCN, "client.example.no")), "tls_certificate_mismatch"},
		"no alternative name":                    {"dns", signed(), "tls_certificate_mismatch"},
		"a wildcard":                             {"dns", names(nameOf(2, "*.example.no")), "tls_certificate_mismatch"},
		"a host below":                           {"dns", names(nameOf(2, "a.client.example.no")), "tls_certificate_mismatch"},
		"a dot at the end":                       {"dns", names(nameOf(2, "client.example.no.")), "tls_certificate_mismatch"},
		"NUL in the dns":                         {"dns", names(nameOf(2, "client.example.no\x00.evil.example")), "tls_certificate_mismatch"},
		"the dns as email":                       {"dns", names(nameOf(1, "client.example.no")), "tls_certificate_mismatch"},
		"the dns as uri":                         {"dns", names(nameOf(6, "client.example.no")), "tls_certificate_mismatch"},
		"the uri as dns":                         {"uri", names(nameOf(2, "https://client.example.no/a?b#c")), "tls_certificate_mismatch"},
		"the uri in another case":                {"uri", names(nameOf(6, "https://Client.example.no/a?b#c")), "tls_certificate_mismatch"},
		"the uri in another spelling":            {"uri", names(nameOf(6, "https://client.example.no/%61?b#c")), "tls_certificate_mismatch"},
		"the uri with more":                      {"uri", names(nameOf(6, "https://client.example.no/a?b#cd")), "tls_certificate_mismatch"},
		"another address":                        {"ip4", names(nameOf(7, "\xc0\x00\x02\x08")), "tls_certificate_mismatch"},
		"the address as dns":                     {"ip4", names(nameOf(2, "192.0.2.7")), "tls_certificate_mismatch"},
		"the address as IPv6":                    {"ip4", names(nameOf(7, strings.Repeat("\x00", 10)+"\xff\xff\xc0\x00\x02\x07")), "tls_certificate_mismatch"},
		"the email as dns":                       {"email", names(nameOf(2, "Ola@Example.no")), "tls_certificate_mismatch"},
		"the email with another mailbox":         {"email", names(nameOf(1, "ola@Example.no")), "tls_certificate_mismatch"},
		"the email with two hosts":               {"email", names(nameOf(1, "Ola@Example.no@evil.example")), "tls_certificate_mismatch"},
		"a registration without a name":          {"none-registered", signed(), "tls_client_auth_invalid"},
		"a registration with two names":          {"two-registered", signed(withNames(t, nameOf(2, "client.example.no"))), "tls_client_auth_invalid"},
		"a registration with a broken name":      {"broken", signed(), "tls_client_auth_invalid"},
		"a disabled client":                      {"off", signed(), "client_disabled"},
		"a client with a registered certificate": {"self", signed(), "tls_certificate_unregistered"},
		"a client with keys":                     {"jwt", signed(), "auth_method_mismatch"},
		"an unknown client":                      {"unknown", signed(), "client_unknown"},
		"a certificate without client_id":        {"", signed(), "credentials_missing"},
	} {
		a, rec := tlsAuthenticator(t, nil)
		_, err := a.Authenticator.Authenticate(t.Context(), presents(tt.id, tt.chain...), "token", now)
		require.ErrorIs(t, err, portner.InvalidClient, name)
		require.Equal(t, tt.reason, rec.last(t).Reason, name)
		e := portner.AsError(err)
		require.Equal(t, "Client authentication failed.", e.Description, name)
		require.Equal(t, http.StatusUnauthorized, e.HTTPStatus(), name)
		require.NotContains(t, rec.last(t).Explanation.Received+rec.last(t).Explanation.Expected, "Example", name)
	}
}

func weakModulus() *big.Int {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return new(big.Int).Rsh(key.N, 1024)
}

// TestTLSClientAuthToTheSecond: both ends of the validity of a certificate are part of it, for both methods, by the clock of the request.
func TestTLSClientAuthToTheSecond(t *testing.T) {
	t.Parallel()
	early, err := tlsCAs().root.NewAuthority("Early CA", testpki.AuthorityOrgno, newEC(elliptic.P256()), testpki.Validity{From: now.Add(-time.Hour), To: now})
	require.NoError(t, err)
	narrow := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-time.Minute), now.Add(time.Minute) }
	registered := selfSigned(t, narrow)
	clients := tlsClients(t)
	clients["self"].JWKS = jwks(jose.PublicKey{KID: "a", Key: tlsKey().Public(), X5C: [][]byte{registered.Raw}})
	chain := []*x509.Certificate{tlsCert(t, tlsCAs().issuing, narrow), tlsCAs().issuing.Certificate}
	for name, tt := range map[string]struct {
		at     time.Duration
		reason string
	}{
		"the first second":  {at: -time.Minute},
		"the last second":   {at: time.Minute},
		"the second before": {-time.Minute - time.Second, "tls_certificate_not_yet_valid"},
		"the second after":  {time.Minute + time.Second, "tls_certificate_expired"},
	} {
		for _, r := range []client.Request{presents("dn", chain...), presents("self", registered)} {
			a, rec := tlsAuthenticator(t, func(cfg *client.Config) { cfg.Clients = clients })
			_, err := a.Authenticator.Authenticate(t.Context(), r, "token", now.Add(tt.at))
			if tt.reason == "" {
				require.NoError(t, err, name)
				continue
			}
			require.ErrorIs(t, err, portner.InvalidClient, name)
			require.Equal(t, tt.reason, rec.last(t).Reason, name)
		}
	}
	a, rec := tlsAuthenticator(t, nil)
	below := presents("dn", tlsCert(t, early), early.Certificate)
	_, err = a.Authenticator.Authenticate(t.Context(), below, "token", now)
	require.NoError(t, err)
	_, err = a.Authenticator.Authenticate(t.Context(), below, "token", now.Add(time.Second))
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "tls_certificate_untrusted", rec.last(t).Reason, "the authority has expired")
}

// TestSelfSignedTLSClientAuth: the whole certificate is registered. Its key and its subject alone do not count, and its issuer does not
// matter.
func TestSelfSignedTLSClientAuth(t *testing.T) {
	t.Parallel()
	a, rec := tlsAuthenticator(t, nil)
	got, err := a.Authenticator.Authenticate(t.Context(), presents("self", theSelfSigned()), "token", now)
	require.NoError(t, err)
	require.Equal(t, "self_signed_tls_client_auth", got.AMR)
	_, err = a.Authenticator.Authenticate(t.Context(), presents("self", theSelfSigned(), theSelfSigned(), theSelfSigned(), theSelfSigned(), theSelfSigned(), theSelfSigned()), "token", now)
	require.NoError(t, err, "other certificates are not read")
	require.Empty(t, rec.events)

	ofAuthority := tlsCert(t, tlsCAs().foreign)
	clients := tlsClients(t)
	clients["self"].JWKS = jwks(jose.PublicKey{KID: "a", Key: tlsKey().Public(), X5C: testpki.Chain(ofAuthority, tlsCAs().foreign.Certificate)})
	b, _ := tlsAuthenticator(t, func(cfg *client.Config) { cfg.Clients = clients })
	_, err = b.Authenticator.Authenticate(t.Context(), presents("self", ofAuthority), "token", now)
	require.NoError(t, err, "a certificate of an authority that is not trusted")
	_, err = b.Authenticator.Authenticate(t.Context(), presents("self", tlsCAs().foreign.Certificate), "token", now)
	require.ErrorIs(t, err, portner.InvalidClient, "the authority itself, from the registered chain")

	for name, tt := range map[string]struct {
		id     string
		chain  []*x509.Certificate
		reason string
	}{
		"no certificate":                      {"self", nil, "tls_certificate_missing"},
		"another certificate of the same key": {"self", []*x509.Certificate{selfSigned(t)}, "tls_certificate_unregistered"},
		"another key with the same subject":   {"self", []*x509.Certificate{sameSubject(t)}, "tls_certificate_unregistered"},
		"the registered one second":           {"self", []*x509.Certificate{selfSigned(t), theSelfSigned()}, "tls_certificate_unregistered"},
		"keys of a year ago":                  {"self-aged", []*x509.Certificate{theSelfSigned()}, "key_expired"},
		"a client with tls_client_auth":       {"dn", []*x509.Certificate{theSelfSigned()}, "tls_certificate_untrusted"},
		"a client with private_key_jwt":       {"jwt", []*x509.Certificate{theSelfSigned()}, "auth_method_mismatch"},
	} {
		a, rec := tlsAuthenticator(t, nil)
		_, err := a.Authenticator.Authenticate(t.Context(), presents(tt.id, tt.chain...), "token", now)
		require.ErrorIs(t, err, portner.InvalidClient, name)
		require.Equal(t, tt.reason, rec.last(t).Reason, name)
	}

	clients = tlsClients(t)
	clients["self"].JWKS = []byte(strings.Replace(string(clients["self"].JWKS), `"use":"sig","kid":"a"`, `"use":"enc","kid":"a"`, 1))
	require.Contains(t, string(clients["self"].JWKS), `"use":"enc"`)
	b, rec = tlsAuthenticator(t, func(cfg *client.Config) { cfg.Clients = clients })
	_, err = b.Authenticator.Authenticate(t.Context(), presents("self", theSelfSigned()), "token", now)
	require.ErrorIs(t, err, portner.InvalidClient)
	require.Equal(t, "tls_certificate_unregistered", rec.last(t).Reason, "a key for encryption does not authenticate")
}

func sameSubject(t testing.TB) *x509.Certificate {
	t.Helper()
	key := newEC(elliptic.P256())
	cert, err := (&testpki.Authority{Key: key}).Issue(testpki.Seal{Orgno: digdir, Name: "X", Key: key.Public(), Validity: aroundNow}, withSubject(theSelfSigned().RawSubject))
	require.NoError(t, err)
	return cert
}

// TestTLSMethodsBesideOthers: a client uses its registered method only, with or without a certificate, and one method in a request.
func TestTLSMethodsBesideOthers(t *testing.T) {
	t.Parallel()
	a, rec := tlsAuthenticator(t, nil)
	chain := []*x509.Certificate{tlsCert(t, tlsCAs().issuing), tlsCAs().issuing.Certificate}
	with := func(c credentials) client.Request {
		r := c.request()
		r.Certificate, r.Intermediates = chain[0], chain[1:]
		return r
	}
	got, err := a.Authenticator.Authenticate(t.Context(), with(credentials{ClientID: "spa"}), "token", now)
	require.NoError(t, err, "a public client may have a certificate, to bind tokens")
	require.Equal(t, "none", got.AMR)
	assertion := signJWT(p256Key(), object{"alg": "ES256", "kid": "b"}, goodClaims("jwt"))
	got, err = a.Authenticator.Authenticate(t.Context(), with(withAssertion("jwt", assertion)), "token", now)
	require.NoError(t, err, "and so may a client with another method")
	require.Equal(t, "private_key_jwt", got.AMR)
	for name, r := range map[string]client.Request{
		"a secret in the form":   with(credentials{ClientID: "dn", ClientSecret: secretText}),
		"a secret in the header": with(credentials{Authorization: basicHeader("dn", secretText)}),
		"an assertion":           with(withAssertion("dn", signJWT(p256Key(), object{"alg": "ES256", "kid": "b"}, goodClaims("dn")))),
	} {
		_, err := a.Authenticator.Authenticate(t.Context(), r, "token", now)
		require.ErrorIs(t, err, portner.InvalidClient, name)
		require.Equal(t, "auth_method_mismatch", rec.last(t).Reason, name)
	}
}

// TestAuthMethods: a method is supported if the configuration allows it and has what it needs, and is published then.
func TestAuthMethods(t *testing.T) {
	t.Parallel()
	chain := []*x509.Certificate{tlsCert(t, tlsCAs().issuing), tlsCAs().issuing.Certificate}
	for name, tt := range map[string]struct {
		change  func(*client.Config)
		methods []string
		r       client.Request
	}{
		"no roots": {
			func(c *client.Config) { c.TLSClientCAs = nil },
			[]string{"client_secret_basic", "client_secret_post", "private_key_jwt", "self_signed_tls_client_auth", "none"},
			presents("dn", chain...),
		},
		"no self-signed certificates": {
			func(c *client.Config) { c.SelfSignedTLSClientAuth = false },
			[]string{"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"},
			presents("self", theSelfSigned()),
		},
		"a list without public clients": {
			func(c *client.Config) {
				c.AuthMethods, c.Replay = []string{client.PrivateKeyJWT, client.TLSClientAuth}, nil
			},
			[]string{"tls_client_auth"},
			presents("spa"),
		},
		"an empty list": {func(c *client.Config) { c.AuthMethods = []string{} }, nil, presents("dn", chain...)},
	} {
		a, rec := tlsAuthenticator(t, tt.change)
		require.ElementsMatch(t, tt.methods, a.Methods(), name)
		_, err := a.Authenticator.Authenticate(t.Context(), tt.r, "token", now)
		require.ErrorIs(t, err, portner.InvalidClient, name)
		require.Equal(t, "auth_method_unsupported", rec.last(t).Reason, name)
	}
	a, _ := tlsAuthenticator(t, nil)
	require.Equal(t, []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "none"}, a.Methods())
	_, err := client.NewAuthenticator(client.Config{Issuer: issuer, Clients: source{}, AuthMethods: []string{"none", "client_secret_jwt"}})
	require.ErrorContains(t, err, "AuthMethods[1]: must be client_secret_basic")
	require.Len(t, portner.FieldErrors(err), 1)
}

// TestValidateCertificateNames: exactly one name for tls_client_auth, and none for other methods. Every problem is reported.
func TestValidateCertificateNames(t *testing.T) {
	t.Parallel()
	plain := func(change func(*client.Client)) *client.Client {
		c := &client.Client{ClientID: "c", TokenEndpointAuthMethod: client.TLSClientAuth, RedirectURIs: []string{callback}}
		change(c)
		return c
	}
	const subject, dns, uri, ip, email = "tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri", "tls_client_auth_san_ip", "tls_client_auth_san_email"
	for name, tt := range map[string]struct {
		c    *client.Client
		want []string
	}{
		"subject": {plain(func(c *client.Client) { c.TLSClientAuthSubjectDN = clientDN }), nil},
		"dns":     {plain(func(c *client.Client) { c.TLSClientAuthSANDNS = "client.example.no" }), nil},
		"uri":     {plain(func(c *client.Client) { c.TLSClientAuthSANURI = "urn:example:client" }), nil},
		"IPv4":    {plain(func(c *client.Client) { c.TLSClientAuthSANIP = "192.0.2.7" }), nil},
		"IPv6":    {plain(func(c *client.Client) { c.TLSClientAuthSANIP = "2001:DB8::7" }), nil},
		"email":   {plain(func(c *client.Client) { c.TLSClientAuthSANEmail = "Ola@example.no" }), nil},
		"self-signed": {plain(func(c *client.Client) {
			c.TokenEndpointAuthMethod, c.JWKS = client.SelfSignedTLSClientAuth, tlsClients(t)["self"].JWKS
		}), nil},
		"none": {plain(func(*client.Client) {}), []string{subject}},
		"two":  {plain(func(c *client.Client) { c.TLSClientAuthSANDNS, c.TLSClientAuthSANIP = "client.example.no", "192.0.2.7" }), []string{ip}},
		"none of it fits": {plain(func(c *client.Client) {
			c.TLSClientAuthSubjectDN, c.TLSClientAuthSANDNS, c.TLSClientAuthSANURI, c.TLSClientAuthSANIP, c.TLSClientAuthSANEmail = "x", "x y", "x", "x", "x"
		}), []string{dns, dns, email, email, ip, ip, uri, uri, subject}},
		"a wildcard":       {plain(func(c *client.Client) { c.TLSClientAuthSANDNS = "*.example.no" }), []string{dns}},
		"an address":       {plain(func(c *client.Client) { c.TLSClientAuthSANDNS = "192.0.2.7" }), []string{dns}},
		"a port":           {plain(func(c *client.Client) { c.TLSClientAuthSANDNS = "client.example.no:443" }), []string{dns}},
		"a mapped address": {plain(func(c *client.Client) { c.TLSClientAuthSANIP = "::ffff:192.0.2.7" }), []string{ip}},
		"a zone":           {plain(func(c *client.Client) { c.TLSClientAuthSANIP = "fe80::1%eth0" }), []string{ip}},
		"a network":        {plain(func(c *client.Client) { c.TLSClientAuthSANIP = "192.0.2.0/24" }), []string{ip}},
		"no mailbox":       {plain(func(c *client.Client) { c.TLSClientAuthSANEmail = "@example.no" }), []string{email}},
		"a relative uri":   {plain(func(c *client.Client) { c.TLSClientAuthSANURI = "/client" }), []string{uri}},
		"of another method": {plain(func(c *client.Client) {
			c.TokenEndpointAuthMethod, c.Secrets, c.TLSClientAuthSANDNS = client.ClientSecretBasic, secrets(1), "client.example.no"
		}), []string{dns}},
		"of a self-signed certificate": {plain(func(c *client.Client) {
			c.TokenEndpointAuthMethod, c.JWKS, c.TLSClientAuthSubjectDN = client.SelfSignedTLSClientAuth, tlsClients(t)["self"].JWKS, clientDN
		}), []string{subject}},
		"self-signed without keys":        {plain(func(c *client.Client) { c.TokenEndpointAuthMethod = client.SelfSignedTLSClientAuth }), []string{"jwks"}},
		"self-signed without certificate": {plain(func(c *client.Client) { c.TokenEndpointAuthMethod, c.JWKS = client.SelfSignedTLSClientAuth, p256JWKS() }), []string{"jwks"}},
		"a secret beside it":              {plain(func(c *client.Client) { c.TLSClientAuthSubjectDN, c.Secrets = clientDN, secrets(1) }), []string{"client_secrets"}},
		"an integration type": {plain(func(c *client.Client) {
			c.TLSClientAuthSubjectDN, c.IntegrationType = clientDN, "ansattporten"
			c.OrganisationNo = digdir
		}), []string{"token_endpoint_auth_method"}},
		"a native application": {plain(func(c *client.Client) {
			c.TLSClientAuthSubjectDN, c.ApplicationType = clientDN, client.Native
			c.RedirectURIs = []string{"no.example.app:/cb"}
		}), []string{"token_endpoint_auth_method"}},
	} {
		require.Equal(t, tt.want, problems(t, tt.c, production), name)
	}
	require.ErrorContains(t, plain(func(*client.Client) {}).Validate(production), "is required for tls_client_auth, or one of tls_client_auth_san_dns")
}

// TestValidateSignedResponses: the response modes and algorithms of signed responses, and bound tokens, which every client may have.
func TestValidateSignedResponses(t *testing.T) {
	t.Parallel()
	c := web(func(c *client.Client) {
		c.ResponseModes = []string{"jwt", "query.jwt", "form_post.jwt", "query", "form_post"}
		c.AuthorizationSignedResponseAlg, c.IntrospectionSignedResponseAlg = "PS256", "ES256"
		c.DPoPBoundAccessTokens, c.TLSClientCertificateBoundAccessTokens, c.UseMTLSEndpointAliases = true, true, true
	})
	require.Empty(t, problems(t, c, production))
	require.True(t, c.HasResponseMode("query.jwt"))
	require.False(t, web(nil).HasResponseMode("jwt"), "only with a registration")
	require.Empty(t, problems(t, public(client.Browser, callback, func(c *client.Client) {
		c.DPoPBoundAccessTokens, c.RequireSignedRequestObject, c.JWKS = true, true, p256JWKS()
	}), production))
	for _, mode := range []string{"fragment", "fragment.jwt"} {
		c := web(func(c *client.Client) { c.ResponseModes = []string{mode} })
		require.Equal(t, []string{"response_modes[0]"}, problems(t, c, production))
		require.ErrorContains(t, c.Validate(production), "must not be "+mode+": codes are not sent in fragments")
	}
	c = web(func(c *client.Client) {
		c.ResponseModes = []string{"web_message"}
		c.AuthorizationSignedResponseAlg, c.IntrospectionSignedResponseAlg = "none", "HS256"
	})
	require.Equal(t, []string{"authorization_signed_response_alg", "introspection_signed_response_alg", "response_modes[0]"}, problems(t, c, production))
	require.Equal(t, []string{"introspection_signed_response_alg"}, problems(t, public(client.Browser, callback, func(c *client.Client) { c.IntrospectionSignedResponseAlg = "ES256" }), production))
}

// TestCertificateThumbprint: the value of RFC 8705 §3.1 is the hash of the whole certificate.
func TestCertificateThumbprint(t *testing.T) {
	t.Parallel()
	require.Empty(t, client.CertificateThumbprint(nil))
	require.Equal(t, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0", client.CertificateThumbprint(&x509.Certificate{Raw: []byte("abc")}))
	require.NotEqual(t, client.CertificateThumbprint(theSelfSigned()), client.CertificateThumbprint(selfSigned(t)), "the same key")
}

// TestSelfSignedKeysSignRequests: the certificate of a client with self_signed_tls_client_auth is no business certificate, also at a
// provider that verifies these: its key signs request objects.
func TestSelfSignedKeysSignRequests(t *testing.T) {
	t.Parallel()
	clients := tlsClients(t)
	request := signJWT(tlsKey(), object{"alg": "ES256", "kid": "a", "typ": "oauth-authz-req+jwt"}, object{"iss": "self", "aud": issuer, "client_id": "self", "response_type": "code"})
	a, _ := tlsAuthenticator(t, func(cfg *client.Config) { cfg.Clients, cfg.Certificates = clients, certificates(t, theRevoked()) })
	_, err := verify(t, a, clients, "self", request, client.AssertionRules{Purpose: client.ForRequest})
	require.NoError(t, err)
	clients["self"].TokenEndpointAuthMethod = client.PrivateKeyJWT
	_, err = verify(t, a, clients, "self", request, client.AssertionRules{Purpose: client.ForRequest})
	require.ErrorIs(t, err, client.ErrCertificate, "for another method it is one")
}
