package client

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// AudienceRule is a rule for the aud of client assertions.
type AudienceRule int

// Rules for the aud of client assertions.
const (
	// IssuerString accepts the issuer as a JSON string only (FAPI 2.0 SP §5.3.2.1).
	IssuerString AudienceRule = iota
	// IssuerOrList also accepts an array whose only element is the issuer (OIDC Core §9).
	IssuerOrList
)

// Config configures an Authenticator.
type Config struct {
	// Issuer is the issuer identifier of the provider, which is the audience of assertions. Required.
	Issuer string
	// AssertionAudience is the form of the audience. The zero value is IssuerString.
	AssertionAudience AudienceRule
	// AssertionLifetime is the longest time from iat to exp of an assertion, at most an hour. If 0, it is 120 s, the limit of ID-porten. Some
	// libraries make assertions of an hour that cannot be configured.
	AssertionLifetime time.Duration
	// RequireClientID rejects an assertion without the parameter client_id beside it (docs.digdir.no: OIDC protocol, token endpoint).
	// Without it, the sub of the assertion names the client (RFC 7521 §4.2).
	RequireClientID bool
	// SigningAlgorithms are the signature algorithms of assertions and request objects. If nil, they are RS256, RS384, RS512, PS256, ES256
	// and EdDSA. The Environment of registrations must have the same. FAPI 2.0 SP §5.4.1 allows PS256, ES256 and EdDSA.
	SigningAlgorithms []string
	// AuthMethods are the authentication methods of clients. If nil, it is every one. A method is supported only if the field that it
	// needs is set, too: Replay, TLSClientCAs or SelfSignedTLSClientAuth.
	AuthMethods []string
	// TLSClientCAs are the roots of the certificates of tls_client_auth (RFC 8705 §2.1). If nil, the method is rejected. Every authority
	// below a root can issue a certificate with the name of a client: use roots that issue certificates for clients only. Revocation is not
	// checked: the TLS server or the CertificateFunc of the host can do it.
	TLSClientCAs *x509.CertPool
	// SelfSignedTLSClientAuth accepts self_signed_tls_client_auth (RFC 8705 §2.2).
	SelfSignedTLSClientAuth bool
	// TypedAssertions rejects client assertions whose typ is not client-authentication+jwt. If false, JWT and no typ are accepted too.
	TypedAssertions bool
	// TokenEndpoint is an additional audience for clients with AllowTokenEndpointAudience. If "", there is none.
	TokenEndpoint string
	// Clients finds registrations. Required.
	Clients Source
	// Replay remembers assertions. If nil, private_key_jwt is rejected.
	Replay ReplayStore
	// Certificates verifies business certificates: the x5c of assertions of clients without registered keys, and the x5c of
	// registered keys. If nil, such assertions are rejected, except those with registered keys of plain OpenID Connect clients.
	Certificates *businesscert.Verifier
	// Attempts limits wrong secrets. If nil, a pair of client and address may send 10 in a minute, counted in this process. The right
	// secret is accepted in any case, unless it is Guessable.
	Attempts AttemptLimiter

	// Logger receives a line for each failure. If nil, nothing is logged.
	Logger *slog.Logger
	// OnEvent receives the same as events, and each use of AllowTokenEndpointAudience. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Authenticator authenticates clients at the token, pushed authorization request, introspection and revocation endpoints. It
// is safe for concurrent use.
type Authenticator struct {
	cfg  Config
	log  audit.Log
	keys keyCache
}

// NewAuthenticator returns an Authenticator. It reports every problem of the configuration at once, as portner.FieldErrors.
func NewAuthenticator(cfg Config) (*Authenticator, error) {
	var problems fields.Checker
	problems.URL("Issuer", cfg.Issuer)
	if cfg.TokenEndpoint != "" {
		problems.URL("TokenEndpoint", cfg.TokenEndpoint)
	}
	problems.Want(cfg.AssertionAudience == IssuerString || cfg.AssertionAudience == IssuerOrList, "AssertionAudience", "must be IssuerString or IssuerOrList")
	problems.Want(cfg.AssertionLifetime >= 0 && cfg.AssertionLifetime <= maxAssertionLifetime, "AssertionLifetime", "must be at most an hour")
	problems.RequireValue(cfg.Clients, "Clients")
	problems.OptionalValue(cfg.Replay, "Replay")
	problems.OptionalValue(cfg.Attempts, "Attempts")
	problems.Made(cfg.Certificates, "Certificates", "businesscert.New")
	for i, method := range cfg.AuthMethods {
		problems.Want(slices.Contains(allMethods, method), at("AuthMethods", i), "must be "+orList(allMethods))
	}
	for i, alg := range cfg.SigningAlgorithms {
		problems.Want(jose.Known(alg), at("SigningAlgorithms", i), "must be an asymmetric signature algorithm")
		problems.Want(slices.Index(cfg.SigningAlgorithms, alg) == i, at("SigningAlgorithms", i), "is listed twice")
	}
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	cfg.AuthMethods = slices.Clone(cfg.AuthMethods)
	if cfg.SigningAlgorithms = slices.Clone(cfg.SigningAlgorithms); len(cfg.SigningAlgorithms) == 0 {
		cfg.SigningAlgorithms = assertionAlgorithms
	}
	cfg.AssertionLifetime = cmp.Or(cfg.AssertionLifetime, defaultAssertionLifetime)
	if cfg.Attempts == nil {
		cfg.Attempts = newAttemptTable(10, time.Minute)
	}
	return &Authenticator{cfg: cfg, log: audit.Log{Endpoint: "client", Logger: cfg.Logger, OnEvent: cfg.OnEvent}}, nil
}

// Authenticated is a client whose credentials were verified, or a public client that identified itself.
type Authenticated struct {
	*Client
	AMR string // client_amr: the method that was verified, or the class of the certificate
	// Assertion is the payload of the client assertion, a JSON object; nil for other methods.
	Assertion json.RawMessage
}

// allMethods are the authentication methods, in the order of metadata.
var allMethods = []string{ClientSecretBasic, ClientSecretPost, PrivateKeyJWT, TLSClientAuth, SelfSignedTLSClientAuth, None}

// clientSecretJWT is the name of a method that no registration may have, for the log.
const clientSecretJWT = "client_secret_jwt"

// Methods returns the authentication methods that are supported, for metadata.
func (a *Authenticator) Methods() []string {
	return slices.DeleteFunc(slices.Clone(allMethods), func(method string) bool { return !a.supports(method) })
}

// supports reports whether the configuration has what an authentication method needs.
func (a *Authenticator) supports(method string) bool {
	if a.cfg.AuthMethods != nil && !slices.Contains(a.cfg.AuthMethods, method) {
		return false
	}
	switch method {
	case PrivateKeyJWT:
		return a.cfg.Replay != nil
	case TLSClientAuth:
		return a.cfg.TLSClientCAs != nil
	case SelfSignedTLSClientAuth:
		return a.cfg.SelfSignedTLSClientAuth
	}
	return true
}

// RequestAlgorithms returns the signature algorithms of request objects, for metadata.
func (a *Authenticator) RequestAlgorithms() []string { return slices.Clone(a.cfg.SigningAlgorithms) }

// AssertionAlgorithms returns the signature algorithms of private_key_jwt, for metadata. It returns nil if the method is not
// supported.
func (a *Authenticator) AssertionAlgorithms() []string {
	if !a.supports(PrivateKeyJWT) {
		return nil
	}
	return slices.Clone(a.cfg.SigningAlgorithms)
}

// Authenticate authenticates the client of a request by its registered method. endpoint is the name of the endpoint in
// events.
//
// Every failure is a *portner.Error with the code invalid_client or invalid_request, the same for unknown clients, wrong
// methods and wrong secrets. It carries WWW-Authenticate if the request has an Authorization field (RFC 6749 §5.2). After
// too many wrong secrets the error has the status 429 and a *TooManyAttemptsError as its cause. Other errors are faults; they wrap
// portner.ErrUnavailable if the source, the replay store or the check of a certificate failed.
func (a *Authenticator) Authenticate(ctx context.Context, r Request, endpoint string, now time.Time) (Authenticated, error) {
	x := &exchange{a, r, endpoint, now}
	cred, err := a.credentials(&x.r)
	if reason, ok := errors.AsType[*rejection](err); ok {
		return Authenticated{}, x.reject(ctx, "", reason)
	}
	if err != nil {
		return Authenticated{}, err
	}
	registered, err := Lookup(ctx, a.cfg.Clients, cred.clientID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return Authenticated{}, err
	}
	verified, reason, err := x.verify(ctx, registered, cred)
	if err != nil {
		return Authenticated{}, err
	}
	if wait := x.limit(ctx, registered, cred, reason); wait > 0 {
		return Authenticated{}, x.tooMany(ctx, wait)
	}
	if reason != nil {
		return Authenticated{}, x.reject(ctx, idOf(registered), reason)
	}
	verified.Client = registered
	return verified, nil
}

// limit counts a wrong secret, and returns how long the client has to wait after too many of them. The right secret has to wait only if
// it can be guessed: the failures of a peer with the same address, such as that of a proxy, do not lock a client out.
func (x *exchange) limit(ctx context.Context, registered *Client, cred credentials, reason *rejection) time.Duration {
	if !cred.isSecret() {
		return 0
	}
	wait := x.cfg.Attempts.Wait(ctx, cred.clientID, x.r.RemoteAddr, x.now)
	switch {
	case reason == nil && !slices.ContainsFunc(registered.Secrets, func(s Secret) bool { return s.Guessable }):
		return 0
	case reason != nil && wait <= 0:
		x.cfg.Attempts.Failed(ctx, cred.clientID, x.r.RemoteAddr, x.now)
	}
	return wait
}

// exchange is the authentication of one request.
type exchange struct {
	*Authenticator
	r        Request
	endpoint string
	now      time.Time
}

// idOf returns the client_id of a registration, "" for nil.
func idOf(c *Client) string {
	if c == nil {
		return ""
	}
	return c.ClientID
}

// verify checks credentials against a registration, which is nil for an unknown client. The result has no Client. The secret is hashed and
// compared first, so that unknown and disabled clients and wrong methods take as long as a wrong secret.
func (x *exchange) verify(ctx context.Context, registered *Client, cred credentials) (as Authenticated, reason *rejection, err error) {
	if cred.isSecret() {
		var secrets []Secret
		if registered != nil {
			secrets = registered.Secrets
		}
		reason = checkSecret(secrets, cred.secret, x.now)
	}
	if registered == nil {
		return as, rejectedUnknown, nil
	}
	method, presented := registered.AuthMethod(), cred.method
	if presented == None && byCertificate(method) {
		presented = method // RFC 8705 §2: the form has client_id only
	}
	switch {
	case registered.Disabled:
		return as, rejectedDisabled, nil
	case !slices.Contains(allMethods, method):
		return as, rejectedNotOffered.about(x.presentedMethod(cred), "a method of token_endpoint_auth_methods_supported in place of the registered "+method), nil
	case method != presented:
		return as, rejectedMethod.about(x.presentedMethod(cred), registered.explainMethod()), nil
	case !x.supports(method):
		return as, rejectedNotOffered, nil
	case method == PrivateKeyJWT:
		return x.verifyAssertion(ctx, registered, cred.assertion)
	case byCertificate(method):
		as.AMR, reason = x.verifyCertificate(registered)
		return as, reason, nil
	}
	return Authenticated{AMR: cred.method}, reason, nil
}

// presentedMethod returns the method of credentials for the log. An assertion with an HMAC is client_secret_jwt (OIDC Core §9), which is not
// supported: libraries choose it for a client with a secret.
func (x *exchange) presentedMethod(cred credentials) string {
	if x.log.Active() && cred.method == PrivateKeyJWT && strings.HasPrefix(jose.Peek(cred.assertion, x.maxToken(), "alg"), "HS") {
		return clientSecretJWT
	}
	return cred.method
}

// reject reports the reason and returns the error for the peer, which is the same for every reason.
func (x *exchange) reject(ctx context.Context, clientID string, reason *rejection) error {
	x.emit(ctx, portner.Event{Name: reason.event, ClientID: clientID, Reason: reason.reason, Explanation: x.explain(reason)})
	e := &portner.Error{Code: portner.InvalidClient, Description: "Client authentication failed.", Err: reason}
	if len(x.r.Header["Authorization"]) > 0 {
		e.Header = map[string][]string{"Www-Authenticate": {`Basic realm="` + x.cfg.Issuer + `"`}}
	}
	return e
}

// explain returns what the request had for the rule of a rejection. The values of assertions are read without verification.
func (x *exchange) explain(reason *rejection) portner.Explanation {
	about := portner.Explanation{Received: reason.received, Expected: reason.expected}
	if !x.log.Active() || about.Received != "" {
		return about
	}
	parameter := audit.Parameter(reason.reason)
	if assertion := x.r.Form.Get("client_assertion"); assertion != "" {
		about.Received = audit.Received(parameter, jose.Peek(assertion, x.maxToken(), parameter))
	} else {
		about.Received = audit.Received(parameter, x.r.Form.Get(parameter))
	}
	switch reason {
	case rejectedAudience:
		about.Expected = x.cfg.Issuer
	case rejectedLifetime:
		about.Expected = fmt.Sprintf("at most %d seconds after iat", int(x.cfg.AssertionLifetime.Seconds()))
	}
	return about
}

func (x *exchange) tooMany(ctx context.Context, wait time.Duration) error {
	x.report(ctx, "", rejectedTooMany.event, rejectedTooMany.reason)
	return &portner.Error{
		Code:        portner.TemporarilyUnavailable,
		Description: "Too many failed attempts. Wait before the next one.",
		Err:         &TooManyAttemptsError{RetryAfter: wait},
	}
}

func (x *exchange) report(ctx context.Context, clientID string, name portner.EventName, reason string) {
	x.emit(ctx, portner.Event{Name: name, ClientID: clientID, Reason: reason})
}

func (x *exchange) emit(ctx context.Context, e portner.Event) {
	e.Time, e.CorrelationID, e.Endpoint = x.now, x.r.CorrelationID, x.endpoint
	x.log.Emit(ctx, e)
}
