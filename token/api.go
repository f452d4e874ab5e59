package token

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/bound"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// APIRequest is a request with an access token of this provider to an API of the host. It prints as REDACTED.
type APIRequest struct {
	Authorization []string // values of the Authorization header field
	DPoP          []string // values of the DPoP header field
	Method        string   // HTTP method
	// URL is the public URL of the request, which a proof must have. Its origin comes from the configuration of the host, never from the
	// header field Host. If "", tokens that are bound to a key are rejected.
	URL string
	// Certificate is that of the TLS client, whose key it has proven to have; nil if there is none.
	Certificate *x509.Certificate
}

// Format writes "REDACTED" for every verb.
func (APIRequest) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (APIRequest) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// VerifyAccessToken finds the access token of a request, and checks its grant and that the sender is the one that the token is bound to. A token
// that is bound to a key is accepted with the scheme DPoP and a proof for Method and URL only, and one that is bound to a certificate with that
// certificate. The proof is consumed, so VerifyAccessToken is called once for a request. The caller checks the audience ([LiveToken.IsFor]), the
// scopes and the user.
//
// Every rejection is a *portner.Error with the header fields of the response, WWW-Authenticate and DPoP-Nonce among them. Other errors are
// faults.
func (m *Minter) VerifyAccessToken(ctx context.Context, r APIRequest, now time.Time) (*LiveToken, error) {
	t, err := m.verifyAccessToken(ctx, &r, now)
	switch {
	case err == nil:
		return t, nil
	case portner.IsFault(err):
		return nil, err
	}
	return nil, m.Challenge(r, portner.AsError(err))
}

func (m *Minter) verifyAccessToken(ctx context.Context, r *APIRequest, now time.Time) (*LiveToken, error) {
	scheme, value, err := m.cfg.credentials(r)
	if err != nil {
		return nil, err
	}
	t, err := m.lookupText(ctx, value, now)
	if reason, is := ended(err); is {
		return nil, invalidToken(reason, "")
	} else if gone(err) {
		return nil, invalidToken("token_unknown", "")
	} else if err != nil {
		return nil, err
	}
	return t, m.verifySender(ctx, r, scheme, value, &t.Token, &t.Grant, now)
}

// credentials returns the scheme and the access token of a request. The scheme is set with an error too.
func (c *Config) credentials(r *APIRequest) (httpx.Scheme, string, error) {
	scheme, value, err := httpx.AccessToken(r.Authorization)
	if scheme == httpx.DPoP && !c.acceptsDPoP(r.URL) { // not a scheme of this API
		return "", "", errNoToken
	}
	if err := badCredentials(err); err != nil {
		return scheme, "", err
	}
	if value == "" {
		return scheme, "", errNoToken
	}
	return scheme, value, nil
}

// acceptsDPoP reports whether tokens that are bound to a key are accepted at a URL.
func (c *Config) acceptsDPoP(url string) bool { return c.DPoP != nil && url != "" }

// Challenge returns e with the challenges of a response to r (RFC 6750 §3, RFC 9449 §7.1): for an error about the token that
// VerifyAccessToken does not check, such as portner.InsufficientScope.
func (m *Minter) Challenge(r APIRequest, e *portner.Error) *portner.Error {
	answer := *e // the error can be shared by requests
	if answer.Header = maps.Clone(e.Header); answer.Header == nil {
		answer.Header = map[string][]string{}
	}
	scheme, _, _ := m.cfg.credentials(&r)
	m.cfg.challenge(&answer, r.URL, scheme)
	return &answer
}

// badCredentials returns the error of httpx.AccessToken or httpx.Credentials as one of the protocol, nil if there is no token.
func badCredentials(err error) error {
	switch {
	case err == nil, errors.Is(err, httpx.ErrNoToken):
		return nil
	case errors.Is(err, httpx.ErrAuthorizationRepeated):
		return refuse(portner.InvalidRequest, "The Authorization header is repeated.", "header_repeated")
	}
	return refuse(portner.InvalidRequest, "The Authorization header is malformed.", "header_malformed")
}

// verifySender checks that the sender of a live access token is the one that it is bound to.
func (m *Minter) verifySender(ctx context.Context, r *APIRequest, scheme httpx.Scheme, value string, t *storage.AccessToken, g *storage.Grant, now time.Time) error {
	if m.cfg.SenderConstrained && t.Confirmation == (storage.Confirmation{}) { // it was issued before
		return invalidToken("token_not_sender_constrained", g.ID)
	}
	policy := m.cfg.resourceDPoP
	if !m.cfg.acceptsDPoP(r.URL) {
		policy = nil
	}
	err := bound.Verify(ctx, policy, bound.Request{
		Scheme: scheme, Token: value, Proofs: r.DPoP, Method: r.Method, URL: r.URL, AliasURL: m.cfg.alias(r.URL), Certificate: r.Certificate,
		ClientID: g.ClientID,
	}, t.Confirmation, now)
	err = refuseProof(err, m.cfg.ResourceNonces, now)
	if err == nil || portner.IsFault(err) {
		return err
	}
	e := portner.AsError(err)
	e.Status = http.StatusUnauthorized // RFC 9449 §7.1; it is 400 for a token request
	if c, ok := errors.AsType[*cause](e.Err); ok {
		c.GrantID = g.ID
	}
	return e
}

// challenge adds the challenges of RFC 6750 §3 and RFC 9449 §7.1 to the response to a request with an access token to a URL. scheme is that
// of the token, "" if there is none or several. Codes and descriptions have no quotes.
func (c *Config) challenge(e *portner.Error, url string, scheme httpx.Scheme, further ...httpx.Param) {
	accepts := httpx.Challenge{Bearer: []httpx.Param{{Name: "realm", Value: c.Issuer}}}
	if c.acceptsDPoP(url) {
		accepts.DPoP = []httpx.Param{{Name: "algs", Value: strings.Join(c.DPoP.SupportedAlgorithms(), " ")}}
	}
	var about []httpx.Param
	if e.Code != "" {
		about = []httpx.Param{{Name: "error", Value: string(e.Code)}, {Name: "error_description", Value: e.Description}}
	}
	e.Header["Www-Authenticate"] = []string{accepts.For(scheme, append(about, further...)...)}
}
