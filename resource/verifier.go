package resource

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
)

// DefaultLeeway is the default of Config.Leeway.
const DefaultLeeway = 10 * time.Second

// maxLeeway bounds the leeway. Machine tokens live for two minutes.
const maxLeeway = time.Minute

// Config describes an issuer and the API.
type Config struct {
	// Issuer is compared byte for byte with iss. Maskinporten's ends with a slash, ID-porten's does not. Required.
	Issuer string
	// Keys are the public keys of the issuer: [RemoteKeys] or [StaticKeys]. If nil, every token is introspected.
	Keys Keys
	// URL is the public base URL of the API, without query and fragment. It is an accepted audience. Its origin is that of the URLs of
	// requests, which proofs name: the Host field of a request is not read. With DPoP it must be https, or http with a loopback host. Required.
	URL string
	// Audience holds further accepted audiences. A token with other audiences only is rejected.
	Audience []string
	// RequireAudience rejects tokens without an audience (aud absent or "unspecified"). RFC 9068 tokens always need one.
	RequireAudience bool
	// Algorithms are the accepted signature algorithms. If empty, RS256, RS384, RS512, PS256, ES256 and EdDSA. The type of
	// the key restricts them further. Symmetric algorithms and "none" are not supported.
	Algorithms []string
	// Introspection describes the issuer's introspection endpoint. If nil, only tokens signed by the issuer are accepted.
	// Required if Keys is nil.
	Introspection *Introspection
	// DPoP holds the rules for proofs of tokens that are bound to a key (RFC 9449). If nil, such tokens are rejected.
	DPoP *dpop.Policy
	// ClientCertificates returns the certificate of the TLS client first in a list, for hosts behind a proxy that terminates TLS. Its error is
	// answered with 400. If nil, Protect reads r.TLS. It is not called by Verify.
	ClientCertificates func(*http.Request) ([]*x509.Certificate, error)
	// Metadata is published by [Verifier.Metadata] (RFC 9728). If nil, there is none. With it, URL must be as with DPoP.
	Metadata *Metadata
	// Leeway is the accepted difference between the clocks of issuer and API, at most a minute. The default is
	// [DefaultLeeway]; a negative value means no leeway.
	Leeway time.Duration
	// Authorities are codings of organisation identifiers that are trusted beside [norway.Authority], such as
	// "etsi-en-319-412" of European eSeals. Such an organisation has an ID but no Orgno, unless the ID is in the
	// Norwegian register (NTRNO-991825827).
	Authorities []string
	// AllowLegacyRegister accepts 9908 as a name of the Norwegian register.
	AllowLegacyRegister bool
	// AllowNoScope accepts tokens without the claim scope, for issuers that issue no id_tokens. Without it such a token
	// cannot be told from an id_token without a nonce.
	AllowNoScope bool
	// AllowNoSubject accepts RFC 9068 tokens without sub, which that RFC requires: HelseID issues such tokens to machines. The client_id
	// identifies the machine then.
	AllowNoSubject bool
	// RequireTyp rejects JWTs whose header has no typ, for issuers that always set it. The values at+jwt and JWT are accepted, and no others.
	RequireTyp bool
	// Realm is the realm of challenges. The default is "api".
	Realm string

	// Now is the clock. If nil, time.Now.
	Now func() time.Time
	// Logger receives rejections and faults of Protect. If nil, they are discarded.
	Logger *slog.Logger
	// OnEvent receives rejections and faults of Protect. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Verifier verifies the access tokens of one or more issuers. It is safe for concurrent use.
type Verifier struct {
	issuers      []*issuer
	dpop         *dpop.Policy // if nil, tokens that are bound to a key are rejected
	origin       string       // of the URLs that proofs name
	certificates func(*http.Request) ([]*x509.Certificate, error)
	now          func() time.Time
	challenge    httpx.Challenge
	metadata     *metadata
	log          audit.Log
}

// issuer is the part of a Verifier that concerns one issuer.
type issuer struct {
	name            string
	keys            keySource     // if nil, every token is introspected
	introspection   *introspector // if nil, only signed tokens are accepted
	algorithms      []string
	audience        []string
	requireAudience bool
	leeway          time.Duration
	authorities     []string
	legacyRegister  bool
	noScope         bool
	noSubject       bool
	requireTyp      bool
}

// New returns a verifier of the tokens of one issuer. It reports every problem of cfg at once, as FieldErrors, and makes no
// request.
func New(cfg Config) (*Verifier, error) {
	var check fields.Checker
	i := newIssuer(cfg, &check)
	var meta *metadata
	if cfg.Metadata != nil {
		meta = newMetadata(&cfg, &check)
	}
	if err := check.Err(); err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	v := &Verifier{
		issuers: []*issuer{i}, dpop: cfg.DPoP, origin: httpx.Origin(cfg.URL), certificates: cfg.ClientCertificates, now: cfg.Now,
		challenge: httpx.Challenge{Bearer: []httpx.Param{{Name: "realm", Value: cmp.Or(cfg.Realm, "api")}}},
		log:       audit.Log{Endpoint: "resource", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
	}
	if cfg.DPoP != nil {
		v.challenge.DPoP = []httpx.Param{{Name: "algs", Value: strings.Join(cfg.DPoP.SupportedAlgorithms(), " ")}}
	}
	if err := v.publish(meta); err != nil {
		return nil, err
	}
	if v.now == nil {
		v.now = time.Now
	}
	return v, nil
}

// publish sets the metadata, and names its URL in challenges (RFC 9728 §5.1).
func (v *Verifier) publish(m *metadata) (err error) {
	if m == nil {
		return nil
	}
	param := httpx.Param{Name: "resource_metadata", Value: m.url}
	v.challenge.Bearer = append(v.challenge.Bearer, param)
	if v.challenge.DPoP != nil {
		v.challenge.DPoP = append(v.challenge.DPoP, param)
	}
	v.metadata, err = m.publish(v.issuers)
	return err
}

func newIssuer(cfg Config, check *fields.Checker) *issuer {
	i := &issuer{
		name: cfg.Issuer, algorithms: slices.Clone(cfg.Algorithms), audience: append([]string{cfg.URL}, cfg.Audience...),
		requireAudience: cfg.RequireAudience, leeway: cfg.Leeway, authorities: slices.Clone(cfg.Authorities),
		legacyRegister: cfg.AllowLegacyRegister, noScope: cfg.AllowNoScope, noSubject: cfg.AllowNoSubject, requireTyp: cfg.RequireTyp,
	}
	if len(i.algorithms) == 0 {
		i.algorithms = []string{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256, jose.EdDSA}
	}
	switch {
	case i.leeway == 0:
		i.leeway = DefaultLeeway
	case i.leeway < 0:
		i.leeway = 0
	}
	check.Require(cfg.Issuer != "", "Issuer")
	if cfg.DPoP == nil && cfg.Metadata == nil {
		check.URL("URL", cfg.URL)
	} else { // proofs name the URL (RFC 9449 §4.3), and clients find the metadata at it
		check.SecureURL("URL", cfg.URL)
	}
	if cfg.DPoP != nil {
		check.Join("DPoP", cfg.DPoP.Validate())
	}
	for n, aud := range cfg.Audience {
		check.Want(aud != "" && aud != unspecified, index("Audience", n), `must not be empty or "unspecified"`)
	}
	for n, alg := range cfg.Algorithms {
		check.Want(jose.Known(alg), index("Algorithms", n), "must be a supported asymmetric signature algorithm")
	}
	for n, authority := range cfg.Authorities {
		check.Require(authority != "", index("Authorities", n))
	}
	check.Want(cfg.Leeway <= maxLeeway, "Leeway", "must be at most "+maxLeeway.String())
	check.OptionalValue(cfg.Keys, "Keys")
	check.Want(cfg.Keys != nil || cfg.Introspection != nil, "Keys", "is required without Introspection")
	if !fields.IsNil(cfg.Keys) {
		i.keys = cfg.Keys.source(check)
	}
	if cfg.Introspection != nil {
		i.introspection = newIntrospector(*cfg.Introspection, check)
	}
	return i
}

func index(field string, n int) string { return fmt.Sprintf("%s[%d]", field, n) }

// Any returns a verifier of the tokens of several issuers. The iss of a token selects the verifier; clock, realm, logger, hook and
// ClientCertificates, and the metadata, are those of the first one. At most one of them may introspect: an opaque token does not name its
// issuer and must not be sent to another one. All must have the same policy for proofs, or none, and with a policy the same origin in URL.
func Any(verifiers ...*Verifier) (*Verifier, error) {
	if len(verifiers) == 0 {
		return nil, errors.New("resource: Any requires at least one verifier")
	}
	all := *verifiers[0]
	all.issuers = nil
	introspecting := 0
	for _, v := range verifiers {
		if v.dpop != all.dpop || v.dpop != nil && v.origin != all.origin {
			return nil, errors.New("resource: Any: two verifiers have different policies for proofs, or different origins")
		}
		for _, i := range v.issuers {
			if all.issuer(i.name) != nil {
				return nil, errors.New("resource: Any: two verifiers have the same issuer")
			}
			if i.introspection != nil {
				introspecting++
			}
			all.issuers = append(all.issuers, i)
		}
	}
	if introspecting > 1 {
		return nil, errors.New("resource: Any: at most one verifier may introspect opaque tokens")
	}
	if all.metadata != nil {
		var err error
		if all.metadata, err = all.metadata.publish(all.issuers); err != nil {
			return nil, err
		}
	}
	return &all, nil
}

func (v *Verifier) issuer(name string) *issuer {
	for _, i := range v.issuers {
		if i.name == name {
			return i
		}
	}
	return nil
}

// Verify verifies that the token of a request is an access token of the issuer, for this API, and valid now, and that the sender of the
// request has the key or the certificate that the token is bound to (cnf; RFC 9449, RFC 8705). It returns an *[Error] or a fault. A fault of
// the issuer's endpoints, or of the store of proofs, wraps [portner.ErrUnavailable].
//
// A token that is bound to a key needs the scheme DPoP and a proof for this request, which is accepted once; it is never accepted as a
// bearer token. A token that is bound in another way is rejected.
//
// [Rules.Check] decides whether the token allows the request.
func (v *Verifier) Verify(ctx context.Context, r Request) (*Token, error) {
	return v.verify(ctx, r, v.now())
}

func (v *Verifier) verify(ctx context.Context, r Request, now time.Time) (*Token, error) {
	scheme, token, err := v.credentials(&r)
	if err != nil {
		return nil, tried(scheme, err)
	}
	t, err := v.verifyToken(ctx, token, now)
	if err == nil {
		t, err = v.confirm(ctx, &r, scheme, token, t, now)
	}
	if err != nil {
		return nil, tried(scheme, err)
	}
	return t, nil
}

// verifyToken verifies an access token, whoever sent it.
func (v *Verifier) verifyToken(ctx context.Context, token string, now time.Time) (*Token, error) {
	if len(token) > jose.MaxTokenX5C {
		return nil, errMalformed(nil)
	}
	i, err := v.selectIssuer(token)
	if err != nil {
		return nil, err
	}
	if i.keys == nil || !jwtShaped(token) {
		return i.introspect(ctx, token, now)
	}
	t, err := i.verifyJWT(ctx, token, now)
	if err != nil {
		return nil, err
	}
	if i.introspection.resolves(t) {
		return i.resolve(ctx, token, t, now)
	}
	return t, nil
}

// selectIssuer returns the issuer that token names, unverified. Opaque tokens belong to the issuer that introspects.
func (v *Verifier) selectIssuer(token string) (*issuer, error) {
	if len(v.issuers) == 1 {
		return v.issuers[0], nil
	}
	if !jwtShaped(token) {
		for _, i := range v.issuers {
			if i.introspection != nil {
				return i, nil
			}
		}
		return nil, errOpaque()
	}
	claims, err := jose.PeekPayload(token, jose.MaxTokenX5C)
	if err != nil {
		return nil, errMalformed(err)
	}
	name, err := claims.String("iss")
	if i := v.issuer(name); err == nil && i != nil {
		return i, nil
	}
	return nil, errIssuer()
}

func jwtShaped(token string) bool { return strings.Count(token, ".") == 2 }

func errMalformed(cause error) *Error {
	return invalid("token_malformed", "The access token is malformed.", cause)
}

func errIssuer() *Error {
	return invalid("issuer_mismatch", "The access token is from another issuer.", nil)
}

func errOpaque() *Error {
	return invalid("token_opaque", "Opaque access tokens are not accepted here.", nil)
}

func errAlgorithm(cause error) *Error {
	return invalid("algorithm_not_accepted", "The access token is signed with an algorithm that is not accepted.", cause)
}

// verifyJWT verifies type, algorithm, key, signature and claims of a JWT, in this order (RFC 9068 §4).
func (i *issuer) verifyJWT(ctx context.Context, token string, now time.Time) (*Token, error) {
	header, err := jose.ParseHeader(token, jose.MaxTokenX5C)
	if err != nil {
		return nil, errMalformed(err)
	}
	purpose := jose.AccessToken
	if i.noScope {
		purpose = jose.ScopelessToken
	}
	if purpose.CheckTyp(header) != nil || i.requireTyp && header.Typ == "" { // before a key is fetched
		return nil, errNotAccessToken()
	}
	if !slices.Contains(i.algorithms, header.Alg) {
		return nil, errAlgorithm(nil)
	}
	keys, err := i.keys.find(ctx, header.KID, now)
	if err != nil {
		return nil, err
	}
	jws, err := jose.Verify(token, jose.MaxTokenX5C, i.algorithms, keys, purpose)
	if err != nil {
		return nil, badSignature(err)
	}
	return i.accept(jws.Claims, origin{atJWT: purpose.Typed(header)}, now)
}

func badSignature(err error) *Error {
	switch {
	case errors.Is(err, jose.ErrPurpose):
		return errNotAccessToken()
	case errors.Is(err, jose.ErrNoKey):
		return invalid("key_unknown", "The access token is signed with an unknown key.", err)
	case errors.Is(err, jose.ErrAlgorithm):
		return errAlgorithm(err)
	case errors.Is(err, jose.ErrSignature):
		return invalid("signature_invalid", "The signature of the access token is not the issuer's.", err)
	}
	return errMalformed(err)
}
