package jose

import (
	"errors"
	"slices"
	"strings"
)

// Purpose tells one kind of JWT from every other kind. A token with an explicit typ (RFC 8725 §3.11) is told apart by it; a token
// without one by the claims that its kind always has and those that it never has. No token fits two purposes.
type Purpose struct {
	name string
	// typs are the explicit types, in lower case and without "application/". The purpose of a typ is one.
	typs []string
	// exact compares the typ byte for byte: it has one spelling.
	exact bool
	// untyped accepts a token without typ, or with the typ JWT, if it has the claims of required.
	untyped  bool
	required []requirement
	// forbidden are claims that only other kinds have. They are rejected in typed tokens too.
	forbidden []string
}

// requirement is a condition on the claims of an untyped token. member is named in the error.
type requirement struct {
	member string
	met    func(Object) bool
}

// The purposes. Claims that a host may add to its own tokens are in no list of forbidden claims: see token.Document.
var (
	// IDToken is an id_token (OIDC Core §2).
	IDToken = &Purpose{
		name: "id_token", untyped: true,
		required: append(present("iss", "sub", "aud", "exp", "iat"), requirement{"sub", subjectIsOther}),
		// urn:altinn:app is the claim of tokens of Altinn's platform, some of which have no scope.
		forbidden: []string{"client_id", "scope", "events", "urn:altinn:app"},
	}
	// AccessToken is a self-contained access token: at+jwt (RFC 9068 §4), or untyped as those of ID-porten and Maskinporten.
	AccessToken = &Purpose{
		name: "access token", typs: []string{"at+jwt"}, untyped: true,
		required:  []requirement{{"scope", hasScopeOrClient}, {"client_id", namesClientOrUser}},
		forbidden: notOfAccessTokens,
	}
	// ScopelessToken is an access token of an issuer that issues no id_tokens: without scope and client_id it has the claims of one.
	// It is therefore not one of Purposes.
	ScopelessToken = &Purpose{
		name: "access token without scope", typs: AccessToken.typs, untyped: true,
		required:  []requirement{{"client_id", namesClientOrUser}},
		forbidden: notOfAccessTokens,
	}
	// LogoutToken is a logout token (OIDC Back-Channel Logout §2.4). This module issues it and reads none.
	LogoutToken = &Purpose{
		name: "logout token", typs: []string{"logout+jwt"}, forbidden: []string{"nonce"},
	}
	// ClientAssertion authenticates a client (RFC 7523 §2.2). Its issuer is its subject.
	ClientAssertion = &Purpose{
		name: "client assertion", typs: []string{"client-authentication+jwt"}, untyped: true,
		required:  []requirement{{"sub", subjectIsIssuer}},
		forbidden: append([]string{"client_id", "consumer", "scope", "resource", "authorization_details"}, notOfAssertions...),
	}
	// AuthorizationGrant is the assertion of a JWT bearer grant (RFC 7523 §2.1), as Maskinporten's. It requests a scope. If it has a
	// subject, that is its issuer.
	AuthorizationGrant = &Purpose{
		name: "authorization grant", untyped: true,
		required: append(present("scope"), requirement{"sub", func(o Object) bool {
			return !o.Has("sub") || subjectIsIssuer(o)
		}}),
		forbidden: append([]string{"client_id", "consumer"}, notOfAssertions...),
	}
	// RequestObject is a signed authorization request (RFC 9101). RFC 9101 §10.8: without sub it is no client assertion.
	RequestObject = &Purpose{
		name: "request object", typs: []string{"oauth-authz-req+jwt"}, untyped: true,
		required:  present("client_id", "response_type"),
		forbidden: append([]string{"sub", "request", "request_uri", "token_type", "consumer"}, notOfClients...),
	}
	// DPoPProof proves the possession of a key for one request. RFC 9449 §4.3: its typ has the value dpop+jwt.
	DPoPProof = &Purpose{name: "DPoP proof", typs: []string{"dpop+jwt"}, exact: true}
	// IntrospectionResponse is a signed introspection response (RFC 9701 §5). It describes a token in one claim, and has no claim that could
	// make it one.
	IntrospectionResponse = &Purpose{
		name: "introspection response", typs: []string{"token-introspection+jwt"},
		forbidden: []string{"sub", "exp", "scope", "client_id", "consumer", "nonce", "events", "htm", "htu", "response_type", "code"},
	}
	// AuthorizationResponse is a signed authorization response (JARM §2.1). It has no typ of its own, and no claim that another kind
	// requires. This module issues it and reads none.
	AuthorizationResponse = &Purpose{
		name: "authorization response", untyped: true,
		required:  append(present("iss", "aud", "exp"), requirement{"code", func(o Object) bool { return o.Has("code") != o.Has("error") }}),
		forbidden: append([]string{"sub", "client_id", "scope", "consumer", "response_type"}, notOfClients...),
	}
)

// PartialRequestObject is a request object beside the parameters of a pushed request, which need not have all of them. HelseID's clients
// give it the typ of client assertions: it has a client_id and no sub, and an assertion the reverse. It is therefore not one of
// Purposes.
var PartialRequestObject = &Purpose{
	name: "partial request object", typs: append([]string{"client-authentication+jwt"}, RequestObject.typs...), untyped: true,
	required: present("client_id"), forbidden: RequestObject.forbidden,
}

// notOfAccessTokens are claims of id_tokens, of security event and logout tokens, of request objects and of introspection responses.
var notOfAccessTokens = []string{"nonce", "at_hash", "c_hash", "s_hash", "events", "response_type", "token_introspection"}

// notOfClients are claims of JWTs that no client sends to a provider as a request or an assertion: of id_tokens, of security event
// and logout tokens, of DPoP proofs (RFC 9449 §4.2) and of introspection responses (RFC 9701 §5).
var notOfClients = []string{"at_hash", "c_hash", "s_hash", "events", "htm", "htu", "ath", "token_introspection"}

// notOfAssertions are these and the parameters of an authorization request.
var notOfAssertions = append([]string{
	"response_type", "response_mode", "redirect_uri", "code_challenge", "code_challenge_method", "state", "nonce", "request", "request_uri",
}, notOfClients...)

// Purposes returns every purpose.
func Purposes() []*Purpose {
	return []*Purpose{IDToken, AccessToken, LogoutToken, ClientAssertion, AuthorizationGrant, RequestObject, DPoPProof, IntrospectionResponse, AuthorizationResponse}
}

// String returns the name of the purpose.
func (p *Purpose) String() string { return p.name }

func present(names ...string) []requirement {
	var all []requirement
	for _, name := range names {
		all = append(all, requirement{name, func(o Object) bool { return o.Has(name) }})
	}
	return all
}

// subjectIsIssuer reports whether iss and sub are one string.
func subjectIsIssuer(o Object) bool {
	iss, sub, ok := issuerAndSubject(o)
	return ok && iss == sub
}

// subjectIsOther reports whether iss and sub are two strings.
func subjectIsOther(o Object) bool {
	iss, sub, ok := issuerAndSubject(o)
	return ok && iss != sub
}

func hasScopeOrClient(o Object) bool { return o.Has("scope") || o.Has("client_id") }

// namesClientOrUser reports whether the claims say whom an access token was issued to or about. Older tokens of Maskinporten have
// consumer and no client_id.
func namesClientOrUser(o Object) bool {
	return o.Has("client_id") || o.Has("consumer") || subjectIsOther(o)
}

func issuerAndSubject(o Object) (iss, sub string, ok bool) {
	iss, err1 := o.String("iss")
	sub, err2 := o.String("sub")
	return iss, sub, err1 == nil && err2 == nil && sub != ""
}

// PurposeError reports a JWT of another kind. It matches ErrPurpose.
type PurposeError struct {
	// Member is typ, or the claim that is missing or must not be there.
	Member string
}

// ErrPurpose reports that a JWT is of another kind. Errors that match it are a *PurposeError.
var ErrPurpose = errors.New("jose: JWT of another kind")

// Error names the member.
func (e *PurposeError) Error() string { return ErrPurpose.Error() + ": " + e.Member }

// Is reports whether target is ErrPurpose.
func (*PurposeError) Is(target error) bool { return target == ErrPurpose }

// mediaType returns a typ in lower case and without "application/". RFC 7515 §4.1.9: the names of media types are compared without
// regard to case, and the prefix may be omitted.
func mediaType(typ string) string {
	lower := []byte(typ)
	for i, c := range lower { // strings.ToLower would map characters outside of ASCII to letters
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	if name, ok := strings.CutPrefix(string(lower), "application/"); ok && name != "" {
		return name
	}
	return string(lower)
}

// Typed reports whether the header has an explicit type of the purpose.
func (p *Purpose) Typed(h Header) bool {
	if p.exact {
		return slices.Contains(p.typs, h.Typ)
	}
	return slices.Contains(p.typs, mediaType(h.Typ))
}

// CheckTyp returns a *PurposeError if the header has the typ of another kind of JWT.
func (p *Purpose) CheckTyp(h Header) error {
	if p.Typed(h) {
		return nil
	}
	if typ := mediaType(h.Typ); p.untyped && (typ == "" || typ == "jwt") {
		return nil
	}
	return &PurposeError{"typ"}
}

// CheckForbidden returns a *PurposeError if there is a claim that only other kinds of JWTs have.
func (p *Purpose) CheckForbidden(claims Object) error {
	for _, name := range p.forbidden {
		if claims.Has(name) {
			return &PurposeError{name}
		}
	}
	return nil
}

// Check returns a *PurposeError if a JWT with this header and these claims is of another kind.
func (p *Purpose) Check(h Header, claims Object) error {
	if err := p.CheckTyp(h); err != nil {
		return err
	}
	if err := p.CheckForbidden(claims); err != nil {
		return err
	}
	if p.Typed(h) {
		return nil
	}
	for _, r := range p.required {
		if !r.met(claims) {
			return &PurposeError{r.member}
		}
	}
	return nil
}
