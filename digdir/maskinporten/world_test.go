package maskinporten_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// Values of the tests.
const (
	testIssuer = "https://test.maskinporten.no/"
	digdir     = "991825827"
	customer   = "910753614"
	delegated  = "https://tt02.altinn.no/"
	pid        = "01010199999"    // of a published sample; its check digits are wrong
	bearer     = client.JWTBearer // grant_type
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Keys that all tests share: generating RSA keys is slow.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
		block, _ := pem.Decode(must(os.ReadFile("../../client/testdata/rsa2048.pem")))
		return must(x509.ParsePKCS1PrivateKey(block.Bytes))
	})
	strangerKey = sync.OnceValue(func() *rsa.PrivateKey {
		block, _ := pem.Decode(must(os.ReadFile("../../internal/standin/maskinporten/demo.key.pem")))
		return must(x509.ParsePKCS1PrivateKey(block.Bytes))
	})
	ecKey = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// publicJWKS returns a JWKS with the RSA key.
func publicJWKS(kid string) json.RawMessage {
	pub := rsaKey().PublicKey
	return must(json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "kid": kid, "n": b64(pub.N.Bytes()), "e": b64(big.NewInt(int64(pub.E)).Bytes()),
	}}}))
}

// object is a JSON object.
type object map[string]any

// with returns a copy with other members. The value nil removes a member.
func (o object) with(members ...any) object {
	c := maps.Clone(o)
	for i := 0; i < len(members); i += 2 {
		if members[i+1] == nil {
			delete(c, members[i].(string))
			continue
		}
		c[members[i].(string)] = members[i+1]
	}
	return c
}

func (o object) json() string { return string(must(json.Marshal(o))) }

// sign returns a compact JWS of any texts, signed with RS256 and the RSA key.
func sign(header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	return input + "." + b64(must(rsaKey().Sign(nil, sum[:], crypto.SHA256)))
}

// kid returns the header of a client with a registered key.
func kid(name string) object { return object{"alg": "RS256", "kid": name} }

// v4 is the assertion that most tests modify (docs/spec/maskinporten.md §6.2).
func v4() object {
	return object{
		"aud": testIssuer, "scope": "difitest:test2", "iss": "my_client_id", "iat": 1520589808, "exp": 1520589928,
		"jti": "415ec7ac-33eb-4ce3-bc86-6ad40e29768f",
	}
}

// v5 is an assertion with consumer_org.
func v5() object {
	return object{
		"aud": testIssuer, "scope": "difitest:delegated", "iss": "oidc_difi_delegering_altinn", "iat": 1584693437, "exp": 1584693557,
		"jti": "eb6ab01e-5834-4ba0-a2a1-457bfd0f0a49", "consumer_org": customer,
	}
}

// v6 is an assertion for a system user.
func v6() object {
	return v4().with("authorization_details", []any{systemUser(customer)})
}

func systemUser(orgno string) object {
	return object{"type": "urn:altinn:systemuser", "systemuser_org": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + orgno}}
}

func consent() object {
	return object{"type": "urn:altinn:consent", "id": "1b2f6c3e-0d6a-4a55-9a4e-0d8c1c3a7d11", "from": "urn:altinn:person:identifier-no:" + pid}
}

// issuedAt returns the time a second after the iat of an assertion.
func issuedAt(o object) time.Time { return time.Unix(int64(o["iat"].(int)), 0).Add(time.Second) }

// sources holds the delegations, system users and consents of the tests.
type sources struct {
	mu        sync.Mutex
	queries   []string
	query     maskinporten.SystemUserQuery // the last one
	delegated bool
	fault     error
}

func (s *sources) record(q string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, q)
	return s.fault
}

func (s *sources) Delegated(_ context.Context, consumer, supplier, scope string) (bool, error) {
	err := s.record(consumer + ">" + supplier + ":" + scope)
	return s.delegated && consumer == customer && supplier == digdir, err
}

func (s *sources) SystemUser(_ context.Context, q maskinporten.SystemUserQuery) (maskinporten.SystemUser, error) {
	if err := s.record("systemuser"); err != nil {
		return maskinporten.SystemUser{}, err
	}
	s.mu.Lock()
	s.query = q
	s.mu.Unlock()
	want := maskinporten.SystemUserQuery{ClientID: "my_client_id", Vendor: digdir, Customer: customer, ExternalRef: q.Customer}
	if q != want && q.ExternalRef != "avdeling-1" {
		return maskinporten.SystemUser{}, storage.ErrNotFound
	}
	return maskinporten.SystemUser{ID: "a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0", System: digdir + "_system"}, nil
}

func (s *sources) Consent(_ context.Context, id string) (maskinporten.Consent, error) {
	if err := s.record("consent"); err != nil || id != consent()["id"] {
		return maskinporten.Consent{}, cmpOr(err, storage.ErrNotFound)
	}
	given := time.Unix(1520580000, 0)
	return maskinporten.Consent{
		From: consent()["from"].(string), To: digdir, ConsentedAt: given, ValidTo: given.Add(24 * time.Hour),
		Rights: json.RawMessage(`[{"action":["consent"],"resource":[{"type":"urn:altinn:resource","value":"inntekt"}],"metadata":{}}]`),
	}, nil
}

func cmpOr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// clients returns all registrations of the tests.
func clients() []client.Client {
	machine := func(id string, scopes ...string) client.Client {
		return client.Client{
			ClientID: id, OrganisationNo: digdir, IntegrationType: "maskinporten", TokenEndpointAuthMethod: client.PrivateKeyJWT,
			JWKS: publicJWKS("k1"), Scopes: scopes,
		}
	}
	all := []client.Client{
		machine("my_client_id", "difitest:test2", "difitest:other", "difitest:short", "difitest:api", "difitest:inactive", "difitest:noaccess", "difitest:gone",
			"difitest:delegated", "difitest:consent", "difitest:login", "difitest:opaque", "openid"),
		machine("806e1e80-e3a7-4a73-980e-f92ba1c2bf86", "altinn:serviceowner"),
		machine("oidc_difi_delegering_altinn", "difitest:test2", "difitest:delegated", "difitest:delegated2", "difitest:elsewhere", "difitest:unheard", "difitest:noconsumer"),
		machine("certified", "difitest:test2"),
		machine("old-key", "difitest:test2"),
		machine("inactive", "difitest:test2"),
		machine("managed", "difitest:test2", "difitest:delegated"),
		machine("slow", "difitest:test2", "difitest:short"),
		machine("legacy-audience", "difitest:test2"),
		{ClientID: "plain", OrganisationNo: digdir, TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: publicJWKS("k1"), Scopes: []string{"difitest:test2", "openid"}, GrantTypes: []string{bearer}},
		{
			ClientID: "login", OrganisationNo: digdir, IntegrationType: "api_klient", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: publicJWKS("k1"),
			Scopes: []string{"difitest:test2"}, RedirectURIs: []string{"https://login.example.no/cb"},
		},
	}
	by := func(id string) *client.Client {
		return &all[slices.IndexFunc(all, func(c client.Client) bool { return c.ClientID == id })]
	}
	by("certified").JWKS = nil
	by("old-key").KeysUploadedAt = issuedAt(v4()).AddDate(0, 0, -366)
	by("inactive").Disabled = true
	by("managed").OrganisationNo, by("managed").SupplierOrgno = customer, digdir
	by("slow").AccessTokenLifetime = 3 * 3600
	by("legacy-audience").AllowTokenEndpointAudience = true
	return all
}

func scopes() *scope.Registry {
	owned := func(name string, change func(*scope.Scope)) scope.Scope {
		s := scope.Scope{Name: name, OwnerOrgno: "974761076", Description: name}
		if change != nil {
			change(&s)
		}
		return s
	}
	source := func(of string) func(*scope.Scope) { return func(s *scope.Scope) { s.DelegationSource = of } }
	all := []scope.Scope{
		owned("difitest:test2", nil), owned("difitest:noaccess", nil), owned("altinn:serviceowner", nil),
		owned("difitest:other", func(s *scope.Scope) { s.AccessibleForAll = true }),
		owned("difitest:short", func(s *scope.Scope) { s.AccessibleForAll, s.ATMaxAge = true, 30 }),
		owned("difitest:api", func(s *scope.Scope) { s.AllowedIntegrationTypes = []string{"api_klient"} }),
		owned("difitest:inactive", func(s *scope.Scope) { s.Inactive = true }),
		owned("difitest:consent", func(s *scope.Scope) { s.AccessibleForAll, s.RequiresUserConsent = true, true }),
		owned("difitest:login", func(s *scope.Scope) { s.AccessibleForAll, s.RequiresUserAuthentication = true, true }),
		owned("difitest:delegated", source(delegated)), owned("difitest:delegated2", source(delegated)),
		owned("difitest:elsewhere", source("https://www.altinn.no")), owned("difitest:unheard", source("https://unheard.example.no/")),
		owned("difitest:noconsumer", source(delegated)),
		owned("difitest:opaque", func(s *scope.Scope) { s.AccessibleForAll, s.TokenType = true, scope.Opaque }),
	}
	var access []scope.Access
	for _, s := range []string{"difitest:test2", "altinn:serviceowner", "difitest:delegated", "difitest:delegated2", "difitest:elsewhere", "difitest:unheard"} {
		for _, org := range []string{digdir, customer} {
			access = append(access, scope.Access{Scope: s, ConsumerOrgno: org, State: scope.Approved})
		}
	}
	access = append(access, scope.Access{Scope: "difitest:noaccess", ConsumerOrgno: digdir, State: scope.Denied})
	return must(scope.NewRegistry(all, access))
}

// pki is the certificate authority of all tests, valid at the time of the samples. Its certificates share the RSA key.
var pki = sync.OnceValue(func() *testpki.Set {
	return must(testpki.NewSet(testpki.Options{
		Orgno: digdir, Name: "DIGDIR", OtherOrgno: customer, OtherName: "ANNEN", Now: issuedAt(v4()),
		NewKey: func() (crypto.Signer, error) { return rsaKey(), nil },
	}))
})

// strangers is the certificate authority of another environment.
var strangers = sync.OnceValue(func() *testpki.Set {
	return must(testpki.NewSet(testpki.Options{
		Orgno: digdir, Name: "DIGDIR", OtherOrgno: customer, OtherName: "ANNEN", Now: issuedAt(v4()),
		NewKey: func() (crypto.Signer, error) { return rsaKey(), nil },
	}))
})

// revoked is a revocation list with one certificate.
type revoked struct{}

func (revoked) Check(_ context.Context, leaf, _ *x509.Certificate, _ time.Time) error {
	if leaf.Equal(pki().Certificates[testpki.NameRevoked].Certificate) {
		return businesscert.ErrRevoked
	}
	return nil
}

// nameless returns a header with a valid certificate that names no organisation.
func nameless() object {
	cert := must(pki().Issuing.Issue(testpki.Seal{
		Orgno: digdir, Name: "DIGDIR", Generation: testpki.SEID1, Key: rsaKey().Public(),
		Validity: testpki.Validity{From: issuedAt(v4()).AddDate(0, 0, -1), To: issuedAt(v4()).AddDate(1, 0, 0)},
	}, func(c *x509.Certificate) { c.RawSubject, c.Subject = nil, pkix.Name{CommonName: "DIGDIR"} }))
	return object{"alg": "RS256", "x5c": testpki.X5C(cert, pki().Issuing.Certificate)}
}

// x5c returns the header of a client with a certificate.
func x5c(set *testpki.Set, name string) object {
	return object{"alg": "RS256", "x5c": testpki.X5C(set.Chain(name)...)}
}

// world is a Maskinporten with its events and log.
type world struct {
	*maskinporten.Server
	cfg     maskinporten.Config
	store   *memory.Store
	sources *sources
	keys    *keyset.Set
	clock   atomic.Pointer[time.Time]

	mu     sync.Mutex
	events []portner.Event
	log    bytes.Buffer
}

// newWorld returns a world whose time is a second after the iat of v4.
func newWorld(tb testing.TB, change func(*maskinporten.Config)) *world {
	tb.Helper()
	w := &world{store: memory.New(), sources: &sources{delegated: true}}
	w.at(issuedAt(v4()))
	w.keys = must(keyset.New(keyset.Config{Keys: []keyset.Key{{Alg: keyset.ES256, Signer: ecKey()}}}))
	w.cfg = maskinporten.Config{
		Issuer: testIssuer, Scopes: scopes(), Replay: w.store, Keys: w.keys,
		Clients: must(client.NewRegistry(client.Environment{Test: true, BusinessCertificates: true}, clients()...)),
		Certificates: must(businesscert.New(businesscert.Config{
			Roots: pki().Roots(), Revocation: revoked{},
		})),
		Delegations:          map[string]maskinporten.DelegationSource{delegated: w.sources, "https://www.altinn.no": w.sources},
		AuthorizationDetails: must(rar.NewRegistry(maskinporten.SystemUserType(w.sources), maskinporten.ConsentType(w.sources))),
		ErrorURI:             "https://maskinporten.no/errors/",
		Now:                  func() time.Time { return *w.clock.Load() },
		Logger:               slog.New(slog.NewJSONHandler(&locked{w: w}, nil)),
		OnEvent: func(_ context.Context, e portner.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	if change != nil {
		change(&w.cfg)
	}
	s, err := maskinporten.New(w.cfg)
	require.NoError(tb, err)
	w.Server = s
	return w
}

// locked is a writer for the log of concurrent requests.
type locked struct{ w *world }

func (l *locked) Write(p []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(p)
}

func (w *world) at(t time.Time) { w.clock.Store(&t) }

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) str(name string) string { s, _ := a.body[name].(string); return s }

// post sends a form to /token.
func (w *world) post(tb testing.TB, form url.Values) answer {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, testIssuer+"token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	require.NoError(tb, json.Unmarshal(rec.Body.Bytes(), &a.body), a.raw)
	return a
}

// send sends an assertion.
func (w *world) send(tb testing.TB, assertion string) answer {
	tb.Helper()
	return w.post(tb, url.Values{"grant_type": {bearer}, "assertion": {assertion}})
}

// grant presents a payload signed with the registered key.
func (w *world) grant(tb testing.TB, payload object) answer {
	tb.Helper()
	return w.send(tb, sign(kid("k1").json(), payload.json()))
}

// claims verifies the access token of a response with the published keys and returns its claims.
func (w *world) claims(tb testing.TB, a answer) (header, claims map[string]any) {
	tb.Helper()
	require.Equal(tb, http.StatusOK, a.status, a.raw)
	token := a.str("access_token")
	payload, typ := optest.Verified(tb, w.keys, token, *w.clock.Load())
	require.Empty(tb, typ, "docs/spec/maskinporten.md §1.7: no typ")
	require.NoError(tb, json.Unmarshal(payload, &claims))
	head, err := base64.RawURLEncoding.DecodeString(token[:strings.Index(token, ".")])
	require.NoError(tb, err)
	require.NoError(tb, json.Unmarshal(head, &header))
	return header, claims
}

// lastEvent returns the newest event.
func (w *world) lastEvent() portner.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1]
}
