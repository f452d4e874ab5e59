package resource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/jose"
)

// DefaultLeeway is how far the clocks of issuer and API may be apart, as at Altinn.
const DefaultLeeway = 10 * time.Second

// maxLeeway bounds the leeway: tokens live for two minutes.
const maxLeeway = time.Minute

// Config describes one issuer and what its tokens must be like for this API.
type Config struct {
	// Issuer is compared byte for byte with iss: "https://test.maskinporten.no/" has a slash at its end,
	// ID-porten's has none. Required.
	Issuer string
	// Keys are the issuer's: [RemoteKeys] or [StaticKeys]. nil: every token is introspected.
	Keys Keys
	// Algorithms a token may be signed with. nil: RS256, RS384, RS512, PS256, ES256 and EdDSA. The key
	// decides, too: a token never chooses the family. Symmetric algorithms and none do not exist here.
	Algorithms []string
	// Audience are the names of this API. A token for somebody else is refused, also if Audience is empty.
	Audience []string
	// RequireAudience refuses tokens that name no audience (aud absent or "unspecified"). RFC 9068 tokens
	// always need one.
	RequireAudience bool
	// Introspection asks the issuer about tokens that do not speak for themselves. nil: only tokens
	// signed by the issuer are accepted. Required if Keys is nil.
	Introspection *Introspection
	// Leeway is allowed between the issuer's clock and ours: zero is [DefaultLeeway], negative is none.
	// It is at most a minute.
	Leeway time.Duration
	// Authorities are codings of organisations that are trusted beside [norway.Authority], such as
	// "etsi-en-319-412" of European eSeals. Such an organisation has an ID but no Orgno, unless the ID is
	// of the Norwegian register (NTRNO-991825827).
	Authorities []string
	// AllowLegacyRegister takes 9908 for the Norwegian register too.
	AllowLegacyRegister bool
	// AllowNoScope takes tokens without the claim scope, for issuers that have no id_tokens: nothing else tells
	// such a token from an id_token without a nonce.
	AllowNoScope bool
	// Realm is named in challenges. "": "api".
	Realm string

	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// Logger gets refusals and faults of the middleware. nil discards.
	Logger *slog.Logger
	// OnEvent hears of refusals and faults of the middleware. nil: nobody listens.
	OnEvent func(context.Context, portner.Event)
}

// Verifier verifies access tokens. It is safe for concurrent use.
type Verifier struct {
	issuers []*issuer
	now     func() time.Time
	realm   string
	log     audit.Log
}

// issuer is one issuer's part of a Verifier.
type issuer struct {
	name            string
	keys            keySource     // nil: introspect everything
	introspection   *introspector // nil: signed tokens only
	algorithms      []string
	audience        []string
	requireAudience bool
	leeway          time.Duration
	authorities     []string
	legacyRegister  bool
	noScope         bool
}

// New returns the verifier of one issuer's tokens. It reports all problems of the Config at once, and
// fetches nothing.
func New(cfg Config) (*Verifier, error) {
	i := &issuer{
		name:       cfg.Issuer,
		algorithms: slices.Clone(cfg.Algorithms), audience: slices.Clone(cfg.Audience), requireAudience: cfg.RequireAudience,
		leeway: cfg.Leeway, authorities: slices.Clone(cfg.Authorities), legacyRegister: cfg.AllowLegacyRegister,
		noScope: cfg.AllowNoScope,
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
	if err := errors.Join(i.check(), i.sources(cfg)); err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	v := &Verifier{
		issuers: []*issuer{i}, now: cfg.Now, realm: cmp.Or(cfg.Realm, "api"),
		log: audit.Log{Endpoint: "resource", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
	}
	if v.now == nil {
		v.now = time.Now
	}
	return v, nil
}

// check reports the problems of the plain values.
func (i *issuer) check() error {
	var errs []error
	if i.name == "" {
		errs = append(errs, errors.New("no Issuer"))
	}
	for _, alg := range i.algorithms {
		if !jose.Known(alg) {
			errs = append(errs, fmt.Errorf("the Algorithms hold %q, which is no signature algorithm of public keys", alg))
		}
	}
	if slices.Contains(i.audience, "") || slices.Contains(i.audience, unspecified) {
		errs = append(errs, errors.New(`the Audience holds "" or "unspecified", which are nobody's name`))
	}
	if i.requireAudience && len(i.audience) == 0 {
		errs = append(errs, errors.New("RequireAudience needs Audience"))
	}
	if i.leeway > maxLeeway {
		errs = append(errs, fmt.Errorf("the Leeway is more than %s", maxLeeway))
	}
	return errors.Join(errs...)
}

// sources prepares keys and introspection.
func (i *issuer) sources(cfg Config) error {
	var errs []error
	if cfg.Keys == nil && cfg.Introspection == nil {
		errs = append(errs, errors.New("Keys or Introspection is required"))
	}
	if cfg.Keys != nil {
		keys, err := cfg.Keys.source()
		i.keys = keys
		errs = append(errs, err)
	}
	if cfg.Introspection != nil {
		asks, err := newIntrospector(*cfg.Introspection)
		i.introspection = asks
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Any returns a verifier of the tokens of several issuers; a token's exact iss decides which one's keys and
// rules it meets. Clock, realm, logger and hook are those of the first. Only one may introspect opaque
// tokens: nothing in such a token tells whose it is, and showing it to the wrong issuer would give it away.
func Any(verifiers ...*Verifier) (*Verifier, error) {
	if len(verifiers) == 0 {
		return nil, errors.New("resource: Any needs a verifier")
	}
	all := &Verifier{now: verifiers[0].now, realm: verifiers[0].realm, log: verifiers[0].log}
	asking := 0
	for _, v := range verifiers {
		for _, i := range v.issuers {
			if all.issuer(i.name) != nil {
				return nil, errors.New("resource: an issuer is given twice")
			}
			if i.introspection != nil {
				asking++
			}
			all.issuers = append(all.issuers, i)
		}
	}
	if asking > 1 {
		return nil, errors.New("resource: more than one issuer would be asked about opaque tokens")
	}
	return all, nil
}

func (v *Verifier) issuer(name string) *issuer {
	for _, i := range v.issuers {
		if i.name == name {
			return i
		}
	}
	return nil
}

// Verify checks that a bearer token is an access token of the issuer, for this API, and valid now. It
// returns a *[RefusalError] for a token that is not, and wraps [ErrUnavailable] if that cannot be said.
// What the token allows is for [Rules.Check].
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	return v.verify(ctx, token, v.now())
}

func (v *Verifier) verify(ctx context.Context, token string, now time.Time) (*Token, error) {
	if len(token) > jose.MaxTokenX5C {
		return nil, invalid("malformed", "The access token is malformed.", nil)
	}
	i, refusal := v.issuerOf(token)
	if refusal != nil {
		return nil, refusal
	}
	if i.keys == nil || !jwtShaped(token) {
		return i.introspect(ctx, token, now)
	}
	t, err := i.signed(ctx, token, now)
	if err != nil {
		return nil, err
	}
	if i.introspection.resolves(t) {
		return i.resolve(ctx, token, t, now)
	}
	return t, nil
}

// issuerOf finds whose token this claims to be.
func (v *Verifier) issuerOf(token string) (*issuer, *RefusalError) {
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
		return nil, invalid("malformed", "The access token is malformed.", err)
	}
	name, err := claims.String("iss")
	if i := v.issuer(name); err == nil && i != nil {
		return i, nil
	}
	return nil, errIssuer()
}

func jwtShaped(token string) bool { return strings.Count(token, ".") == 2 }

func errIssuer() *RefusalError {
	return invalid("iss", "The access token is from another issuer.", nil)
}

func errOpaque() *RefusalError {
	return invalid("opaque", "Opaque access tokens are not accepted here.", nil)
}

// signed verifies a JWT: type, algorithm, key, signature, then the claims (maskinporten-altinn chapter 2
// rows 2 to 7; RFC 9068 section 4).
func (i *issuer) signed(ctx context.Context, token string, now time.Time) (*Token, error) {
	header, err := jose.ParseHeader(token, jose.MaxTokenX5C)
	if err != nil {
		return nil, invalid("malformed", "The access token is malformed.", err)
	}
	atJWT, ok := accessTokenType(header.Typ)
	if !ok {
		return nil, errNotAccessToken()
	}
	if !slices.Contains(i.algorithms, header.Alg) { // before any key is fetched
		return nil, invalid("alg", "The access token is signed with an algorithm that is not accepted.", nil)
	}
	keys, err := i.keys.find(ctx, header.KID, now)
	if err != nil {
		return nil, err
	}
	jws, err := jose.Verify(token, jose.MaxTokenX5C, i.algorithms, keys)
	if err != nil {
		return nil, badSignature(err)
	}
	claims, err := jose.ParseObject(jws.Payload)
	if err != nil {
		return nil, invalid("malformed", "The access token is malformed.", err)
	}
	return i.accept(claims, origin{atJWT: atJWT}, now)
}

// accessTokenType reads typ: Maskinporten and ID-porten leave it out, RFC 9068 section 4 compares without
// regard to case and with or without "application/". Every other type is another kind of token (RFC 8725
// section 3.11): logout+jwt, token-introspection+jwt, a client's own assertion.
func accessTokenType(typ string) (atJWT, ok bool) {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "", "jwt":
		return false, true
	case "at+jwt":
		return true, true
	}
	return false, false
}

func badSignature(err error) *RefusalError {
	switch {
	case errors.Is(err, jose.ErrNoKey):
		return invalid("key_unknown", "The access token is signed with an unknown key.", err)
	case errors.Is(err, jose.ErrAlgorithm):
		return invalid("alg", "The access token is signed with an algorithm that is not accepted.", err)
	case errors.Is(err, jose.ErrSignature):
		return invalid("signature", "The signature of the access token is not the issuer's.", err)
	}
	return invalid("malformed", "The access token is malformed.", err)
}
